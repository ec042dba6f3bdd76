// Durations as files write them, and as those read them who wait.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "expression/text.hpp"

namespace kist::task {

// "10m0s".
std::string to_words(std::chrono::seconds duration);

// Of a text without references; a hundred years at most: what a file says may be longer than the clock goes on.
// Errors: invalid, with `what` it is.
Result<std::chrono::nanoseconds> duration_of(const expression::Text& text, std::string_view what);

}  // namespace kist::task
