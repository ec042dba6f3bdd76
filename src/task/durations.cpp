#include "task/durations.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "expression/duration.hpp"

namespace kist::task {

std::string to_words(std::chrono::seconds duration) {
  auto count = duration.count();
  std::string words = fmt::format("{}s", count % 60);
  if (count >= 60) words = fmt::format("{}m{}", count / 60 % 60, words);
  if (count >= 3600) words = fmt::format("{}h{}", count / 3600, words);
  return words;
}

Result<std::chrono::nanoseconds> duration_of(const expression::Text& text, std::string_view what) {
  constexpr std::chrono::nanoseconds kLongest = std::chrono::hours(24 * 365 * 100);
  auto duration = expression::parse_duration(text.source());
  if (!duration) return with_context(what, duration.error());
  return std::min(*duration, kLongest);
}

}  // namespace kist::task
