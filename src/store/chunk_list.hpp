// What a file's content is made of: its chunks in order. Up to kInlineChunks stand in the tree's entry; a longer list
// is kept outside, in pieces of up to kPieceRecords records that are chunks like any other, and pieces of pieces above
// them, so that neither writing nor reading a file of any size takes more memory than a piece a level, and a range is
// found without reading the rest (docs/format.md, "Chunk lists").
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "store/chunks.hpp"
#include "store/container.hpp"

namespace kist::store {

inline constexpr std::size_t kInlineChunks = 32;
inline constexpr std::size_t kPieceRecords = 4096;
inline constexpr unsigned kDeepestList = 4;  // 4096^4 chunks

struct FileContent {
  std::uint64_t size = 0;
  std::vector<ChunkRecord> chunks;  // all of them, or none where `depth` says that they are outside
  unsigned depth = 0;               // of the pieces below `root`; 0: the chunks stand here
  Digest root;
  Digest outside_id;  // the file's id where the chunks are outside

  // SHA-256 over the records of all chunks.
  Digest id() const;
};

// Where small immutable bytes are put: stores them if they are missing, and returns their digest.
using Put = std::function<Result<Digest>(ByteSpan)>;

// Takes a file's chunks in order. Reusable after finish() and clear().
class ChunkListWriter {
 public:
  Status add(const ChunkRecord& record, const Put& put);
  Result<FileContent> finish(const Put& put);
  void clear();

 private:
  struct Level {
    Bytes records;
    std::size_t count = 0;
    std::uint64_t bytes = 0;  // of the file below it
  };
  Status add_outside(const ChunkRecord& record, const Put& put);
  Status add_piece(std::size_t level, const Digest& id, std::uint64_t bytes, const Put& put);
  Result<Digest> close(std::size_t level, const Put& put);

  std::uint64_t size_ = 0;
  std::vector<ChunkRecord> inline_;
  std::vector<Level> levels_;  // empty while the list is short
  std::optional<Sha256> hash_;
};

// Calls `each` for every chunk that holds bytes of [offset, offset + length), with the offset of its first byte in the
// file, in order, until it fails. Errors: corrupt, and those of `each`.
using EachChunk = std::function<Status(const ChunkRecord&, std::uint64_t at)>;
Status each_chunk(const FileContent& content, ChunkSource& source, std::uint64_t offset, std::uint64_t length,
                  const EachChunk& each);

}  // namespace kist::store
