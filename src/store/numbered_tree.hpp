// A tree whose entries are reached in any order, by their number in it or by their path: what a mount or a server
// needs, where TreeCursor goes from one entry to the next. Blocks are decoded when they are first needed and kept in a
// cache that many trees may share, so that memory does not grow with the tree. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "store/cached_chunks.hpp"
#include "store/tree.hpp"

namespace kist::store {

class NumberedTree {
 public:
  // The entries of a block, without their times and what else is kept of them.
  using Block = std::vector<TreeEntry>;
  using BlockCache = RecentValues<Block>;

  // Both must outlive it. Errors: not_found (no such artifact), corrupt.
  static Result<std::unique_ptr<NumberedTree>> open(CachedChunks& chunks, BlockCache& blocks, const ArtifactId& id);

  std::uint64_t size() const { return root_.entries; }
  // Of all files.
  std::uint64_t bytes() const { return root_.bytes; }

  // Keeps a block, for going through neighbours; and what it points to alive. One for each thread.
  class Pin {
   private:
    friend class NumberedTree;
    std::shared_ptr<const Block> block_;
    std::size_t number_ = 0;
  };
  // The entry of a number below size(), counted in the order of paths; alive as long as the pin is not used again.
  Result<const TreeEntry*> at(std::uint64_t number, Pin& pin);
  Result<Time> modified(std::uint64_t number);
  // The number of the first entry whose path is not less; size() where there is none.
  Result<std::uint64_t> lower_bound(std::string_view path, Pin& pin);
  // The number of the entry at a path; none where there is none.
  Result<std::optional<std::uint64_t>> find(std::string_view path, Pin& pin);

 private:
  NumberedTree(CachedChunks& chunks, BlockCache& blocks, const ArtifactId& id)
      : chunks_(chunks), cache_(blocks), id_(id) {}
  Status load(std::size_t block, Pin& pin);
  Status read_block(std::size_t number, const Digest& id, Pin& pin);

  CachedChunks& chunks_;
  BlockCache& cache_;
  ArtifactId id_;
  TreeRoot root_;
  TimesRoot times_;
};

}  // namespace kist::store
