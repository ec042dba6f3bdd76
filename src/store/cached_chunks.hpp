// Chunks that were read lately, kept in memory: for readers that come back to the same ones, a piece at a time (a
// mount, a server). Thread-safe.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "store/chunks.hpp"

namespace kist::store {

// Values by digest, up to a budget; what was not asked for the longest goes first. What is in use stays alive by its
// pointer. Thread-safe.
template <typename Value>
class RecentValues {
 public:
  explicit RecentValues(std::size_t budget) : budget_(budget) {}

  std::shared_ptr<const Value> find(const Digest& id) {
    std::lock_guard lock(mutex_);
    auto found = places_.find(id);
    if (found == places_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return found->second->value;
  }

  // `cost`: how much of the budget it takes.
  void add(const Digest& id, std::shared_ptr<const Value> value, std::size_t cost) {
    std::lock_guard lock(mutex_);
    if (places_.contains(id)) return;
    order_.push_front({id, std::move(value), cost});
    places_.emplace(id, order_.begin());
    used_ += cost;
    while (used_ > budget_ && order_.size() > 1) {
      used_ -= order_.back().cost;
      places_.erase(order_.back().id);
      order_.pop_back();
    }
  }

 private:
  struct Item {
    Digest id;
    std::shared_ptr<const Value> value;
    std::size_t cost;
  };
  std::size_t budget_;
  std::mutex mutex_;
  std::size_t used_ = 0;
  std::list<Item> order_;
  std::unordered_map<Digest, typename std::list<Item>::iterator> places_;
};

class CachedChunks final : public ChunkSource {
 public:
  // The source must outlive it. `budget`: bytes.
  CachedChunks(ChunkSource& source, std::size_t budget) : source_(source), recent_(budget) {}

  Status read(const Digest& id, Bytes& out) override {
    KIST_TRY_ASSIGN(const auto chunk, get(id));
    out = *chunk;
    return {};
  }

  // Without a copy. Errors: those of the source.
  Result<std::shared_ptr<const Bytes>> get(const Digest& id) {
    if (auto known = recent_.find(id)) return known;
    auto bytes = std::make_shared<Bytes>();
    KIST_TRY(source_.read(id, *bytes));
    std::shared_ptr<const Bytes> chunk = std::move(bytes);
    recent_.add(id, chunk, chunk->size());
    return chunk;
  }

 private:
  ChunkSource& source_;
  RecentValues<Bytes> recent_;
};

}  // namespace kist::store
