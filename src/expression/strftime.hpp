// The single letters of a moment, as in {{workflow.creationTimestamp.Y}}.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace kist::expression {

// A field of a moment, in UTC: B (January) b (Jan) m (01) A (Monday) a (Mon) d (02) H (15) I (03) M (04) S (05) Y
// (2006) y (06) p (PM) Z (UTC) z (+0000) L (milliseconds: .000) s (seconds since 1970) RFC3339. nullopt: there is no
// such field.
std::optional<std::string> time_field(Time time, std::string_view name);

// The names of all of them.
const std::vector<std::string>& time_field_names();

}  // namespace kist::expression
