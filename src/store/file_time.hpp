// Between the operating system's times and kist's.
#pragma once

#include <algorithm>
#include <ctime>
#include <limits>

#include "base/time.hpp"

namespace kist::store {

// A time outside of what nanoseconds in 64 bits can say (1678 to 2262) becomes the nearest that can be said.
inline Time from_timespec(const timespec& time) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max() / 1'000'000'000 - 1;
  std::int64_t seconds = std::clamp<std::int64_t>(time.tv_sec, -kMost, kMost);
  return Time(std::chrono::seconds(seconds) + std::chrono::nanoseconds(time.tv_nsec));
}

inline timespec to_timespec(Time time) {
  auto since = time.time_since_epoch();
  auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  return {static_cast<time_t>(seconds.count()), static_cast<long>((since - seconds).count())};
}

}  // namespace kist::store
