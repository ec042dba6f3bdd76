#include "location/fields.hpp"

#include <charconv>

#include <fmt/format.h>

namespace kist::location {

std::string Fields::text(std::string_view name) const {
  const model::Text* found = location_.text(name);
  return found == nullptr ? std::string() : found->source();
}

Result<std::string> Fields::required(std::string_view name) const {
  std::string found = text(name);
  if (found.empty()) return fail(ErrorKind::invalid, fmt::format("{}: '{}' is missing", location_.kind, name));
  return found;
}

Result<bool> Fields::flag(std::string_view name) const {
  const std::string found = text(name);
  if (found == "true") return true;
  if (found.empty() || found == "false") return false;
  return fail(ErrorKind::invalid, fmt::format("{}: '{}' is '{}', expected true or false", location_.kind, name, found));
}

Result<std::optional<int>> Fields::number(std::string_view name) const {
  const std::string found = text(name);
  if (found.empty()) return std::nullopt;
  int value = 0;
  const auto [end, error] = std::from_chars(found.data(), found.data() + found.size(), value);
  if (error != std::errc() || end != found.data() + found.size() || value < 0)
    return fail(ErrorKind::invalid,
                fmt::format("{}: '{}' is '{}', expected a whole number", location_.kind, name, found));
  return value;
}

std::vector<std::string> Fields::texts(std::string_view name) const {
  std::vector<std::string> found;
  for (const model::LocationField& field : location_.fields)
    if (const auto* text = std::get_if<model::Text>(&field.value); text != nullptr && field.name == name)
      found.push_back(text->source());
  return found;
}

Result<std::optional<std::string>> Fields::value(const model::LocationField& field) const {
  if (const auto* text = std::get_if<model::Text>(&field.value)) return text->source();
  const auto& reference = std::get<model::SecretReference>(field.value);
  const std::string name = reference.name.source();
  const std::string key = reference.key.source();
  auto found = context_.secret ? context_.secret(name, key)
                               : Result<std::string>(fail(ErrorKind::not_found, fmt::format("no secret '{}'", name)));
  if (found) return std::move(*found);
  if (reference.optional && found.error().kind == ErrorKind::not_found) return std::nullopt;
  // A missing secret must not pass for a missing artifact, which may be optional.
  Error error = std::move(found).error();
  if (error.kind == ErrorKind::not_found) error.kind = ErrorKind::denied;
  return with_context(fmt::format("{}: {} (key '{}' of secret '{}')", location_.kind, field.name, key, name),
                      std::move(error));
}

Result<std::optional<std::string>> Fields::secret(std::string_view name) const {
  for (const model::LocationField& field : location_.fields)
    if (field.name == name) return value(field);
  return std::nullopt;
}

Result<std::vector<std::pair<std::string, std::string>>> Fields::pairs(std::string_view list, std::string_view first,
                                                                       std::string_view second) const {
  std::vector<std::pair<std::string, std::string>> found;
  const std::string first_name = fmt::format("{}.{}", list, first);
  const std::string second_name = fmt::format("{}.{}", list, second);
  for (const model::LocationField& field : location_.fields) {
    if (field.name != first_name && field.name != second_name) continue;
    KIST_TRY_ASSIGN(auto text, value(field));
    if (field.name == first_name) {
      found.emplace_back(text.value_or(""), "");
    } else {
      if (found.empty())
        return fail(ErrorKind::invalid,
                    fmt::format("{}: '{}' comes before any '{}'", location_.kind, second_name, first_name));
      found.back().second = text.value_or("");
    }
  }
  return found;
}

}  // namespace kist::location
