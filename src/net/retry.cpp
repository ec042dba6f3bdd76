#include "net/retry.hpp"

#include <algorithm>
#include <random>
#include <thread>

namespace kist::net {

bool Retry::again(bool known, std::optional<std::chrono::seconds> asked) {
  using std::chrono::milliseconds;
  const auto now = std::chrono::steady_clock::now();
  if (attempts_++ == 0) began_ = now;
  if (!known && attempts_ >= settings_.unreached) return false;
  const auto doubled = settings_.first * (std::int64_t{1} << std::min(attempts_ - 1, 20));
  const milliseconds limit = std::min<milliseconds>(settings_.longest, doubled);
  thread_local std::minstd_rand random(std::random_device{}());
  milliseconds pause(std::uniform_int_distribution<std::int64_t>(limit.count() / 2, limit.count())(random));
  // Whoever asks for more patience than there is gets none; such numbers may be too large to reckon with.
  if (asked && *asked > std::chrono::ceil<std::chrono::seconds>(settings_.total)) return false;
  if (asked) pause = std::max<milliseconds>(pause, *asked);
  if (now + pause > began_ + settings_.total) return false;
  if (!settings_.cancelled) {
    std::this_thread::sleep_for(pause);
    return true;
  }
  for (const auto due = now + pause; std::chrono::steady_clock::now() < due;) {
    if (settings_.cancelled()) return false;
    std::this_thread::sleep_until(std::min(due, std::chrono::steady_clock::now() + milliseconds(100)));
  }
  return !settings_.cancelled();
}

}  // namespace kist::net
