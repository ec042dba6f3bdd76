// Where a file is cut into chunks: FastCDC over a gear hash, 16/64/256 KiB, so that an insertion moves only the cuts
// near it and two versions of a file share most chunks. The table, the masks and the sizes are part of the format
// (docs/format.md, "Chunks"): they are the same in every store, so that digests agree everywhere.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "store/bytes.hpp"

namespace kist::store {

inline constexpr std::size_t kSmallFile = 128 << 10;  // a file up to this size is one chunk
inline constexpr std::size_t kChunkMin = 16 << 10;
inline constexpr std::size_t kChunkNormal = 64 << 10;
inline constexpr std::size_t kChunkMax = 256 << 10;

// The 256 random numbers: of the SHA-256 of "kist gear 1" and the index as one byte, the first 8 bytes.
const std::array<std::uint64_t, 256>& gear_table();

// The length of the first chunk of a file's rest. `bytes` must be the whole rest, or at least kChunkMax of it.
std::size_t first_chunk(ByteSpan bytes);

// The gear hash of a whole text, with which a tree's blocks are cut.
std::uint64_t gear_hash(std::string_view text);

// The id of a chunk of kChunkMax zero bytes, as which a hole is kept.
const Digest& zero_chunk();
// Those bytes.
ByteSpan zero_bytes();

}  // namespace kist::store
