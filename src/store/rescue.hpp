// What is to stay of containers that are to go, stored anew: what is whole in damaged ones (check.hpp), what is needed
// of those that are mostly not (collect.hpp). It is published from time to time, so memory is bounded whatever they
// hold.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "store/parts.hpp"
#include "store/pending.hpp"

namespace kist::store {

// Not thread-safe. To be used while one holds the store and its index was loaded since; what is to go is condemned, so
// that the store does not count on it.
class Rescue {
 public:
  // `parts` must outlive it.
  explicit Rescue(const StoreParts& parts) : parts_(parts), pending_(parts.directory, parts.lease, parts.chunks) {}

  // Copies those of a container's frames that `wanted` says. Errors: corrupt (one of these is not what it should be),
  // not_found (the container), no_space, io; what was copied before stays.
  Status copy(const Container& container, std::span<const IndexRecord> frames,
              const std::function<bool(const IndexRecord&)>& wanted);
  // Publishes the rest. To be called once, at the end.
  Status finish() { return publish(); }

  // Bytes of all that was published.
  std::uint64_t written() const { return written_; }

 private:
  Status publish();

  const StoreParts& parts_;
  Pending pending_;
  std::uint64_t written_ = 0;
};

}  // namespace kist::store
