// Points in time as kist records and prints them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace kist {

// A point in time, nanoseconds since 1970 UTC. Zero (the default) means none.
using Time = std::chrono::sys_time<std::chrono::nanoseconds>;

Time now();

// "2026-11-21T03:16:28Z" (whole seconds) and "2026-11-21T03:16:28.123456Z".
std::string to_rfc3339(Time time);
std::string to_rfc3339_micros(Time time);
// Reads either, with any zone offset. Errors: invalid.
Result<Time> parse_rfc3339(std::string_view text);

// How long ago, in the words dstack prints: "now", "12 sec ago", "3 mins ago", "yesterday", "2 weeks ago" (dstack.md
// §2.3).
std::string how_long_ago(Time then, Time now);

// "450ms", "3.2s", "2m13s", "1h02m": short and rounded, for people.
std::string to_short_duration(std::chrono::nanoseconds duration);

}  // namespace kist
