// The work behind reading: hashing chunks, asking whether they are known, compressing those that are not, and storing
// them. The reader fills batches; batches are worked on by the caller or, when a save is large enough to have several
// under way, by other threads; they are stored, and come back, in the order in which they were given, so that what is
// stored does not depend on which thread was quicker. Memory: a fixed number of batches of 1.25 MiB, and their
// compressed forms.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "base/digest.hpp"
#include "store/bytes.hpp"
#include "store/frame.hpp"

namespace kist::store {

struct ContentUnderWay;  // what a piece is of: file_content.hpp

// One chunk in a batch.
struct Piece {
  std::uint32_t offset = 0;  // in the batch's bytes
  std::uint32_t length = 0;
  ContentUnderWay* owner = nullptr;
  bool hole = false;  // kChunkMax zeros that were never read: no bytes
  // Set by the work:
  Digest id;
  bool known = false;
  std::uint32_t frame_offset = 0;  // in the batch's frames
  std::uint32_t frame_length = 0;  // 0: the frame is the chunk itself
};

// A part of a large file, which whoever works on the batch reads himself (segment.hpp).
struct Segment {
  ContentUnderWay* owner = nullptr;
  int file = -1;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t size = 0;  // of the file
  // Set by the work:
  std::uint64_t first = 0;  // where in the file the first piece begins
  bool failed = false;
  int error = 0;
};

struct Batch {
  static constexpr std::size_t kCapacity = (1 << 20) + (256 << 10);
  static constexpr std::size_t kFull = 1 << 20;
  static constexpr std::size_t kMostPieces = 4096;

  std::unique_ptr<std::byte[]> bytes = std::make_unique_for_overwrite<std::byte[]>(kCapacity);
  std::size_t capacity = kCapacity;
  std::size_t used = 0;
  std::optional<Segment> segment;
  std::vector<Piece> pieces;
  Bytes frames;
  bool only_hash = false;  // the bytes are not needed: their file is to be adopted
  bool to_store = false;   // all of its chunks are to be kept, which the reader need not decide when it comes back
  Status stored;           // set by the work, where it was to be

  std::byte* end() { return bytes.get() + used; }
  std::size_t room() const { return capacity - used; }
  // Makes room for so much in an empty batch.
  void reserve(std::size_t size) {
    if (capacity >= size) return;
    bytes = std::make_unique_for_overwrite<std::byte[]>(size);
    capacity = size;
  }
  ByteSpan chunk(const Piece& piece) const { return {bytes.get() + piece.offset, piece.length}; }
  ByteSpan frame(const Piece& piece) const {
    return piece.frame_length == 0 ? chunk(piece) : ByteSpan(frames).subspan(piece.frame_offset, piece.frame_length);
  }
};

// Used by one thread.
class Pipeline {
 public:
  struct Work {
    std::function<bool(const Digest&)> known;  // called from every thread
    std::function<Status(const Batch&)>
        store;  // for batches that are to be stored: from one thread at a time, in order
    Codec codec = Codec::zstd;
  };
  explicit Pipeline(Work work);
  ~Pipeline();

  std::unique_ptr<Batch> fresh();
  void give(std::unique_ptr<Batch> batch);
  // How many batches are under way, and how many may be.
  std::size_t under_way() const { return queue_.size(); }
  // Enough for helpers to go on while the owner, who waited for one, works on another himself.
  std::size_t limit() const { return helpers_ + 4; }
  // The oldest batch under way, when its work is done; works itself while it waits. nullptr where there is none.
  std::unique_ptr<Batch> take();
  void recycle(std::unique_ptr<Batch> batch);
  // What is done with the pieces of a batch.
  void work(Batch& batch, std::span<Piece> pieces) const;

 private:
  enum class State { waiting, working, worked, done };
  struct Job {
    std::unique_ptr<Batch> batch;
    State state = State::waiting;
  };
  void work(Batch& batch) const;
  void work_on_some(Batch& batch, std::span<Piece> pieces) const;
  void help(const std::stop_token& stop);
  void work(Job& job, std::unique_lock<std::mutex>& lock);
  void store_in_order(std::unique_lock<std::mutex>& lock);
  Job* next_job();
  Job* oldest_not_done();

  Work work_;
  std::size_t helpers_;
  std::vector<std::unique_ptr<Batch>> free_;
  std::deque<std::unique_ptr<Job>> queue_;  // changed by the owner alone, under mutex_
  bool storing_ = false;                    // some thread is, who also stores what is worked on meanwhile
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<std::jthread> threads_;
};

}  // namespace kist::store
