// Sends what a run keeps while it goes on to where it is to be sent, beside the run: one sending at a time, not more
// often than every few seconds nor for more than a part of the time, and only the newest state. One that fails is tried
// again with the next change; that all has arrived is promised only at the run's end, by the sending that finishes it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/result.hpp"

namespace kist::cli {

class LiveSender {
 public:
  static constexpr std::chrono::seconds kInterval{10};

  // `send` sends the state as it is when it is called; `failed` hears of the first error. Both are called from a thread
  // of this object.
  LiveSender(std::function<Status()> send, std::function<void(const Error&)> failed,
             std::chrono::milliseconds interval = kInterval);
  // Waits for a sending under way.
  ~LiveSender();
  LiveSender(const LiveSender&) = delete;
  LiveSender& operator=(const LiveSender&) = delete;

  // There is something new. Thread-safe; returns at once.
  void wake();

 private:
  void work(const std::stop_token& stop);

  const std::function<Status()> send_;
  const std::function<void(const Error&)> failed_;
  const std::chrono::milliseconds interval_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool is_new_ = false;
  std::jthread thread_;  // last: ends before what it uses
};

}  // namespace kist::cli
