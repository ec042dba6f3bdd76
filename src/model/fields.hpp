// The fields of a record's JSON objects. Writing: what is empty is left out. Reading: a missing key is the empty value,
// a key of the wrong type is an error (corrupt); keys that are not asked for are not looked at.
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace kist::model {

using Pairs = std::vector<std::pair<std::string, std::string>>;

inline void put(Json& object, const char* key, const std::string& text) {
  if (!text.empty()) object[key] = text;
}

inline void put(Json& object, const char* key, Time time) {
  if (time != Time{}) object[key] = to_rfc3339_micros(time);
}

inline void put_map(Json& object, const char* key, const Pairs& pairs) {
  if (pairs.empty()) return;
  Json& map = object[key] = Json::object();
  for (const auto& [name, value] : pairs) map[name] = value;
}

inline void put_pairs(Json& object, const char* key, const Pairs& pairs) {
  if (pairs.empty()) return;
  Json& list = object[key] = Json::array();
  for (const auto& [name, value] : pairs) list.push_back({{"name", name}, {"value", value}});
}

inline Result<const Json*> member(const Json& object, const char* key) {
  if (!object.is_object()) return fail(ErrorKind::corrupt, "record: expected an object");
  auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

inline std::unexpected<Error> wrong_type(const char* key, std::string_view expected) {
  return fail(ErrorKind::corrupt, fmt::format("record: `{}` is not {}", key, expected));
}

inline Status get(const Json& object, const char* key, std::string& text) {
  KIST_TRY_ASSIGN(const Json* found, member(object, key));
  if (found == nullptr) return {};
  if (!found->is_string()) return wrong_type(key, "a text");
  text = found->get<std::string>();
  return {};
}

inline Status get(const Json& object, const char* key, Time& time) {
  std::string text;
  KIST_TRY(get(object, key, text));
  if (text.empty()) return {};
  KIST_TRY_ASSIGN(time, parse_rfc3339(text));
  return {};
}

inline Status get(const Json& object, const char* key, Digest& digest) {
  std::string text;
  KIST_TRY(get(object, key, text));
  KIST_TRY_ASSIGN(digest, Digest::parse(text));
  return {};
}

template <std::integral T>
Status get(const Json& object, const char* key, T& number) {
  KIST_TRY_ASSIGN(const Json* found, member(object, key));
  if (found == nullptr) return {};
  if (!found->is_number_integer()) return wrong_type(key, "a whole number");
  const bool fits = found->is_number_unsigned() ? std::in_range<T>(found->get<std::uint64_t>())
                                                : std::in_range<T>(found->get<std::int64_t>());
  if (!fits) return wrong_type(key, "within what it can be");
  number = found->get<T>();
  return {};
}

inline Status get(const Json& object, const char* key, bool& flag) {
  KIST_TRY_ASSIGN(const Json* found, member(object, key));
  if (found == nullptr) return {};
  if (!found->is_boolean()) return wrong_type(key, "true or false");
  flag = found->get<bool>();
  return {};
}

template <typename T>
Status get(const Json& object, const char* key, std::optional<T>& value) {
  KIST_TRY_ASSIGN(const Json* found, member(object, key));
  if (found == nullptr) return {};
  return get(object, key, value.emplace());
}

template <typename T, typename Read>
Status get_all(const Json& object, const char* key, std::vector<T>& items, const Read& read) {
  KIST_TRY_ASSIGN(const Json* found, member(object, key));
  if (found == nullptr) return {};
  if (!found->is_array()) return wrong_type(key, "a list");
  for (const Json& element : *found) {
    KIST_TRY_ASSIGN(T item, read(element));
    items.push_back(std::move(item));
  }
  return {};
}

// A list of objects with `name` and `value`.
inline Status get_pairs(const Json& object, const char* key, Pairs& pairs) {
  return get_all(object, key, pairs, [](const Json& element) -> Result<std::pair<std::string, std::string>> {
    std::pair<std::string, std::string> pair;
    KIST_TRY(get(element, "name", pair.first));
    KIST_TRY(get(element, "value", pair.second));
    return pair;
  });
}

inline Status get_map(const Json& object, const char* key, Pairs& pairs) {
  KIST_TRY_ASSIGN(const Json* map, member(object, key));
  if (map == nullptr) return {};
  if (!map->is_object()) return wrong_type(key, "an object");
  for (const auto& [name, value] : map->items()) {
    if (!value.is_string()) return wrong_type(key, "texts");
    pairs.emplace_back(name, value.get<std::string>());
  }
  return {};
}

inline Result<std::string> text_from_json(const Json& value) {
  if (!value.is_string()) return fail(ErrorKind::corrupt, "record: expected a text");
  return value.get<std::string>();
}

}  // namespace kist::model
