// Chunks that are to be moved, and where they lie in containers: on their way to a remote (push.cpp) or from one
// (pull.cpp).
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "store/index.hpp"

namespace kist::store {

struct ChunkPlace {
  std::uint32_t container = 0;  // which: ChunkPlaces::container()
  std::uint32_t stored = 0;
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
  Digest id;
};

// Not thread-safe.
class ChunkPlaces {
 public:
  // `record` with any container number.
  void add(const Container& container, const IndexRecord& record) {
    auto [at, added] =
        numbers_.try_emplace({container.kind, container.name}, static_cast<std::uint32_t>(containers_.size()));
    if (added) containers_.push_back(container);
    all_.push_back({at->second, record.stored, record.offset, record.length, record.id});
  }

  std::size_t size() const { return all_.size(); }
  bool empty() const { return all_.empty(); }
  const ChunkPlace& operator[](std::size_t number) const { return all_[number]; }
  const Container& container(const ChunkPlace& place) const { return containers_[place.container]; }
  void clear() {
    all_.clear();
    containers_.clear();
    numbers_.clear();
  }

  // Into the order in which containers are read from their beginning to their end; what is there twice goes.
  void sort() {
    auto position = [](const ChunkPlace& place) { return std::pair(place.container, place.offset); };
    std::ranges::sort(all_, {}, position);
    auto repeated = std::ranges::unique(all_, {}, position);
    all_.erase(repeated.begin(), repeated.end());
  }
  // The end of the places that lie in one container with the one at `begin`, and their bytes as they are stored.
  std::pair<std::size_t, std::uint64_t> of_one_container(std::size_t begin) const {
    std::size_t end = begin;
    std::uint64_t bytes = 0;
    for (; end < all_.size() && all_[end].container == all_[begin].container; ++end) bytes += all_[end].stored;
    return {end, bytes};
  }
  // Moves those of which `first` holds before the others, and returns how many they are.
  template <typename Predicate>
  std::size_t partition(const Predicate& first) {
    auto others = std::ranges::stable_partition(all_, first);
    return static_cast<std::size_t>(others.begin() - all_.begin());
  }

 private:
  std::vector<ChunkPlace> all_;
  std::vector<Container> containers_;
  std::map<std::pair<Container::Kind, Digest>, std::uint32_t> numbers_;
};

}  // namespace kist::store
