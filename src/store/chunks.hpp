// All chunks that are in the store: which there are, and their bytes. It stands on the index files and the containers
// they name, and notices by itself when other processes add some.
//
// Nothing in an index is believed unseen: a chunk counts as present only when its container stands with the right size,
// and bytes are given out only when they have the digest they were asked by. Where that fails, another place of the
// same chunk is tried; then the containers' own tables are read again (the index may be the damaged part); only then is
// it an error.
//
// Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "store/condemned.hpp"
#include "store/index.hpp"
#include "store/lease.hpp"

namespace kist::store {

// Where chunks can be read from.
class ChunkSource {
 public:
  virtual ~ChunkSource() = default;
  // The chunk's bytes into `out`, checked. Errors: not_found, corrupt, io.
  virtual Status read(const Digest& id, Bytes& out) = 0;
  // The same of several, each into its place: quicker where they lie beside each other. They are in memory at once.
  virtual Status read_each(std::span<const Digest> ids, std::span<Bytes> out);
};

using IndexSet = std::vector<std::shared_ptr<const IndexFile>>;

class Chunks final : public ChunkSource {
 public:
  // Loads the index; a damaged one is made anew. Both must outlive it.
  static Result<std::unique_ptr<Chunks>> open(const StoreDirectory& directory, Lease& lease);

  Status read(const Digest& id, Bytes& out) override;
  Status read_each(std::span<const Digest> ids, std::span<Bytes> out) override;

  // The index files as they are now. What they say is fixed; asking them needs no lock.
  std::shared_ptr<const IndexSet> index();
  // Whether a chunk is there, by such a set, and not only in containers that were condemned when it was loaded.
  bool contains(const IndexSet& set, const Digest& id) const;
  // Whether the list of condemned containers, as it was loaded last, has this one.
  bool is_condemned(const Container& container);

  // Looks whether other processes changed the index or condemned containers, and loads what is new. Cheap where they
  // did not.
  Status refresh();
  // Loads what is new in any case.
  Status reload();
  // Reads every container's table again, and indexes what no undamaged index file has. Cheap where neither containers
  // nor index files came or went since the last time.
  Status recover();

  // Checks that an open container holds the chunk that a record says. `path` names it in errors.
  Status read_frame(int container, const std::string& path, const IndexRecord& record, Bytes& out) const;

 private:
  Chunks(const StoreDirectory& directory, Lease& lease) : directory_(directory), lease_(lease) {}
  Status load(bool checked);
  Status read_anywhere(const Digest& id, Bytes& out);
  Status read_frames(const Container& container, std::span<const IndexRecord> records, std::span<Bytes> out);
  Result<std::shared_ptr<const FileDescriptor>> open_container(const Container& container);

  const StoreDirectory& directory_;
  Lease& lease_;

  std::mutex loading_;  // one load at a time; never taken inside mutex_
  bool damaged_ = false;
  // The times of containers/ and index/ as of the last recover() that found all there was.
  struct Recovered {
    timespec containers;
    timespec index;
  };
  std::optional<Recovered> recovered_;

  std::mutex mutex_;  // what follows
  std::shared_ptr<const IndexSet> index_ = std::make_shared<IndexSet>();
  timespec loaded_{};
  std::string condemned_text_;
  std::unordered_set<Digest> condemned_;
  bool all_condemned_ = false;  // the list of them is damaged
  std::unordered_map<Digest, std::shared_ptr<const FileDescriptor>> open_;
};

}  // namespace kist::store
