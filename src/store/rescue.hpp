// What is to stay of containers that are to go, stored anew: what is whole in damaged ones (check.hpp), what is needed
// of those that are mostly not (collect.hpp); with zstd, since nobody waits for it. It is published from time to time,
// so memory is bounded whatever they hold.
#pragma once

#include <cstdint>
#include <string>

#include "store/parts.hpp"
#include "store/pending.hpp"

namespace kist::store {

// Not thread-safe. To be used while one holds the store and its index was loaded since; what is to go is condemned, so
// that the store does not count on it.
class Rescue {
 public:
  // `parts` must outlive it.
  explicit Rescue(const StoreParts& parts)
      : parts_(parts), pending_(parts.directory, parts.lease, parts.chunks, Codec::zstd) {}

  // The frames that are copied next lie in this container. Errors: not_found, io.
  Status open(const Container& container);
  // What is done about a frame whose bytes are not what they should be.
  enum class Damage { is_error, is_left_out };
  // Errors: corrupt, no_space, io; what was copied before stays.
  Status copy(const IndexRecord& frame, Damage damage);
  // Publishes the rest. To be called once, at the end.
  Status finish() { return publish(); }

  // Bytes of all that was published.
  std::uint64_t written() const { return written_; }

 private:
  Status publish();

  const StoreParts& parts_;
  Pending pending_;
  Container container_;
  std::string path_;
  FileDescriptor file_;
  Bytes chunk_;
  Bytes frame_;
  std::uint64_t written_ = 0;
};

}  // namespace kist::store
