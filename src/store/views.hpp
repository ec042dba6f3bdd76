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
// Thread-safe.
#pragma once

#include <memory>
#include <mutex>
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
  Views(const StoreDirectory& directory, Lease& lease, Chunks& chunks, Inodes& inodes)
      : directory_(directory), lease_(lease), chunks_(chunks), inodes_(inodes) {}

  Result<std::unique_ptr<View>> view(const ArtifactId& id);

  // The name of an artifact's view in views/; further ones of the same have a number behind it.
  static std::string name_of(const ArtifactId& id);
  // Removes a view that nobody holds. False where somebody does.
  Result<bool> evict(const std::string& name);

 private:
  // What was noted when a view was made: views/NAME/state.
  struct State {
    std::string boot;
    std::string fingerprint;
    std::vector<std::pair<Digest, std::string>> linked;  // adopted files, by the paths of their links
  };

  Result<FileDescriptor> hold(const std::string& name) const;
  // False where another process was quicker.
  Result<bool> make(const ArtifactId& id, const std::string& name);
  Result<bool> intact(const ArtifactId& id, const std::string& name);
  Result<State> read_state(const std::string& view) const;
  Result<std::string> fingerprint(TreeCursor& tree, const std::string& view, const State& state) const;
  Result<bool> link(const TreeEntry& entry, int directory, const std::string& name);
  Status check_adopted(const Container& container) const;
  Status discard(const std::string& directory);

  const StoreDirectory& directory_;
  Lease& lease_;
  Chunks& chunks_;
  Inodes& inodes_;
  std::mutex mutex_;
  std::set<std::string> seen_intact_;
};

}  // namespace kist::store
