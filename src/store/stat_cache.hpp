// What files held when they were saved last, by what the kernel says of them, so that an unchanged file is not read
// again. One file for a store, `stat-cache`: a cache, never synced, of a fixed size at most, which may be removed at
// any time.
//
// A file is taken for unchanged if device, inode, size, mtime and ctime are what they were: no program can set ctime.
// Two things are not believed, since content may change behind them without a new ctime:
//   - times of the last two seconds when the file was read: clocks of file systems are coarse;
//   - a file that had dirty pages when it was read: a program that has it mapped goes on writing to such a page unseen
//     until the page is written to disk. Where the kernel cannot say (before 6.5), times of the last minute.
// Only file systems of this machine's disks are believed to keep these rules.
//
// What is found says nothing of whether its chunks are still in the store: who uses it asks.
//
// Used by one thread; any number of processes may use the file at once: a row or list that another has overwritten
// does not have its checksum, and is as if it were not there. Nothing here fails: what cannot be read or written is not
// cached.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include <sys/stat.h>

#include "store/chunk_list.hpp"
#include "store/directory.hpp"

namespace kist::store {

class StatCache {
 public:
  // The directory must outlive it.
  explicit StatCache(const StoreDirectory& directory);

  // Whether anything is known of an inode of this number: if not, there is no need to ask the kernel for more.
  bool may_know(ino_t inode);
  // What a file with this status held.
  std::optional<FileContent> find(const struct stat& status);

  // Whether what is read of an open file after this call may be believed later. `status` is its status now.
  bool may_keep(int file, const struct stat& status);
  // That a file held this, of which may_keep() was said before it was read and which has still the same status.
  void keep(const struct stat& status, const FileContent& content);
  // Writes what was kept.
  void flush();

  struct Row;

 private:
  std::span<const Row> window(ino_t inode);
  bool write_rows(std::vector<Row> rows);

  const StoreDirectory& directory_;
  FileDescriptor file_;
  std::vector<Row> near_;  // read last, from this row of the file on: the next inode's are mostly among them
  std::optional<std::uint64_t> near_from_;
  std::optional<dev_t> device_;  // asked last, and whether its file system is believed
  bool believed_ = false;
  std::vector<Row> rows_;
  Bytes lists_;
};

// As it lies in the file.
struct StatCache::Row {
  enum class Kind : std::uint8_t { none, one_chunk, list };
  std::uint64_t checksum = 0;  // of what follows
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified = 0;  // nanoseconds
  std::int64_t changed = 0;
  Kind kind = Kind::none;
  std::uint8_t zero[7] = {};
  // The chunk's id; or where the list stands (u64), its length (u32), u32 zero, its checksum.
  std::array<std::byte, kIdSize> value{};
};

}  // namespace kist::store
