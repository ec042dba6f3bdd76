// A frame is how the bytes of one chunk lie in a pack: as they are, or compressed where that saves at least a
// sixteenth. A frame as long as its chunk is the chunk; a shorter one is zstd, or LZ4 behind a mark (docs/format.md,
// "Frames").
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "store/bytes.hpp"

namespace kist::store {

inline constexpr std::uint32_t kLargestObject = 256 << 20;  // bytes of one chunk

// LZ4 takes half of zstd's time and stores about twice as much of text. So what is saved here is LZ4, since someone
// waits for it; what is packed again, or goes elsewhere, is zstd. The value is the version of a pack that has such
// frames (container.hpp).
enum class Codec : std::uint8_t { zstd = 1, lz4 = 2 };

// Appends the compressed form of `chunk` to `out` and returns its length; 0, and nothing appended, where it is kept
// raw. Of what LZ4 saves less than a quarter (numbers, base64: no text that repeats itself) a frame of zstd is made.
std::size_t compress_frame(ByteSpan chunk, Codec codec, Bytes& out);

// Whether a frame of a chunk of `length` bytes is of LZ4. Codec::zstd: it is of zstd, or the chunk itself.
Codec codec_of(ByteSpan frame, std::size_t length);

// The chunk of `length` bytes that a frame holds, into `out`. Errors: corrupt.
Status decode_frame(ByteSpan frame, std::size_t length, Bytes& out);

}  // namespace kist::store
