// Moments as values of a scope, which are JSON and have none: expressions see a date, with its methods and differences.
#pragma once

#include <optional>

#include "base/json.hpp"
#include "base/time.hpp"

namespace kist::expression {

Json moment_value(Time time);
// nullopt: the value stands for none.
std::optional<Time> moment_of(const Json& value);

}  // namespace kist::expression
