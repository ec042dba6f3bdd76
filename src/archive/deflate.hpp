// Deflate and gzip as streams, by ISA-L: several times as fast as zlib at its usual ratio.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/result.hpp"

namespace kist::archive {

// Takes the bytes of an archive in order. Its error ends the writing and comes back from the writer.
using Sink = std::function<Status(std::span<const std::byte>)>;

// How hard to compress, on the scale of gzip and of Argo's `compressionLevel`: 0 stores, 1 is fastest, 9 smallest, -1
// the usual. ISA-L has four levels of its own, which these share.
using Level = int;
inline constexpr Level kUsualLevel = -1;

// One deflate stream after another into a sink. Not thread-safe.
class Deflater {
 public:
  // Errors: invalid (no such level).
  static Result<Deflater> make(Sink sink, Level level);
  ~Deflater();
  Deflater(Deflater&&) noexcept;
  Deflater& operator=(Deflater&&) noexcept;

  Status write(std::span<const std::byte> bytes);
  // Ends the stream. The next write() begins another.
  Status finish();

  // Of the current stream, or of the one that has just ended.
  std::uint32_t crc32() const { return crc_; }
  std::uint64_t bytes_in() const { return bytes_in_; }
  std::uint64_t bytes_out() const { return bytes_out_; }

 private:
  struct State;
  Deflater(Sink sink, std::unique_ptr<State> state);
  Status store(std::span<const std::byte> bytes);
  Status store_block(bool last);
  Status compress(std::span<const std::byte> bytes, bool last);
  Status put(std::span<const std::byte> bytes);
  void begin_if_ended();

  Sink sink_;
  std::unique_ptr<State> state_;
  bool ended_ = false;
  std::uint32_t crc_ = 0;
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
};

// One gzip file, without name and time, so that equal content gives equal bytes.
class GzipWriter {
 public:
  static Result<GzipWriter> make(Sink sink, Level level = kUsualLevel);
  Status write(std::span<const std::byte> bytes);
  Status finish();

 private:
  GzipWriter(Sink sink, Deflater deflater) : sink_(std::move(sink)), deflater_(std::move(deflater)) {}
  Status begin();

  Sink sink_;
  Deflater deflater_;
  bool begun_ = false;
};

std::uint32_t crc32(std::uint32_t so_far, std::span<const std::byte> bytes);

}  // namespace kist::archive
