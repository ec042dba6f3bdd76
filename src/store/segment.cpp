#include "store/segment.hpp"

#include <algorithm>
#include <cerrno>

#include "base/system.hpp"
#include "store/chunker.hpp"

namespace kist::store {
namespace {
// Read, scanned and hashed while it is near the processor: memory is what several threads wait for most. What is left
// of it for the next chunk is moved to the front each time, so it holds several.
constexpr std::size_t kReadAtOnce = 1 << 20;
}  // namespace

std::uint64_t segment_end(std::uint64_t begin, std::uint64_t size, bool only_hash) {
  constexpr std::uint64_t kTurns = 8;  // that are left, at least, so that the threads end together
  const std::uint64_t length = only_hash ? std::clamp((size - begin) / kTurns, kSegment, kHashedSegment) : kSegment;
  return std::min(size, begin + length);
}

void read_segment(Batch& batch, const std::function<void(std::span<Piece>)>& some) {
  Segment& segment = *batch.segment;
  const std::uint64_t last = std::min(segment.size, segment.end + kChunkMax);   // no chunk of it goes beyond
  std::uint64_t base = segment.begin - std::min(segment.begin, kSegmentRunUp);  // in the file, of the batch's bytes
  batch.reserve(batch.only_hash ? kReadAtOnce + kChunkMax : static_cast<std::size_t>(last - base));
  std::uint64_t at = base;
  std::size_t told = 0;  // pieces
  const auto tell = [&] {
    if (told < batch.pieces.size()) some(std::span(batch.pieces).subspan(told));
    told = batch.pieces.size();
  };
  while (at < segment.end) {
    auto from = static_cast<std::size_t>(at - base);
    if (batch.only_hash && batch.used - from < kChunkMax) {
      tell();  // and their bytes are not needed any more
      std::memmove(batch.bytes.get(), batch.bytes.get() + from, batch.used - from);
      batch.used -= from;
      base = at;
      from = 0;
    }
    while (batch.used - from < kChunkMax && base + batch.used < last) {
      const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kReadAtOnce, last - base - batch.used));
      ssize_t count = os::pread(segment.file, batch.end(), wanted, static_cast<off_t>(base + batch.used));
      if (count <= 0) {
        segment.error = count < 0 ? errno : 0;
        segment.failed = true;  // with no error: the file has become shorter
        return;
      }
      batch.used += static_cast<std::size_t>(count);
    }
    const std::size_t length = first_chunk({batch.bytes.get() + from, batch.used - from});
    if (at >= segment.begin) {
      Piece& piece = batch.pieces.emplace_back();
      piece.offset = static_cast<std::uint32_t>(from);
      piece.length = static_cast<std::uint32_t>(length);
      if (batch.pieces.size() == 1) segment.first = at;
    }
    at += length;
  }
  tell();
}

}  // namespace kist::store
