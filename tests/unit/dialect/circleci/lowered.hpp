// A config lowered in a test, and what the tests look at.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "dialect/circleci/dialect.hpp"

namespace kist::dialect::circleci {

inline constexpr const char* kFile = ".circleci/config.yml";

inline model::RunRequest request_for(std::string text, std::string workflow = "") {
  model::RunRequest request;
  request.dialect = "circleci";
  request.project = "/home/me/my-project";
  request.files = {{kFile, std::move(text)}};
  request.workflow = std::move(workflow);
  return request;
}

// A config of version 2 whose only job has these steps (indented by six).
inline std::string steps(std::string_view lines) {
  return "version: 2\njobs:\n  build:\n    machine: true\n    steps:\n" + std::string(lines);
}

inline model::Lowered lowered(const model::RunRequest& request) {
  auto result = dialect().lower(request);
  if (!result) {
    ADD_FAILURE() << result.error().text;
    return {};
  }
  return std::move(*result);
}
inline model::Lowered lowered(std::string text) {
  return lowered(request_for(std::move(text)));
}

inline Error refused(const model::RunRequest& request) {
  auto result = dialect().lower(request);
  if (result) {
    ADD_FAILURE() << "was not refused:\n" << request.files[0].text;
    return {};
  }
  return result.error();
}
inline Error refused(std::string text) {
  return refused(request_for(std::move(text)));
}

// A job's task, by the job's name in its workflow.
inline const model::Task& task_of(const model::Lowered& lowered, const std::string& job = "build") {
  return std::get<model::Task>(lowered.workflow.definitions.at(job).body);
}

inline const model::Group& graph_of(const model::Lowered& lowered) {
  return std::get<model::Group>(lowered.workflow.definitions.at(lowered.workflow.entry.definition).body);
}

// All actions of one kind.
template <typename T>
std::vector<T> actions(const model::Task& task) {
  std::vector<T> found;
  for (const model::Action& action : task.actions)
    if (const T* what = std::get_if<T>(&action.what)) found.push_back(*what);
  return found;
}

// "checkout .", "run TITLE", "save NAME", with "+" where it runs after a success and "-" after a failure.
inline std::vector<std::string> steps_of(const model::Task& task) {
  std::vector<std::string> all;
  for (const model::Action& action : task.actions) {
    std::string step = std::string(action.when.success ? "+" : "") + (action.when.failure ? "-" : "") + " ";
    if (const auto* load = std::get_if<model::Load>(&action.what)) {
      if (!std::holds_alternative<model::ProjectFiles>(load->source)) continue;
      step += "checkout " + load->path.source();
    }
    if (std::holds_alternative<model::Run>(action.what)) step += "run " + action.title;
    if (const auto* save = std::get_if<model::Save>(&action.what)) step += "save " + save->name;
    all.push_back(std::move(step));
  }
  return all;
}

inline std::vector<std::string> texts(const std::vector<model::Notice>& notices) {
  std::vector<std::string> all;
  for (const model::Notice& notice : notices) all.push_back(to_string(notice));
  return all;
}

}  // namespace kist::dialect::circleci
