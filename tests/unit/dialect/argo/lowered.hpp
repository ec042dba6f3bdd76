// A workflow text lowered in a test, and what the tests look at.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "dialect/argo/dialect.hpp"

namespace kist::dialect::argo {

inline constexpr const char* kFileName = "w.yaml";

inline model::RunRequest request_for(std::string text) {
  model::RunRequest request;
  request.dialect = "argo";
  request.project = "/home/me/project";
  request.files = {{kFileName, std::move(text)}};
  return request;
}

// A Workflow whose spec has these lines, the first of them in line 5.
inline std::string workflow_with(std::string_view spec) {
  return "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: test-}\nspec:\n" +
         std::string(spec);
}

// A Workflow whose entrypoint `main` has these lines, the first of them in line 8.
inline std::string main_with(std::string_view lines) {
  return workflow_with("  entrypoint: main\n  templates:\n  - name: main\n" + std::string(lines));
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
    ADD_FAILURE() << "was not refused";
    return {};
  }
  return result.error();
}
inline Error refused(std::string text) {
  return refused(request_for(std::move(text)));
}

inline std::vector<std::string> texts(const std::vector<model::Notice>& notices) {
  std::vector<std::string> all;
  for (const model::Notice& notice : notices) all.push_back(model::to_string(notice));
  return all;
}

inline const model::Task& task(const model::Lowered& lowered, const std::string& definition) {
  return std::get<model::Task>(lowered.workflow.definitions.at(definition).body);
}

inline const model::Group& group(const model::Lowered& lowered, const std::string& definition) {
  return std::get<model::Group>(lowered.workflow.definitions.at(definition).body);
}

// All actions of one kind.
template <typename T>
std::vector<T> actions(const model::Task& task) {
  std::vector<T> found;
  for (const model::Action& action : task.actions)
    if (const T* what = std::get_if<T>(&action.what)) found.push_back(*what);
  return found;
}

inline std::vector<std::string> sources(const std::vector<model::Text>& texts) {
  std::vector<std::string> all;
  for (const model::Text& text : texts) all.push_back(text.source());
  return all;
}

}  // namespace kist::dialect::argo
