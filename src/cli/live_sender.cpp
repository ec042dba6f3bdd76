#include "cli/live_sender.hpp"

#include <algorithm>
#include <utility>

namespace kist::cli {

namespace {
constexpr int kPauses = 3;  // times as long as a sending takes
}

LiveSender::LiveSender(std::function<Status()> send, std::function<void(const Error&)> failed,
                       std::chrono::milliseconds interval)
    : send_(std::move(send)),
      failed_(std::move(failed)),
      interval_(interval),
      thread_([this](const std::stop_token& stop) { work(stop); }) {}

LiveSender::~LiveSender() {
  thread_.request_stop();
  thread_.join();
}

void LiveSender::wake() {
  const std::lock_guard lock(mutex_);
  is_new_ = true;
  changed_.notify_all();
}

void LiveSender::work(const std::stop_token& stop) {
  bool has_failed = false;
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return is_new_; }) && !stop.stop_requested()) {
    is_new_ = false;
    lock.unlock();
    const auto begin = std::chrono::steady_clock::now();
    if (const auto sent = send_(); !sent && !std::exchange(has_failed, true)) failed_(sent.error());
    const auto took = std::chrono::steady_clock::now() - begin;
    lock.lock();
    changed_.wait_for(lock, stop, std::max<std::chrono::nanoseconds>(interval_, kPauses * took), [] { return false; });
  }
}

}  // namespace kist::cli
