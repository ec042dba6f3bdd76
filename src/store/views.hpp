// The cache of views: artifacts as files on disk, one directory each, views/TREE-TIMES/, with the artifact as `content`
// in it.
//
// Made in tmp/ and renamed when complete, so a view is whole or not there. Its directory is locked: shared by whoever
// uses the view, exclusively by whoever removes it; a holder makes sure after locking that the directory is still the
// one by that name. When two make the same view, the second takes the first's.
//
// Nobody may write to a view, and each process checks that when it takes one up: the inode, size, mode, mtime and ctime
// of all its entries must be those noted when it was made (of a link to an adopted file: those of inodes.hpp), and the
// machine must not have been started anew since, as views are not synced. Otherwise it is thrown away and made again;
// one that somebody else still holds stays beside the new one until it is free.
//
// Together they may take so many bytes on disk; what was not used for the longest time goes first, whenever a process
// makes one, but never one that is held. The mtime of a view's `state` says when it was taken up last.
//
// Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "store/chunks.hpp"
#include "store/inodes.hpp"
#include "store/store.hpp"
#include "store/tree.hpp"

namespace kist::store {

class Views {
 public:
  // All must outlive it.
  Views(const StoreDirectory& directory, Lease& lease, Chunks& chunks, Inodes& inodes,
        std::optional<std::uint64_t> budget = {})
      : directory_(directory), lease_(lease), chunks_(chunks), inodes_(inodes), budget_(budget) {}

  Result<std::unique_ptr<View>> view(const ArtifactId& id);

  // The name of an artifact's view in views/; further ones of the same have a number behind it.
  static std::string name_of(const ArtifactId& id);
  // Removes a view that nobody holds. False where somebody does.
  Result<bool> evict(const std::string& name);

  // Removes views that nobody holds: those that are `unneeded` (may be empty), damaged or of an earlier start of the
  // machine, and the least recently used ones until all together are within the budget (nullopt: any size is). With
  // `dry_run` only counts.
  struct Evicted {
    std::uint64_t views = 0;
    std::uint64_t bytes = 0;  // on disk; links to adopted files take none
  };
  Result<Evicted> evict_unused(const std::function<bool(const ArtifactId&)>& unneeded,
                               std::optional<std::uint64_t> budget, bool dry_run);

 private:
  // What was noted when a view was made: views/NAME/state.
  struct State {
    std::string boot;
    std::string fingerprint;
    std::uint64_t bytes = 0;                             // on disk, without links
    std::vector<std::pair<Digest, std::string>> linked;  // adopted files, by the paths of their links
  };

  Result<FileDescriptor> hold(const std::string& name) const;
  // False where another process was quicker.
  Result<bool> make(const ArtifactId& id, const std::string& name);
  Result<bool> intact(const ArtifactId& id, const std::string& name);
  Result<State> read_state(const std::string& view) const;
  // Sets `bytes` too.
  Result<std::string> fingerprint(TreeCursor& tree, const std::string& view, State& state) const;
  Result<bool> link(const TreeEntry& entry, int directory, const std::string& name);
  Status check_adopted(const Container& container) const;
  Status discard(const std::string& directory);
  bool is_held(const std::string& name) const;
  void used(const std::string& name) const;
  void keep_budget(std::uint64_t made);

  const StoreDirectory& directory_;
  Lease& lease_;
  Chunks& chunks_;
  Inodes& inodes_;
  const std::optional<std::uint64_t> budget_;
  std::mutex mutex_;
  std::optional<std::uint64_t> made_since_;  // bytes of views made here since the budget was looked at
  std::set<std::string> seen_intact_;
};

}  // namespace kist::store
