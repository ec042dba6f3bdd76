#include "dialect/circleci/environment.hpp"

#include <algorithm>
#include <filesystem>
#include <ranges>
#include <set>

#include <fmt/format.h>

namespace kist::dialect::circleci {
namespace {

using model::Text;

bool is_name(std::string_view name) {
  return !name.empty() && name.find_first_of(std::string_view("=\0", 2)) == std::string_view::npos;
}

void read_pairs(const Texts& texts, const yaml::Node& node, Variables& variables) {
  for (const auto& [key, value] : node.entries) {
    if (!key.is_scalar() || !is_name(key.text))
      texts.reader().fail(key, fmt::format("environment: {} cannot be the name of a variable", model::describe(key)));
    else if (value.is_null())
      variables.push_back({key.text, Text::literal("")});
    else if (auto text = texts.text(value, key.text))
      variables.push_back({key.text, Text::literal(std::move(*text))});
  }
}

void read_assignment(const Texts& texts, const yaml::Node& node, Variables& variables) {
  auto text = texts.text(node, "environment", "NAME=VALUE");
  if (!text) return;
  std::size_t equals = text->find('=');
  if (equals == std::string::npos || equals == 0)
    return texts.reader().fail(node, fmt::format("environment: expected NAME=VALUE, not {}", model::describe(node)));
  variables.push_back({text->substr(0, equals), Text::literal(text->substr(equals + 1))});
}

}  // namespace

Variables without_overridden(Variables variables) {
  std::set<std::string> seen;
  Variables kept;
  for (auto& variable : std::views::reverse(variables))
    if (seen.insert(variable.name).second) kept.push_back(std::move(variable));
  std::ranges::reverse(kept);
  return kept;
}

void read_environment(const Texts& texts, const yaml::Node& node, Variables& variables) {
  if (node.is_mapping()) return read_pairs(texts, node, variables);
  if (node.is_scalar()) return read_assignment(texts, node, variables);
  for (const yaml::Node& item : node.items) {
    if (item.is_mapping())
      read_pairs(texts, item, variables);
    else if (!item.is_null())
      read_assignment(texts, item, variables);
  }
}

Variables built_in_variables(const BuiltIn& values) {
  auto run = [](std::string_view name) {
    return Text::of({expression::refer("workflow.name", fmt::format("${}", name))});
  };
  std::string project = std::filesystem::path(values.project).filename().string();
  return {{"CI", Text::literal("true")},
          {"CIRCLECI", Text::literal("true")},
          {"CIRCLE_JOB", Text::literal(values.job)},
          {"CIRCLE_BUILD_NUM", Text::literal(std::to_string(values.number))},
          {"CIRCLE_NODE_INDEX", Text::literal("0")},
          {"CIRCLE_NODE_TOTAL", Text::literal("1")},
          {.name = "CIRCLE_WORKFLOW_ID", .value = run("CIRCLE_WORKFLOW_ID"), .of_run = true},
          {.name = "CIRCLE_WORKFLOW_WORKSPACE_ID", .value = run("CIRCLE_WORKFLOW_WORKSPACE_ID"), .of_run = true},
          {"CIRCLE_PROJECT_REPONAME", Text::literal(std::move(project))},
          {"CIRCLE_WORKING_DIRECTORY", Text::literal(values.working_directory)},
          {"CIRCLE_SHELL_ENV", Text::literal(std::string(kBashEnv))},
          {"BASH_ENV", Text::literal(std::string(kBashEnv))}};
}

}  // namespace kist::dialect::circleci
