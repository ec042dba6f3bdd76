// A workflow text lowered in a test, and what the tests look at.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "dialect/dstack/dialect.hpp"

namespace kist::dialect::dstack {

inline constexpr const char* kFile = ".dstack/workflows.yaml";

inline model::RunRequest request_for(std::string text, std::string workflow = "w") {
  model::RunRequest request;
  request.dialect = "dstack";
  request.project = "/home/me/project";
  request.files = {{kFile, std::move(text)}};
  request.workflow = std::move(workflow);
  return request;
}

// A file with one bash workflow `w` with these further lines (indented by four).
inline std::string workflow_with(std::string_view lines) {
  return "workflows:\n  - name: w\n    provider: bash\n" + std::string(lines);
}

inline model::Lowered lowered(const model::RunRequest& request) {
  auto result = dialect().lower(request);
  if (!result) {
    ADD_FAILURE() << result.error().text;
    return {};
  }
  return std::move(*result);
}

inline Error refused(const model::RunRequest& request) {
  auto result = dialect().lower(request);
  if (result) {
    ADD_FAILURE() << "was not refused";
    return {};
  }
  return result.error();
}

inline const model::Task& task_of(const model::Lowered& lowered) {
  return std::get<model::Task>(lowered.workflow.definitions.at(lowered.workflow.entry.definition).body);
}

// All actions of one kind.
template <typename T>
std::vector<T> actions(const model::Task& task) {
  std::vector<T> found;
  for (const model::Action& action : task.actions)
    if (const T* what = std::get_if<T>(&action.what)) found.push_back(*what);
  return found;
}

// The text that is given to the shell, `${{ run.name }}` as written.
inline std::string script_of(const model::Task& task) {
  auto runs = actions<model::Run>(task);
  return runs.size() == 1 && runs[0].command.size() == 3 ? runs[0].command[2].source() : "no script";
}

inline std::vector<std::string> texts(const std::vector<model::Notice>& notices) {
  std::vector<std::string> all;
  for (const model::Notice& notice : notices) all.push_back(to_string(notice));
  return all;
}

}  // namespace kist::dialect::dstack
