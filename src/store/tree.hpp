// Trees and times objects: what an artifact holds, and when its entries were modified (docs/format.md, "Trees",
// "Times").
//
// A tree is the sorted list of its entries, cut into blocks at places that the paths decide, so that two similar trees
// share most blocks; its root names the blocks with their first paths. A small tree is its root alone. A tree's
// identity is the digest of the root, which is over content only: how blocks are compressed in packs does not matter.
// The times object counts in the same order, and holds what else is kept of entries (extras.hpp).
//
// Invariants, kept by the writer and checked by the reader: paths ascend strictly, bytewise, and are clean (relative,
// no empty, "." or ".." component, no NUL), so that a tree from anywhere can be written to disk below a directory.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/chunk_list.hpp"
#include "store/extras.hpp"
#include "store/store.hpp"

namespace kist::store {

struct TreeEntry {
  std::string path;
  EntryType type = EntryType::file;
  std::uint16_t mode = 0;
  std::string link_target;
  FileContent content;
  Time modified;
  Extra extra;
};

Entry to_entry(const TreeEntry& entry);

// Whether a path may stand in a tree: empty, or components that are neither empty, "." nor "..", without NUL.
bool is_clean_path(std::string_view path);

// Whether `path` is `prefix` or lies below it; everything lies below the empty one.
bool lies_in(std::string_view path, std::string_view prefix);

// The last component of a path, and what it lies in: empty for the top.
std::string_view name_of(std::string_view path);
std::string_view parent_of(std::string_view path);

// Takes entries in order and stores blocks as they fill. Memory: one block, and the root. One use.
class TreeWriter {
 public:
  explicit TreeWriter(Put put) : put_(std::move(put)), extras_(put_) {}
  // Of hard links only Extra::same_as counts, a number in this tree. Errors: unsupported (a path or link target of more
  // than 65,535 bytes, too many entries). Paths out of order are a bug.
  Status add(const TreeEntry& entry);
  // How many there are: the number of the next.
  std::uint64_t entries() const { return entries_; }
  // With a notice where not all hard links could be noted.
  Result<Saved> finish();

 private:
  Status close_block();
  Result<Digest> finish_times(Saved& saved);

  Put put_;
  ExtrasWriter extras_;
  Bytes block_;
  std::uint32_t block_entries_ = 0;
  std::string block_first_;
  Bytes blocks_;  // the root's records
  std::uint32_t block_count_ = 0;
  std::string previous_;
  std::uint64_t entries_ = 0;
  std::uint64_t files_ = 0;
  std::uint64_t bytes_ = 0;
  Bytes times_;
  Bytes time_blocks_;
  std::uint64_t timed_ = 0;
};

// Appends one entry of a block; `previous` is the path before it in the block.
void encode_entry(Bytes& out, const TreeEntry& entry, std::string_view previous);
// Reads the entry after the one that `entry` holds (an empty path and `first` for the block's first). Errors: corrupt.
Status decode_entry(ByteReader& in, TreeEntry& entry, bool first);

// A tree's root, read and checked.
struct TreeRoot {
  struct Block {
    Digest id;
    std::uint32_t length = 0;
    std::uint32_t entries = 0;
    std::uint64_t first_entry = 0;
    std::string first_path;
  };
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::vector<Block> blocks;
  Bytes only_block;  // of a small tree, instead of blocks
};
Result<TreeRoot> parse_tree_root(Bytes bytes);

inline constexpr std::uint64_t kTimesInBlock = 4096;

struct TimesRoot {
  std::uint64_t count = 0;
  std::vector<Digest> blocks;
  Bytes only_block;
  Extras extras;

  // All chunks that the root names.
  std::vector<Digest> parts() const;
};
Result<TimesRoot> parse_times_root(ByteSpan bytes);

// A place in an artifact's list of entries. Reads what it comes by and nothing else. The source must outlive it.
class TreeCursor {
 public:
  // Errors: not_found (no such artifact), corrupt.
  static Result<TreeCursor> open(ChunkSource& source, const ArtifactId& id);

  // Goes before the first entry whose path is not less than this.
  Status seek(std::string_view path);
  // The next entry, valid until the next call; nullptr at the end.
  Result<const TreeEntry*> next();
  // The entry at exactly this path. Errors: not_found.
  Result<const TreeEntry*> find(std::string_view path);
  // next() gives the entry that it gave last once more.
  void again() { repeat_ = true; }
  // Where this and another cursor stand before the same block, goes behind all blocks that follow in both, with both,
  // and reads none of them.
  Status skip_common(TreeCursor& other);

  const ArtifactId& id() const { return id_; }
  std::uint64_t entries() const { return root_->entries; }
  // Of the entry that next() gave last.
  std::uint64_t number() const { return number_ - 1; }

 private:
  Status load(std::size_t block);
  // To before a block, or, by the number behind the last, to the end.
  Status go_to_block(std::size_t block);
  // The block that the next entry begins; none where it is amid one.
  std::optional<std::size_t> block_ahead() const;
  Result<bool> advance();
  Result<Time> time_of(std::uint64_t number);

  ChunkSource* source_ = nullptr;
  ArtifactId id_;
  std::unique_ptr<TreeRoot> root_;
  TimesRoot times_;
  Bytes bytes_;    // of the current block, where it is not the root's
  ByteSpan rest_;  // of the current block
  std::size_t block_ = 0;
  std::uint64_t number_ = 0;  // of the next entry
  std::uint64_t block_end_ = 0;
  bool first_ = true;  // in its block
  TreeEntry entry_;
  bool repeat_ = false;  // seek() went one too far: next() gives this entry again
  Bytes time_bytes_;
  std::optional<std::size_t> time_block_;
  ExtrasReader extras_;
};

}  // namespace kist::store
