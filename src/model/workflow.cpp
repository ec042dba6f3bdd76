#include "model/workflow.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace kist::model {
namespace {

void collect_steps(const Dependency& dependency, std::vector<std::string>& steps) {
  if (dependency.op == Dependency::Operator::is && std::ranges::find(steps, dependency.step) == steps.end())
    steps.push_back(dependency.step);
  for (const Dependency& operand : dependency.operands) collect_steps(operand, steps);
}

}  // namespace

std::string to_string(const Origin& origin) {
  if (origin.line == 0) return origin.file;
  if (origin.column == 0) return fmt::format("{}:{}", origin.file, origin.line);
  return fmt::format("{}:{}:{}", origin.file, origin.line, origin.column);
}

std::vector<std::string> steps_of(const Dependency& dependency) {
  std::vector<std::string> steps;
  collect_steps(dependency, steps);
  return steps;
}

}  // namespace kist::model
