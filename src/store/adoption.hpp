// Taking over a large file as a container of its own chunks, by a link: nothing is written twice, and giving it on is a
// link again. This is the table of such a file while it is written and read; who decides to adopt is the saver.
//
// The file keeps its mode and time: a view may only link an inode that is as the artifact says.
#pragma once

#include <functional>

#include "store/publisher.hpp"

namespace kist::store {

inline constexpr std::uint64_t kAdoptFrom = 4 << 20;  // below this a copy into a pack costs less than two more syncs

// Writes the table as the file is read. Memory: a buffer.
class AdoptionTable {
 public:
  static Result<AdoptionTable> create(const StoreDirectory& directory, Lease& lease);
  Status add(const ChunkRecord& chunk);
  // Completes the table and links the open file into tmp/ beside it; the disk begins with both. `status` is the file's
  // when it was read. nullopt where it cannot be linked (another file system, no links allowed): copy it then.
  Result<std::optional<StagedFile>> stage(const StoreDirectory& directory, Lease& lease, int file,
                                          const struct stat& status);

 private:
  explicit AdoptionTable(TemporaryFile file);
  Status spill();

  TemporaryFile file_;
  Bytes buffer_;
  std::unique_ptr<Checksum> checksum_;
  Sha256 name_;
  std::uint32_t count_ = 0;
};

// Reads the chunks of a table that this process wrote, with their offsets.
Status each_adopted_chunk(const StoreDirectory& directory, const TemporaryFile& table,
                          const std::function<Status(const ChunkRecord&, std::uint64_t at)>& each);

}  // namespace kist::store
