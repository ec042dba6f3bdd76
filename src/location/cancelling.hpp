// Whether a transfer is cancelled; and the seconds that it has then to take back what it began elsewhere.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>

namespace kist::location {

// Copies are one. Thread-safe.
class Cancelling {
 public:
  explicit Cancelling(std::function<bool()> cancelled) : cancelled_(std::move(cancelled)) {}

  bool operator()() const {
    if (!cancelled_ || !cancelled_()) return false;
    return std::chrono::steady_clock::now().time_since_epoch().count() >= *until_;
  }
  // From now on nothing is cancelled for a while.
  void take_back() const {
    using Clock = std::chrono::steady_clock;
    *until_ = (Clock::now() + std::chrono::seconds(5)).time_since_epoch().count();
  }

 private:
  std::function<bool()> cancelled_;
  std::shared_ptr<std::atomic<std::chrono::steady_clock::rep>> until_ =
      std::make_shared<std::atomic<std::chrono::steady_clock::rep>>(0);
};

}  // namespace kist::location
