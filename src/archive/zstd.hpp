// zstd as a stream out, compressed by several threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "archive/deflate.hpp"

namespace kist::archive {

// One zstd frame, with a checksum, into a sink. Equal content gives equal bytes, however many threads there are. Not
// thread-safe.
class ZstdWriter {
 public:
  // `level`: 1 to 19, or kUsualLevel. Errors: invalid.
  static Result<ZstdWriter> make(Sink sink, Level level = kUsualLevel);
  ~ZstdWriter();
  ZstdWriter(ZstdWriter&&) noexcept;
  ZstdWriter& operator=(ZstdWriter&&) noexcept;

  Status write(std::span<const std::byte> bytes);
  Status finish();

 private:
  struct State;
  ZstdWriter(Sink sink, std::unique_ptr<State> state);
  Status compress(std::span<const std::byte> bytes, bool last);

  Sink sink_;
  std::unique_ptr<State> state_;
};

}  // namespace kist::archive
