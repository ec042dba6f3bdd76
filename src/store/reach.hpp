// What an artifact is made of: a walk over all chunks it needs, those of its tree, its times, its lists of chunks and
// its files. For who has to know what is used (collect.hpp), what is whole (check.hpp), and what it costs (usage.hpp).
#pragma once

#include <cstdint>
#include <string_view>

#include "store/chunks.hpp"
#include "store/tree.hpp"

namespace kist::store {

// Is told of what a walk comes by.
class ReachVisitor {
 public:
  virtual ~ReachVisitor() = default;

  // What a chunk with other chunks below it is read as: the same bytes may stand for several.
  enum class Kind : std::uint8_t { tree, tree_block, times, list };
  // Before such a chunk is read. `depth` is that of a list, else 0. False: what lies below it is known already. An
  // error ends the walk.
  virtual Result<bool> enter(const Digest& id, Kind kind, unsigned depth) = 0;
  // After all below it was visited, or it was found broken: the other end of each enter() that was true.
  virtual void leave(const Digest& /*id*/, Kind /*kind*/, unsigned /*depth*/) {}
  // A chunk with nothing below it, and the path of the entry it is for (empty for what is the whole artifact's).
  // `file`: it holds bytes of a file.
  virtual Status leaf(const Digest& id, std::uint32_t length, std::string_view path, bool file) = 0;
  // Something that cannot be read or is damaged, at a path (or at the path where the unreadable part begins). An error
  // ends the walk; otherwise it goes on beside it.
  virtual Status broken(const Digest& id, std::string_view path, const Error& why) = 0;
  // An entry, before its chunks.
  virtual void entry(const TreeEntry& /*entry*/) {}
};

// Walks one artifact. Memory: a block of its tree and a piece of a list. Errors: those of the visitor.
Status reach(ChunkSource& source, const ArtifactId& id, ReachVisitor& visitor);

}  // namespace kist::store
