// Gzip as a stream in, by ISA-L. libarchive could read it, at a third of the speed and without looking at the checksum.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/result.hpp"

namespace kist::archive {

// Gives the next bytes of a stream, valid until the next call; none at its end.
using Source = std::function<Result<std::span<const std::byte>>()>;

// Gives the content of one gzip file, member after member; what follows the last one is ignored, as gzip does.
// Not thread-safe.
class GzipReader {
 public:
  explicit GzipReader(Source source);
  ~GzipReader();
  GzipReader(GzipReader&&) noexcept;
  GzipReader& operator=(GzipReader&&) noexcept;

  // Errors: invalid (damaged, cut off, wrong checksum), the source's.
  Result<std::span<const std::byte>> next();

  // Taken from the source so far.
  std::uint64_t bytes_in() const { return bytes_in_; }

 private:
  struct State;
  Result<bool> fill();
  Result<bool> begin_member();

  Source source_;
  std::unique_ptr<State> state_;
  std::uint64_t bytes_in_ = 0;
};

bool begins_as_gzip(std::span<const std::byte> bytes);

}  // namespace kist::archive
