// What the engine's thread is to do at a given time.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>

#include "base/time.hpp"

namespace kist::engine {

// A time that much later; what lies beyond the end of time is that end, and never comes. The farthest durations that
// files may write are longer than from now to there.
inline Time after(Time time, std::chrono::nanoseconds duration) {
  std::chrono::nanoseconds::rep count = 0;
  if (!__builtin_add_overflow(time.time_since_epoch().count(), duration.count(), &count))
    return Time(std::chrono::nanoseconds(count));
  return duration.count() > 0 ? Time::max() : Time::min();
}

// Not thread-safe. Timers are not taken back: what was to be done looks whether it still is.
class Timers {
 public:
  void at(Time when, std::function<void()> act) { timers_.emplace(when, std::move(act)); }

  // Does all that is due. What it sets anew for a time that has come is done too.
  void run(Time now) {
    while (!timers_.empty() && timers_.begin()->first <= now) {
      auto due = timers_.extract(timers_.begin());
      due.mapped()();
    }
  }

  // How long to the next one, at most `longest`.
  std::chrono::nanoseconds until_next(Time now, std::chrono::nanoseconds longest) const {
    if (timers_.empty()) return longest;
    return std::clamp<std::chrono::nanoseconds>(timers_.begin()->first - now, std::chrono::nanoseconds(0), longest);
  }

 private:
  std::multimap<Time, std::function<void()>> timers_;
};

}  // namespace kist::engine
