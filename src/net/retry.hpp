// When to ask a server again that could not answer: after pauses that double, each shortened at random so that many
// clients do not come back together, or when the server said; until a time is over.
#pragma once

#include <chrono>
#include <functional>
#include <optional>

namespace kist::net {

struct RetrySettings {
  std::chrono::milliseconds first{100};  // the first pause, at most
  std::chrono::milliseconds longest{10'000};
  std::chrono::milliseconds total{60'000};  // no attempt begins later than this after the first failed
  int unreached = 3;                        // attempts for a server that was never reached
  std::function<bool()> cancelled = {};     // true ends a pause, and the attempts; asked ten times a second
};

// The attempts of one request. Not thread-safe.
class Retry {
 public:
  explicit Retry(const RetrySettings& settings) : settings_(settings) {}

  // Waits until the next attempt is due. False, at once, where there shall be none. `asked`: the server's Retry-After.
  // `known`: this server answered before.
  bool again(bool known, std::optional<std::chrono::seconds> asked = std::nullopt);
  // Something moved: counts from the beginning again.
  void progressed() { attempts_ = 0; }

  int attempts() const { return attempts_ + 1; }

 private:
  RetrySettings settings_;
  int attempts_ = 0;  // that failed
  std::chrono::steady_clock::time_point began_{};
};

}  // namespace kist::net
