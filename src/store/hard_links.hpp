// Which entries of an artifact are one file: found while a directory is saved, taken over while one tree is made out of
// others, and looked up when the artifact is written somewhere.
//
// Memory is bounded: what is beyond that becomes files of their own, with the same content.
#pragma once

#include <map>
#include <optional>
#include <utility>

#include <sys/stat.h>

#include "store/numbered_tree.hpp"
#include "store/tree.hpp"

namespace kist::store {

// A file on disk that has several names.
struct ManyNames {
  dev_t device;
  ino_t inode;
  nlink_t names;
};
// nullopt: it has one, or is no file.
std::optional<ManyNames> many_names(const struct stat& status);

// Keeps account while a directory is saved.
class SeenNames {
 public:
  // The file becomes the entry of this number. Returns that of the entry before it that is the same file.
  std::optional<std::uint64_t> take(const ManyNames& file, std::uint64_t number);

 private:
  struct Seen {
    std::uint64_t last;
    nlink_t left;  // names that were not come by yet
  };
  std::map<std::pair<dev_t, ino_t>, Seen> seen_;
};

// Keeps account while one tree is made out of others.
class MergedLinks {
 public:
  // An entry of the tree `from`, with its number and what is kept of it there; `as` is the number that it gets, none
  // where it is left out. To be called for all entries of a tree, in order. Returns the number of the entry before it
  // that is the same file.
  std::optional<std::uint64_t> take(std::size_t from, std::uint64_t number, const Extra& extra,
                                    std::optional<std::uint64_t> as);

 private:
  // For each file the last of its entries in its tree, and the last that was taken over.
  std::map<std::pair<std::size_t, std::uint64_t>, std::uint64_t> last_;
};

// Finds the entries that others are the same files as. Memory: a few blocks. Not thread-safe.
class LinkedEntries {
 public:
  // The source must outlive it.
  LinkedEntries(ChunkSource& source, const ArtifactId& id);

  // The entry before this one that is the same file, if it lies at `prefix` or below it and has the same content, mode
  // and time, as nobody but the artifact says that it does. nullptr where there is none; else valid until the next
  // call. Errors: corrupt, those of the source.
  Result<const TreeEntry*> before(const TreeEntry& entry, std::string_view prefix);

 private:
  ArtifactId id_;
  CachedChunks chunks_;
  NumberedTree::BlockCache blocks_;
  std::unique_ptr<NumberedTree> tree_;  // opened when it is needed
  NumberedTree::Pin pin_;
};

}  // namespace kist::store
