// A place in an artifact (the artifact itself, or what lies at a path in it), and going through what lies there.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "store/chunks.hpp"
#include "store/tree.hpp"

namespace kist::store {

struct Place {
  ChunkSource& chunks;
  ArtifactId id;
  std::string path;
};

// The entries at a place and below it, in the order of their paths. The place's chunks must outlive it.
class PlaceWalk {
 public:
  // Errors: not_found (no such artifact), corrupt.
  static Result<PlaceWalk> open(const Place& place);

  // Goes to the next entry: first to the one at the place itself. Errors: not_found (there is none).
  Status advance();
  // Where it is, valid until advance(); nullptr at the end. Its path is the whole one.
  const TreeEntry* entry() const { return entry_; }
  // The entry's path below the place; empty: the place itself.
  std::string_view path() const;
  // Whether it is below the place already.
  bool is_inside() const { return inside_; }
  TreeCursor& tree() { return tree_; }

 private:
  PlaceWalk(TreeCursor tree, const std::string& path)
      : tree_(std::move(tree)), path_(path), below_(path.empty() ? "" : path + "/") {}

  TreeCursor tree_;
  std::string path_;
  std::string below_;
  bool begun_ = false;
  bool inside_ = false;
  const TreeEntry* entry_ = nullptr;
};

// Calls `each` for what lies at the place and below it, until it returns false.
Status each_entry(const Place& place,
                  const std::function<Result<bool>(std::string_view path, const TreeEntry& entry)>& each);

// A file's bytes, checked, in order, a chunk at a time.
Status each_piece(ChunkSource& chunks, const FileContent& content, const std::function<Status(ByteSpan)>& each);

// A whole small file. Errors: invalid (larger than the limit), corrupt.
Result<std::string> read_small(ChunkSource& chunks, const FileContent& content, std::size_t limit);

}  // namespace kist::store
