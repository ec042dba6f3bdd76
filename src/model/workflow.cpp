#include "model/workflow.hpp"

#include <string_view>
#include <unordered_set>

#include <fmt/format.h>

namespace kist::model {
namespace {

void collect_steps(const Dependency& dependency, std::vector<std::string>& steps,
                   std::unordered_set<std::string_view>& known) {
  if (dependency.op == Dependency::Operator::is && known.insert(dependency.step).second)
    steps.push_back(dependency.step);
  for (const Dependency& operand : dependency.operands) collect_steps(operand, steps, known);
}

}  // namespace

std::string to_string(const Origin& origin) {
  if (origin.line == 0) return origin.file;
  if (origin.column == 0) return fmt::format("{}:{}", origin.file, origin.line);
  return fmt::format("{}:{}:{}", origin.file, origin.line, origin.column);
}

std::vector<std::string> steps_of(const Dependency& dependency) {
  std::vector<std::string> steps;
  std::unordered_set<std::string_view> known;
  collect_steps(dependency, steps, known);
  return steps;
}

std::string_view to_string(Metric::Kind kind) {
  switch (kind) {
    case Metric::Kind::gauge:
      return "gauge";
    case Metric::Kind::counter:
      return "counter";
    case Metric::Kind::histogram:
      return "histogram";
  }
  return "";
}

}  // namespace kist::model
