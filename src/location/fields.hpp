// A location's fields as its driver reads them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "location/location.hpp"

namespace kist::location {

class Fields {
 public:
  Fields(const model::Location& location, const Context& context) : location_(location), context_(context) {}

  // Empty where there is none.
  std::string text(std::string_view name) const;
  // Errors: invalid.
  Result<std::string> required(std::string_view name) const;
  // "true" or "false", as YAML and JSON write it; false where there is none. Errors: invalid.
  Result<bool> flag(std::string_view name) const;
  // Errors: invalid (no whole number).
  Result<std::optional<int>> number(std::string_view name) const;
  // All of a name that repeats.
  std::vector<std::string> texts(std::string_view name) const;

  // The value of the secret that a field refers to; nullopt where there is no such field, or an optional secret is
  // missing. A field that was written as a text is its own value. Errors: not_found, and those of the look-up.
  Result<std::optional<std::string>> secret(std::string_view name) const;

  // A list of things with fields of their own ("headers"): the fields come in order, and each that is called
  // `list.first` begins another. Returns (first, second), e.g. (headers.name, headers.value).
  Result<std::vector<std::pair<std::string, std::string>>> pairs(std::string_view list, std::string_view first,
                                                                 std::string_view second) const;

 private:
  Result<std::optional<std::string>> value(const model::LocationField& field) const;

  const model::Location& location_;
  const Context& context_;
};

}  // namespace kist::location
