// One large file scanned by several threads, with the cuts that one would find.
//
// The file is divided into segments. Where a chunk ends follows from where it begins, so who starts in the middle of
// the file does not know the cuts; but two scans that have once met at one cut go the same way from there, and mostly
// meet after a few chunks. So a segment's scan starts some way before the segment, looks for its first cut in it, and
// goes on to its first cut in the next one. Its chunks count from where the chain of chunks that came from the file's
// beginning meets them; where it does not, in data of a certain regularity, the chain is followed without them
// (file_content.cpp, stitch()). Which way each chunk was found does not show in what is stored.
#pragma once

#include <functional>
#include <span>

#include "store/pipeline.hpp"

namespace kist::store {

inline constexpr std::uint64_t kSegmentsFrom = 64 << 20;   // files from this size on
inline constexpr std::uint64_t kSegment = 4 << 20;         // what one thread reads at a time
inline constexpr std::uint64_t kHashedSegment = 32 << 20;  // the same where it is not kept: less is read twice
inline constexpr std::uint64_t kSegmentRunUp = 256 << 10;  // read before it, to meet the chain

// Where the segment ends that begins here in a file of this size.
std::uint64_t segment_end(std::uint64_t begin, std::uint64_t size, bool only_hash);

// Reads the batch's segment into it, and calls `some` for its chunks in their order, some at a time. Where the batch is
// only hashed, their bytes are there in this call alone.
void read_segment(Batch& batch, const std::function<void(std::span<Piece>)>& some);

}  // namespace kist::store
