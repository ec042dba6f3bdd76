#include "archive/background.hpp"

#include <algorithm>

namespace kist::archive {
namespace {

constexpr std::size_t kBlockSize = 256 << 10;
constexpr std::size_t kMostWaiting = 14;

}  // namespace

Background::~Background() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    ended_ = dropped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Status Background::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (block_.capacity() == 0) block_.reserve(kBlockSize);
    const std::size_t count = std::min(bytes.size(), kBlockSize - block_.size());
    block_.insert(block_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
    bytes = bytes.subspan(count);
    if (block_.size() == kBlockSize) KIST_TRY(hand_over());
  }
  return {};
}

Status Background::hand_over() {
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_.size() < kMostWaiting || failure_; });
    if (failure_) return std::unexpected(*failure_);
    waiting_.push_back(std::move(block_));
    if (empty_.empty()) {
      block_ = {};
    } else {
      block_ = std::move(empty_.back());
      empty_.pop_back();
    }
  }
  changed_.notify_all();
  block_.clear();
  return {};
}

Status Background::finish() {
  if (!thread_.joinable()) {
    const Block rest = std::move(block_);
    return rest.empty() ? Status() : sink_(rest);
  }
  if (!block_.empty()) KIST_TRY(hand_over());
  {
    std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
  if (failure_) return std::unexpected(*failure_);
  return {};
}

void Background::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return !waiting_.empty() || ended_; });
    if (waiting_.empty() || dropped_) return;
    Block block = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    auto taken = sink_(block);
    lock.lock();
    if (!taken) {
      failure_ = std::move(taken).error();
      waiting_.clear();
    }
    empty_.push_back(std::move(block));
    changed_.notify_all();
    if (failure_) return;
  }
}

}  // namespace kist::archive
