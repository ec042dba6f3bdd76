// The parts of the model's print: fields at their defaults are left out, so that what a file says stands out.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/json.hpp"
#include "base/overloaded.hpp"
#include "model/workflow.hpp"

namespace kist::cli::shown {

inline void put(Json& to, const char* key, const std::string& value) {
  if (!value.empty()) to[key] = value;
}
inline void put(Json& to, const char* key, const model::Text& value) {
  put(to, key, value.source());
}
inline void put(Json& to, const char* key, const std::optional<model::Text>& value) {
  if (value) to[key] = value->source();
}
inline void put(Json& to, const char* key, bool value) {
  if (value) to[key] = true;
}
inline void put_texts(Json& to, const char* key, const std::vector<model::Text>& values) {
  for (const auto& value : values) to[key].push_back(value.source());
}
template <typename Item, typename Write>
void put_all(Json& to, const char* key, const std::vector<Item>& items, Write write) {
  for (const auto& item : items) to[key].push_back(write(item));
}

Json source_as_json(const model::ArtifactSource& source);
Json task_as_json(const model::Task& task);

}  // namespace kist::cli::shown
