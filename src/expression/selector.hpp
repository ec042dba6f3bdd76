// Kubernetes' label selectors: requirements on values by key, with commas between them, all of which must hold:
// "tier == front", "tier != back", "tier in (front, back)", "tier notin (back)", "tier", "!tier", "count > 3".
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace kist::expression {

// One requirement. Plain data.
struct Requirement {
  // in and not_in have any number of values; greater and less have one, a whole number.
  enum class Operator { in, not_in, exists, absent, greater, less };
  std::string key;
  Operator op = Operator::exists;
  std::vector<std::string> values;
};

// The value of a key; nullopt: there is none.
using KeyedValue = std::function<std::optional<std::string>(std::string_view key)>;

// An empty text has none. Errors: invalid, with the text and what was expected.
Result<std::vector<Requirement>> parse_selector(std::string_view text);

// As Kubernetes has it: what is not there is not in any list, and neither greater nor less.
bool holds(const Requirement& requirement, const KeyedValue& value);
bool all_hold(const std::vector<Requirement>& requirements, const KeyedValue& value);
bool any_holds(const std::vector<Requirement>& requirements, const KeyedValue& value);

}  // namespace kist::expression
