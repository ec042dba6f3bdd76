// A scope of given values, with a clock that stands still and dice that are not.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "expression/expression.hpp"
#include "expression/text.hpp"

namespace kist::expression {

class Environment : public Scope {
 public:
  // {"inputs.parameters.a": "1", "item": {…}}
  explicit Environment(const Json& values) {
    for (const auto& [name, value] : values.items()) values_[name] = value;
    surroundings_.now = [] { return parse_rfc3339("2026-03-04T05:06:07.089Z").value(); };
    surroundings_.random = [this](std::span<std::byte> bytes) {
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(++dice_ * 37);
    };
  }

  Result<std::optional<std::string>> find(std::string_view name) const override {
    KIST_TRY_ASSIGN(auto found, value(name));
    if (!found) return std::nullopt;
    return found->is_string() ? found->get<std::string>() : to_text(*found);
  }
  Result<std::optional<Json>> value(std::string_view name) const override {
    if (name.starts_with("steps.skipped.")) return fail(ErrorKind::not_found, "the step was skipped");
    if (name.starts_with("steps.nowhere.")) return fail(ErrorKind::invalid, "there is no such step");
    auto found = values_.find(name);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
  }
  std::vector<std::string> names(std::string_view prefix) const override {
    std::vector<std::string> below;
    for (const auto& [name, value] : values_)
      if (prefix.empty() || (name.starts_with(prefix) && name.substr(prefix.size()).starts_with('.')))
        below.push_back(name);
    return below;
  }
  const Surroundings* surroundings() const override { return &surroundings_; }

 private:
  std::map<std::string, Json, std::less<>> values_;
  Surroundings surroundings_;
  mutable int dice_ = 0;
};

// What the expression gives, as JSON text; "error: …" where it fails.
inline std::string value_of(std::string_view source, const Scope& scope) {
  auto expression = Expression::parse(source);
  if (!expression) return "error: " + expression.error().text;
  auto value = evaluate_value(*expression, scope);
  return value ? to_text(*value) : "error: " + value.error().text;
}

struct Example {
  std::string_view expression;
  std::string_view value;  // JSON; '…' for a text
};

}  // namespace kist::expression
