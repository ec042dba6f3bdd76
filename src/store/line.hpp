// How much a push sends side by side, and in how large packs, found out by how quickly they arrive.
//
// A pack that was under way when the push is killed has to be sent again. So no more is under way than the line carries
// in a few seconds, and on a slow line the packs are small; on a quick one they grow to their full size, so that few
// objects are made of much. It begins as if the line were slow, and each round that arrives quickly doubles it.
//
// Promise: under way are 8 MiB at most, or what the line carries in about four seconds where that is more.
// Thread-safe.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "store/container.hpp"

namespace kist::store {

class Line {
 public:
  static constexpr unsigned kMostAtOnce = 8;                  // packs
  static constexpr std::uint64_t kSmallestPack = 4ULL << 20;  // of one that is cut
  using Duration = std::chrono::steady_clock::duration;

  // A pack's place on the line. `round`: how often the room had changed when it was taken.
  struct Turn {
    std::uint64_t size = 0;
    unsigned round = 0;
  };

  // How large a pack should be that is cut now.
  std::uint64_t pack_size() const {
    std::lock_guard lock(mutex_);
    return size_for(room_);
  }

  // How many bytes may be under way now.
  std::uint64_t room() const {
    std::lock_guard lock(mutex_);
    return room_;
  }

  // Waits until there is room for a pack of this size. One that is larger than all the room goes alone.
  Turn take(std::uint64_t size) {
    std::unique_lock lock(mutex_);
    freed_.wait(lock, [&] { return under_way_ == 0 || under_way_ + size <= room_; });
    under_way_ += size;
    return {.size = size, .round = round_};
  }

  // The pack has arrived, or it will not.
  void give_back(const Turn& turn) {
    std::lock_guard lock(mutex_);
    under_way_ -= turn.size;
    freed_.notify_all();
  }

  // It arrived in this time: what the next ones are measured by. A pack tells of the room that it was sent in, and only
  // the first of a round does: the others were under way when it was still the old one. A small one tells nothing.
  void arrived(const Turn& turn, Duration took) {
    std::lock_guard lock(mutex_);
    if (turn.round != round_ || turn.size < size_for(room_) / 2) return;
    const std::uint64_t before = room_;
    if (took < kQuick) room_ = std::min(room_ * 2, kMostRoom);
    if (took > kSlow) room_ = std::max(room_ / 2, kLeastRoom);
    if (room_ != before) ++round_;
    freed_.notify_all();
  }

 private:
  static constexpr Duration kQuick = std::chrono::milliseconds(1500);
  static constexpr Duration kSlow = std::chrono::seconds(4);
  static constexpr std::uint64_t kLeastRoom = 2 * kSmallestPack;
  static constexpr std::uint64_t kMostRoom = kMostAtOnce * kPackTarget;

  static std::uint64_t size_for(std::uint64_t room) { return std::max(room / kMostAtOnce, kSmallestPack); }

  mutable std::mutex mutex_;
  std::condition_variable freed_;
  std::uint64_t room_ = kLeastRoom;
  std::uint64_t under_way_ = 0;
  unsigned round_ = 0;
};

}  // namespace kist::store
