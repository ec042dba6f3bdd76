// Makes containers part of the store: durable, in the index, visible to everybody. Transactions that commit at the same
// time are published together and share the cost.
//
// Thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <string>
#include <vector>

#include "store/chunks.hpp"
#include "store/inodes.hpp"
#include "store/temporary.hpp"

namespace kist::store {

// A complete pack, its bytes durable or on their way (Publication::syncing).
struct SealedPack {
  Container container;
  TemporaryFile file;
  std::vector<PackRecord> records;
};

// A file to be adopted: a link to it, and its table.
struct StagedFile {
  Container container;
  TemporaryFile file;
  TemporaryFile table;
  struct stat status{};  // when it was read
};

// What one transaction adds.
struct Publication {
  std::vector<SealedPack> packs;
  std::deque<std::future<Status>> syncing;  // of the last of them
  std::vector<StagedFile> files;
  Bytes frames;  // too few for a pack of their own: those of a group go into one
  std::vector<PackRecord> records;
};

class NewIndex;

class Publisher {
 public:
  // All must outlive it.
  Publisher(const StoreDirectory& directory, Lease& lease, Chunks& chunks, Inodes& inodes)
      : directory_(directory), lease_(lease), chunks_(chunks), inodes_(inodes) {}

  // On return all of it is durable, and so is everything that could be found in the store before the call. Files that
  // found their place are no longer the publication's.
  Status publish(Publication& publication);

 private:
  struct Waiting {
    Publication* publication;
    Status result;
    bool done = false;
  };
  using Group = std::vector<Waiting*>;

  Status publish_group(const Group& group);
  Result<std::optional<SealedPack>> pack_of_loose_frames(const Group& group);
  Status settle_staged(const StagedFile& file) const;
  Status sync_all(const Group& group, std::optional<SealedPack>& loose, NewIndex& index) const;
  Status move_in(StagedFile& file);

  const StoreDirectory& directory_;
  Lease& lease_;
  Chunks& chunks_;
  Inodes& inodes_;

  std::mutex mutex_;
  std::condition_variable changed_;
  Group waiting_;
  bool leading_ = false;
};

}  // namespace kist::store
