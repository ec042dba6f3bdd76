// A frame is how the bytes of one chunk lie in a pack: as they are, or as one zstd frame where that saves at least a
// sixteenth. A frame as long as its chunk is the chunk; a shorter one is zstd (docs/format.md, "Frames").
#pragma once

#include "base/result.hpp"
#include "store/bytes.hpp"

namespace kist::store {

// Appends the compressed form of `chunk` to `out` and returns its length; 0, and nothing appended, where it is kept
// raw.
std::size_t compress_frame(ByteSpan chunk, Bytes& out);

// The chunk of `length` bytes that a frame holds, into `out`. Errors: corrupt.
Status decode_frame(ByteSpan frame, std::size_t length, Bytes& out);

}  // namespace kist::store
