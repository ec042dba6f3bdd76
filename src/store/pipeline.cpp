#include "store/pipeline.hpp"

#include <algorithm>
#include <array>

#include "base/sha256_each.hpp"
#include "store/chunker.hpp"
#include "store/segment.hpp"

namespace kist::store {
namespace {
constexpr std::size_t kMostHelpers = 3;
// Pieces that are hashed together and then compressed, while they are near the processor.
constexpr std::size_t kTogether = 64;
constexpr std::size_t kNearBytes = 256 << 10;
}  // namespace

Pipeline::Pipeline(Work work)
    : work_(std::move(work)),
      helpers_(std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kMostHelpers + 1) - 1) {}

Pipeline::~Pipeline() {
  for (std::jthread& thread : threads_) thread.request_stop();
  changed_.notify_all();
  threads_.clear();
}

std::unique_ptr<Batch> Pipeline::fresh() {
  if (free_.empty()) return std::make_unique<Batch>();
  std::unique_ptr<Batch> batch = std::move(free_.back());
  free_.pop_back();
  return batch;
}

void Pipeline::recycle(std::unique_ptr<Batch> batch) {
  batch->used = 0;
  batch->segment.reset();
  batch->pieces.clear();
  batch->frames.clear();
  batch->only_hash = false;
  batch->to_store = false;
  batch->stored = {};
  free_.push_back(std::move(batch));
}

void Pipeline::give(std::unique_ptr<Batch> batch) {
  auto job = std::make_unique<Job>();
  job->batch = std::move(batch);
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
  }
  // One batch is quicker done than a thread is started.
  if (queue_.size() > 1 && threads_.size() < helpers_)
    threads_.emplace_back([this](const std::stop_token& stop) { help(stop); });
  changed_.notify_all();
}

std::unique_ptr<Batch> Pipeline::take() {
  if (queue_.empty()) return nullptr;
  std::unique_lock lock(mutex_);
  while (queue_.front()->state != State::done) {
    if (Job* job = next_job())
      work(*job, lock);
    else
      changed_.wait(lock);
  }
  std::unique_ptr<Batch> batch = std::move(queue_.front()->batch);
  queue_.pop_front();
  return batch;
}

Pipeline::Job* Pipeline::next_job() {
  for (const auto& job : queue_) {
    if (job->state != State::waiting) continue;
    job->state = State::working;
    return job.get();
  }
  return nullptr;
}

void Pipeline::help(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (true) {
    Job* job = nullptr;
    changed_.wait(lock, stop, [&] { return (job = next_job()) != nullptr; });
    if (job == nullptr) return;
    work(*job, lock);
  }
}

void Pipeline::work(Job& job, std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  work(*job.batch);
  lock.lock();
  job.state = State::worked;
  store_in_order(lock);
  changed_.notify_all();
}

// Stores the oldest batches as far as they are worked on. Only one thread does; it finds what others have worked on
// meanwhile.
void Pipeline::store_in_order(std::unique_lock<std::mutex>& lock) {
  if (storing_) return;
  storing_ = true;
  for (Job* job = oldest_not_done(); job != nullptr && job->state == State::worked; job = oldest_not_done()) {
    if (job->batch->to_store) {
      lock.unlock();
      job->batch->stored = work_.store(*job->batch);
      lock.lock();
    }
    job->state = State::done;
    changed_.notify_all();
  }
  storing_ = false;
}

Pipeline::Job* Pipeline::oldest_not_done() {
  const auto found = std::ranges::find_if(queue_, [](const auto& job) { return job->state != State::done; });
  return found == queue_.end() ? nullptr : found->get();
}

void Pipeline::work(Batch& batch) const {
  if (batch.segment) return read_segment(batch, [&](std::span<Piece> pieces) { work(batch, pieces); });
  work(batch, batch.pieces);
}

void Pipeline::work(Batch& batch, std::span<Piece> pieces) const {
  while (!pieces.empty()) {
    std::size_t count = 0;
    for (std::size_t bytes = 0; count < pieces.size() && count < kTogether && bytes < kNearBytes; ++count)
      bytes += pieces[count].length;
    work_on_some(batch, pieces.first(count));
    pieces = pieces.subspan(count);
  }
}

void Pipeline::work_on_some(Batch& batch, std::span<Piece> pieces) const {
  std::array<ByteSpan, kTogether> parts;
  std::array<Digest, kTogether> ids;
  std::size_t count = 0;
  for (const Piece& piece : pieces)
    if (!piece.hole) parts[count++] = batch.chunk(piece);
  sha256_each(std::span(parts).first(count), std::span(ids).first(count));
  count = 0;
  for (Piece& piece : pieces) {
    piece.id = piece.hole ? zero_chunk() : ids[count++];
    piece.known = work_.known(piece.id);
    if (piece.known || piece.hole || batch.only_hash) continue;
    piece.frame_offset = static_cast<std::uint32_t>(batch.frames.size());
    piece.frame_length = static_cast<std::uint32_t>(compress_frame(batch.chunk(piece), work_.codec, batch.frames));
  }
}

}  // namespace kist::store
