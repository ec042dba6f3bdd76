// Lengths of time as Argo's files write them: Go's durations, and bare seconds.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace kist::expression {

// Go's syntax: "1h2m", "300ms", "-1.5h", "1µs", "0". Errors: invalid, also for what 64 bits of nanoseconds do not hold.
Result<std::chrono::nanoseconds> parse_go_duration(std::string_view text);

// Go's syntax, or a bare number of seconds ("10"), as fields of Argo have it; more seconds than 64 bits of nanoseconds
// hold are as many as they do.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);

// As Go prints it: "1h2m0s", "1.5s", "300ms", "0s".
std::string to_go_duration(std::chrono::nanoseconds duration);

}  // namespace kist::expression
