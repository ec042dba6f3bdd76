#include "store/reach.hpp"

#include <optional>

namespace kist::store {
namespace {

class Walk {
 public:
  Walk(ChunkSource& source, ReachVisitor& visitor) : source_(source), visitor_(visitor) {}

  Status tree(const Digest& id) {
    return inside(id, Kind::tree, 0, "", [&](Bytes bytes) -> Status {
      auto root = parse_tree_root(std::move(bytes));
      if (!root) return visitor_.broken(id, "", root.error());
      if (root->blocks.empty()) return block(id, root->only_block, root->entries);
      for (const TreeRoot::Block& part : root->blocks)
        KIST_TRY(inside(part.id, Kind::tree_block, 0, part.first_path,
                        [&](const Bytes& read) { return block(part.id, read, part.entries, part.first_path); }));
      return {};
    });
  }

  Status times(const Digest& id) {
    return inside(id, Kind::times, 0, "", [&](const Bytes& bytes) -> Status {
      auto root = parse_times_root(bytes);
      if (!root) return visitor_.broken(id, "", root.error());
      for (const Digest& part : root->parts()) KIST_TRY(visitor_.leaf(part, 0, "", false));
      return {};
    });
  }

 private:
  using Kind = ReachVisitor::Kind;

  template <typename Below>
  Status inside(const Digest& id, Kind kind, unsigned depth, std::string_view path, const Below& below) {
    KIST_TRY_ASSIGN(bool wanted, visitor_.enter(id, kind, depth));
    if (!wanted) return {};
    Bytes bytes;
    if (auto read = source_.read(id, bytes); !read)
      KIST_TRY(visitor_.broken(id, path, read.error()));
    else
      KIST_TRY(below(std::move(bytes)));
    visitor_.leave(id, kind, depth);
    return {};
  }

  Status block(const Digest& id, ByteSpan bytes, std::uint64_t entries, std::string_view first = {}) {
    ByteReader reader(bytes);
    TreeEntry entry;
    for (std::uint64_t i = 0; i < entries; ++i) {
      auto decoded = decode_entry(reader, entry, i == 0);
      if (decoded && i == 0 && entry.path != first)
        decoded = fail(ErrorKind::corrupt, "damaged tree: a block does not begin with its path");
      if (!decoded) return visitor_.broken(id, entry.path, decoded.error());
      visitor_.entry(entry);
      if (entry.type == EntryType::file) KIST_TRY(content(entry));
    }
    if (reader.left() > 0)
      return visitor_.broken(id, entry.path, {ErrorKind::corrupt, "damaged tree: a block holds more than its entries"});
    return {};
  }

  Status content(const TreeEntry& entry) {
    if (entry.content.depth == 0) {
      for (const ChunkRecord& chunk : entry.content.chunks)
        KIST_TRY(visitor_.leaf(chunk.id, chunk.length, entry.path, true));
      return {};
    }
    KIST_TRY_ASSIGN(bool wanted, visitor_.enter(entry.content.root, Kind::list, entry.content.depth));
    if (!wanted) return {};
    Pieces pieces(*this, entry);
    Status stopped;  // by the visitor; otherwise an error is the list's
    auto read = each_chunk(entry.content, pieces, 0, entry.content.size,
                           [&](const ChunkRecord& chunk, std::uint64_t) -> Status {
                             stopped = visitor_.leaf(chunk.id, chunk.length, entry.path, true);
                             return stopped;
                           });
    KIST_TRY(stopped);
    KIST_TRY(pieces.stopped);
    if (!read) KIST_TRY(visitor_.broken(pieces.last, entry.path, read.error()));
    visitor_.leave(entry.content.root, Kind::list, entry.content.depth);
    return {};
  }

  // Tells of the pieces of a list below its root as they are read.
  struct Pieces final : ChunkSource {
    Pieces(Walk& above, const TreeEntry& of) : walk(above), entry(of) {}
    Status read(const Digest& id, Bytes& out) override {
      last = id;
      if (!(id == entry.content.root)) {
        stopped = walk.visitor_.leaf(id, 0, entry.path, false);
        KIST_TRY(stopped);
      }
      return walk.source_.read(id, out);
    }
    Walk& walk;
    const TreeEntry& entry;
    Digest last;
    Status stopped;
  };

  ChunkSource& source_;
  ReachVisitor& visitor_;
};

}  // namespace

Status reach(ChunkSource& source, const ArtifactId& id, ReachVisitor& visitor) {
  Walk walk(source, visitor);
  KIST_TRY(walk.tree(id.tree));
  return walk.times(id.times);
}

}  // namespace kist::store
