// Artifacts as a directory of files, by inode numbers: what a file system is asked, answered from trees and chunks.
//
// An inode number says where its entry is (which artifact, which number in its tree), so nothing is remembered of what
// was asked for: memory is two caches of fixed size, whatever is mounted and however it is walked. Trees are opened
// when they are first looked into. All bytes are checked against their digests as they are read.
//
// What is shown may be replaced while it is looked at. An inode number is never used for anything else; that of an
// artifact that is gone is not found any more.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "store/cached_chunks.hpp"
#include "store/numbered_tree.hpp"

namespace kist::mount {

using Inode = std::uint64_t;
inline constexpr Inode kRoot = 1;

// An artifact, and where it stands below the root: "model", "fit/model".
struct Shown {
  std::string path;
  store::ArtifactId id;
  std::uint64_t bytes = 0;
};

struct Attributes {
  Inode inode = kRoot;
  store::EntryType type = store::EntryType::directory;
  std::uint32_t mode = 0;
  std::uint64_t size = 0;
  Time modified;
  bool lasting = true;  // false: of a directory between artifacts, in which others may come to be
};

class Files {
 public:
  // Paths that end or begin alike share directories; `made` is the time of those that belong to no artifact. The chunks
  // must outlive it. Errors: invalid (a path that cannot be one of a file).
  static Result<std::unique_ptr<Files>> make(store::ChunkSource& chunks, const std::vector<Shown>& shown, Time made);

  // Shows these from now on. `at`: the time of directories whose entries change. Errors: invalid.
  Status show(const std::vector<Shown>& shown, Time at);
  // Called before a directory between artifacts is looked into: who keeps it fresh calls show() then. To be set before
  // anything is asked; called by several threads.
  void before_looking(std::function<void()> call) { before_looking_ = std::move(call); }
  // Whether what is in a directory may change: it lies between artifacts.
  static bool may_change(Inode directory);

  // Errors of all: not_found (no such inode or name), corrupt, io.
  Result<Attributes> attributes(Inode inode);
  Result<Attributes> lookup(Inode directory, std::string_view name);
  Result<std::string> link_target(Inode inode);

  // Calls `each` for what is in a directory, without "." and "..", until it returns false. `position` is 0 at the
  // beginning, and what `each` was given as `next` to go on behind an entry.
  using EachName = std::function<bool(const std::string& name, const Attributes& attributes, std::uint64_t next)>;
  Status list(Inode directory, std::uint64_t position, const EachName& each);

  // The bytes [offset, offset + length) of a file, as far as it goes, in pieces that stay alive with their owner.
  struct Piece {
    std::shared_ptr<const store::Bytes> owner;
    std::span<const std::byte> bytes;
  };
  Result<std::vector<Piece>> read(Inode file, std::uint64_t offset, std::uint64_t length);

  // Of all artifacts.
  std::uint64_t bytes() const {
    std::shared_lock lock(mutex_);
    return bytes_;
  }

 private:
  // A directory that the paths make, or the top of an artifact, or both.
  struct Node {
    std::map<std::string, std::size_t, std::less<>> children;
    std::optional<std::size_t> artifact;
    Time changed;
  };
  struct Artifact {
    store::ArtifactId id;
    bool shown = true;
    std::unique_ptr<store::NumberedTree> tree = nullptr;  // opened on demand
  };
  // What an inode is: the top of a node, or an entry below the top of an artifact.
  struct Where {
    std::optional<std::size_t> node;
    std::optional<std::size_t> artifact;
    std::uint64_t number = 0;
  };

  explicit Files(store::ChunkSource& chunks);
  std::size_t node_at(std::string_view path, Time at);
  void forget_empty(Time at);
  bool is_in_use(std::size_t node) const;
  void look() const {
    if (before_looking_) before_looking_();
  }
  // A copy: nodes may change meanwhile.
  Result<Node> node(std::size_t number) const;
  Result<Where> where(Inode inode) const;
  Result<store::NumberedTree*> tree(std::size_t artifact);
  Result<Attributes> attributes_of(std::size_t artifact, std::uint64_t number, const store::TreeEntry& entry,
                                   std::optional<std::size_t> node);
  Result<Attributes> attributes_of_node(std::size_t node);
  Result<const store::TreeEntry*> entry(Inode inode, store::NumberedTree::Pin& pin);

  store::CachedChunks chunks_;
  store::NumberedTree::BlockCache blocks_;
  std::function<void()> before_looking_;
  mutable std::shared_mutex mutex_;  // what follows; numbers stay what they are
  std::uint64_t bytes_ = 0;
  std::deque<Node> nodes_;
  std::deque<Artifact> artifacts_;
  std::map<std::pair<std::size_t, store::ArtifactId>, std::size_t> numbers_;  // of artifacts, by their nodes
};

}  // namespace kist::mount
