// A sink that does its work in a thread of its own, while the caller gets the next bytes ready: compressing takes about
// as long as reading what is compressed, so an archive is done in half the time.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "archive/deflate.hpp"
#include "base/result.hpp"

namespace kist::archive {

// To be used by one thread. Memory: 4 MiB. A thread is started only for what is longer than a block (256 KiB).
class Background {
 public:
  explicit Background(Sink sink) : sink_(std::move(sink)) {}
  // What was not finished is dropped.
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Takes the bytes; waits while too many are waiting. Errors: those of the sink for earlier bytes.
  Status write(std::span<const std::byte> bytes);
  // Returns when the sink has taken everything; it is called from no other thread afterwards. Errors: the sink's.
  Status finish();

 private:
  using Block = std::vector<std::byte>;
  Status hand_over();
  void work();

  Sink sink_;
  Block block_;  // being filled
  std::thread thread_;
  std::mutex mutex_;  // what follows
  std::condition_variable changed_;
  std::deque<Block> waiting_;
  std::vector<Block> empty_;  // to be filled again
  bool ended_ = false;        // nothing more comes
  bool dropped_ = false;      // nor is what waits wanted
  std::optional<Error> failure_;
};

}  // namespace kist::archive
