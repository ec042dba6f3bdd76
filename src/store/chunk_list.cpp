#include "store/chunk_list.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "store/chunker.hpp"

namespace kist::store {
namespace {

constexpr std::size_t kPieceRecordSize = kDigestSize + 8;

struct ListRange {
  std::uint64_t begin;
  std::uint64_t end;
};

std::unexpected<Error> damaged_list(std::string_view what) {
  return fail(ErrorKind::corrupt, fmt::format("the list of a file's chunks is damaged: {}", what));
}

// Reads the piece `id` that describes the file's bytes [at, at + size).
Status each_below(ChunkSource& source, const Digest& id, unsigned depth, std::uint64_t at, std::uint64_t size,
                  ListRange range, const EachChunk& each) {
  Bytes piece;
  KIST_TRY(source.read(id, piece));
  const std::size_t record_size = depth == 1 ? kChunkRecordSize : kPieceRecordSize;
  if (piece.empty() || piece.size() % record_size != 0 || piece.size() / record_size > kPieceRecords)
    return damaged_list(fmt::format("a piece of {} bytes", piece.size()));
  ByteReader reader(piece);
  const std::uint64_t end = at + size;
  while (reader.left() > 0) {
    ChunkRecord record{reader.digest(), 0};
    std::uint64_t length = depth == 1 ? reader.u32() : reader.u64();
    if (!reader.good() || length == 0 || length > end - at || (depth == 1 && length > kChunkMax))
      return damaged_list("a record does not fit");
    record.length = static_cast<std::uint32_t>(length);
    if (at < range.end && at + length > range.begin) {
      if (depth == 1)
        KIST_TRY(each(record, at));
      else
        KIST_TRY(each_below(source, record.id, depth - 1, at, length, range, each));
    }
    at += length;
  }
  if (at != end) return damaged_list("its sizes do not add up");
  return {};
}

}  // namespace

Digest FileContent::id() const {
  if (depth > 0) return outside_id;
  Bytes records;
  records.reserve(chunks.size() * kChunkRecordSize);
  for (const ChunkRecord& chunk : chunks) write_chunk_record(records, chunk);
  return sha256(records);
}

Status ChunkListWriter::add(const ChunkRecord& record, const Put& put) {
  size_ += record.length;
  if (levels_.empty() && inline_.size() < kInlineChunks) {
    inline_.push_back(record);
    return {};
  }
  if (levels_.empty()) {
    levels_.emplace_back();
    hash_.emplace();
    for (const ChunkRecord& earlier : std::exchange(inline_, {})) KIST_TRY(add_outside(earlier, put));
  }
  return add_outside(record, put);
}

Status ChunkListWriter::add_outside(const ChunkRecord& record, const Put& put) {
  if (levels_[0].count == kPieceRecords) {
    std::uint64_t bytes = levels_[0].bytes;
    KIST_TRY_ASSIGN(auto id, close(0, put));
    KIST_TRY(add_piece(1, id, bytes, put));
  }
  Level& level = levels_[0];
  std::size_t start = level.records.size();
  write_chunk_record(level.records, record);
  hash_->update(ByteSpan(level.records).subspan(start));
  ++level.count;
  level.bytes += record.length;
  return {};
}

Status ChunkListWriter::add_piece(std::size_t number, const Digest& id, std::uint64_t bytes, const Put& put) {
  if (number >= kDeepestList) return fail(ErrorKind::unsupported, "the file has more chunks than kist can list");
  if (number == levels_.size()) levels_.emplace_back();
  if (levels_[number].count == kPieceRecords) {
    std::uint64_t above = levels_[number].bytes;
    KIST_TRY_ASSIGN(auto piece, close(number, put));
    KIST_TRY(add_piece(number + 1, piece, above, put));
  }
  Level& level = levels_[number];
  ByteWriter writer(level.records);
  writer.digest(id);
  writer.u64(bytes);
  ++level.count;
  level.bytes += bytes;
  return {};
}

Result<Digest> ChunkListWriter::close(std::size_t number, const Put& put) {
  auto id = put(levels_[number].records);
  levels_[number] = Level();
  return id;
}

Result<FileContent> ChunkListWriter::finish(const Put& put) {
  FileContent content;
  content.size = size_;
  if (levels_.empty()) {
    content.chunks = std::move(inline_);
  } else {
    // A level is closed while something above it needs its piece; the topmost one is the root.
    for (std::size_t i = 0; i + 1 < levels_.size(); ++i) {
      std::uint64_t bytes = levels_[i].bytes;
      KIST_TRY_ASSIGN(auto id, close(i, put));
      KIST_TRY(add_piece(i + 1, id, bytes, put));
    }
    content.depth = static_cast<unsigned>(levels_.size());
    KIST_TRY_ASSIGN(content.root, close(levels_.size() - 1, put));
    content.outside_id = hash_->finish();
  }
  clear();
  return content;
}

void ChunkListWriter::clear() {
  size_ = 0;
  inline_.clear();
  levels_.clear();
  hash_.reset();
}

Status each_chunk(const FileContent& content, ChunkSource& source, std::uint64_t offset, std::uint64_t length,
                  const EachChunk& each) {
  ListRange range{offset, length > content.size || offset > content.size - length ? content.size : offset + length};
  if (range.begin >= range.end) return {};
  if (content.depth > 0) return each_below(source, content.root, content.depth, 0, content.size, range, each);
  std::uint64_t at = 0;
  for (const ChunkRecord& chunk : content.chunks) {
    if (at < range.end && at + chunk.length > range.begin) KIST_TRY(each(chunk, at));
    at += chunk.length;
  }
  return {};
}

}  // namespace kist::store
