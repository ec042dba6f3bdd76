// Writes an artifact to disk as files: restore() to where a user wants it, view() to the cache.
//
// Directories are opened one component at a time and never through a link, new files are made, never opened, so that
// neither a link in the target nor one in the artifact leads a write elsewhere. An existing file is replaced only when
// the new one is complete. Directories get their mode and time at the end, the deepest first; one that was there before
// keeps its own.
//
// Making a file costs the kernel more than reading its bytes, and most of that goes on beside others, in other
// directories at best; so the entries are dealt out to a few threads a directory at a time, in the order in which they
// lie in packs, and large files in parts. A few small files are written by the caller alone.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "store/tree.hpp"

namespace kist::store {

struct WriteOptions {
  bool overwrite = false;
  bool merge = true;
  // Asked first for each file of an artifact, from any thread: makes it in `directory` by a link, and says whether it
  // did. May be empty. Not asked for files that have extended attributes.
  std::function<Result<bool>(const TreeEntry&, int directory, const std::string& name)> link;
  // Entries that are one file become one, as far as they lie in what is written; else files of their own.
  bool hard_links = false;
  std::vector<std::string>* notices = nullptr;  // of RestoreOptions
};

// Writes the entry at `path` and all below it to `target`. The source is asked from any thread. Errors: not_found
// (path), conflict, no_space, corrupt, io.
Status write_tree(TreeCursor& tree, ChunkSource& source, std::string_view path, const std::filesystem::path& target,
                  const WriteOptions& options);

}  // namespace kist::store
