#include "store/place.hpp"

#include <fmt/format.h>

namespace kist::store {

Result<PlaceWalk> PlaceWalk::open(const Place& place) {
  KIST_TRY_ASSIGN(auto tree, TreeCursor::open(place.chunks, place.id));
  return PlaceWalk(std::move(tree), place.path);
}

Status PlaceWalk::advance() {
  if (!begun_) {
    begun_ = true;
    KIST_TRY_ASSIGN(entry_, tree_.find(path_));
    return {};
  }
  // Between a directory and what it holds others may lie: "a", "a-b", "a/c".
  if (!inside_ && !path_.empty()) KIST_TRY(tree_.seek(below_));
  inside_ = true;
  KIST_TRY_ASSIGN(entry_, tree_.next());
  if (entry_ != nullptr && !entry_->path.starts_with(below_)) entry_ = nullptr;
  return {};
}

std::string_view PlaceWalk::path() const {
  return std::string_view(entry_->path).substr(inside_ ? below_.size() : path_.size());
}

Status each_entry(const Place& place,
                  const std::function<Result<bool>(std::string_view path, const TreeEntry& entry)>& each) {
  KIST_TRY_ASSIGN(auto walk, PlaceWalk::open(place));
  while (true) {
    KIST_TRY(walk.advance());
    if (walk.entry() == nullptr) return {};
    KIST_TRY_ASSIGN(const bool more, each(walk.path(), *walk.entry()));
    if (!more) return {};
  }
}

Status each_piece(ChunkSource& chunks, const FileContent& content, const std::function<Status(ByteSpan)>& each) {
  Bytes bytes;
  return each_chunk(content, chunks, 0, UINT64_MAX, [&](const ChunkRecord& chunk, std::uint64_t) -> Status {
    auto read = chunks.read(chunk.id, bytes);
    if (!read) {
      // The tree is there, so what it is made of should be.
      Error error = std::move(read).error();
      if (error.kind == ErrorKind::not_found) error.kind = ErrorKind::corrupt;
      return std::unexpected(std::move(error));
    }
    if (bytes.size() != chunk.length) return fail(ErrorKind::corrupt, "a chunk of another length");
    return each(bytes);
  });
}

Result<std::string> read_small(ChunkSource& chunks, const FileContent& content, std::size_t limit) {
  if (content.size > limit)
    return fail(ErrorKind::invalid, fmt::format("a file of {} bytes; {} were expected at most", content.size, limit));
  std::string text;
  text.reserve(static_cast<std::size_t>(content.size));
  KIST_TRY(each_piece(chunks, content, [&](ByteSpan bytes) -> Status {
    text += text_of(bytes);
    return {};
  }));
  return text;
}

}  // namespace kist::store
