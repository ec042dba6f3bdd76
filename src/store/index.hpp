// An index file: an immutable, sorted table of where chunks lie, read in place (docs/format.md, "Index files"). Several
// stand beside each other, one for each group of commits until they are merged. All of it can be made again from the
// containers, so a damaged one is dropped, never repaired.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "store/container.hpp"
#include "store/directory.hpp"
#include "store/temporary.hpp"

namespace kist::store {

// Rows of a new index file that are gathered in memory: 15 MB, and as much while they are sorted.
inline constexpr std::size_t kIndexRowsAtOnce = 1 << 18;
// What a process maps of index files, all together. What is mapped counts as its memory once it was looked at, and rows
// are looked at everywhere, so of what is beyond that rows are read one by one.
inline constexpr std::uint64_t kMostMapped = 32 << 20;
// Index files below this many rows (200 KiB) are many and short-lived: they are merged when there are this many of
// them. A larger one is merged when what comes together is at least half its size, so that each row is rewritten only
// log2 times.
inline constexpr std::uint32_t kSmallIndex = 4096;
inline constexpr std::size_t kSmallIndexes = 16;

// One row. `container` counts within the index file it stands in.
struct IndexRecord {
  Digest id;
  std::uint32_t container = 0;
  std::uint64_t offset = 0;
  std::uint32_t stored = 0;
  std::uint32_t length = 0;
};

inline constexpr std::uint32_t kNoContainer = UINT32_MAX;

class IndexFile {
 public:
  // Opens FOLDER/NAME: a small one is read and checked against its checksum at once, others are mapped, or, beyond
  // kMostMapped, read where they are asked. Errors: corrupt, not_found, unsupported (a newer kist's).
  static Result<std::shared_ptr<IndexFile>> open(const StoreDirectory& directory, const std::string& name,
                                                 const std::string& folder = "index");
  // From bytes that the result keeps. Checks that every count fits, not the checksum. Errors: corrupt, unsupported.
  static Result<std::shared_ptr<IndexFile>> parse(Bytes bytes, std::string name);
  ~IndexFile();
  IndexFile(const IndexFile&) = delete;
  IndexFile& operator=(const IndexFile&) = delete;

  const std::string& name() const { return name_; }
  std::uint32_t containers() const { return container_count_; }
  std::uint32_t records() const { return record_count_; }
  Container container(std::uint32_t number) const;
  // A record whose container number is out of range (a damaged file) is given as it is: check it. Of one that cannot be
  // read it is kNoContainer. Who wants many one after the other has IndexRows.
  IndexRecord record(std::uint32_t number) const;
  std::optional<IndexRecord> find(const Digest& id) const;
  // The number of its record.
  std::optional<std::uint32_t> position(const Digest& id) const;
  // Reads all of it. Errors: corrupt.
  Status check() const;
  // The checksum it ends with, in hexadecimal digits: the name it should have.
  std::string checksum() const;

  // Whether a container is there with its right size, asked once: what an index says is only believed then.
  bool container_stands(const StoreDirectory& directory, std::uint32_t number) const;
  // From now on a container counts as one that does not stand, for everybody who uses this object.
  void leave_out(std::uint32_t number) const;

 private:
  friend class IndexRows;
  IndexFile() = default;
  // Takes from the file's beginning and end where all the rest is.
  Status lay_out(ByteSpan header, ByteSpan trailer, std::uint64_t size);
  Status lay_out() { return lay_out(bytes_, bytes_, bytes_.size()); }
  bool in_memory() const { return !file_; }
  // The rows from this one on, so many: where they are in memory, or into `buffer`. Empty: they cannot be read.
  ByteSpan rows(std::uint32_t first, std::uint32_t count, Bytes& buffer) const;

  std::string name_;
  Bytes owned_;
  void* mapped_ = nullptr;
  ByteSpan bytes_;       // all of it; of one that is not in memory, what stands before the rows
  FileDescriptor file_;  // of one that is not in memory
  std::uint64_t size_ = 0;
  std::array<std::byte, kChecksumSize> checksum_{};
  unsigned fan_bits_ = 0;
  std::uint32_t container_count_ = 0;
  std::uint32_t record_count_ = 0;
  std::size_t containers_at_ = 0;
  std::size_t fan_at_ = 0;
  std::size_t records_at_ = 0;
  enum class Seen : std::uint8_t { unknown, stands, missing };
  mutable std::unique_ptr<std::atomic<Seen>[]> seen_;
};

// Reads rows one after the other, a page at a time. Not thread-safe.
class IndexRows {
 public:
  explicit IndexRows(std::shared_ptr<const IndexFile> file) : file_(std::move(file)) {}
  // As IndexFile::record().
  IndexRecord operator[](std::uint32_t number);

 private:
  std::shared_ptr<const IndexFile> file_;
  Bytes buffer_;
  ByteSpan page_;
  std::uint32_t first_ = 0;  // of the page
  std::uint32_t count_ = 0;
};

// Rows of one source of a merge, ascending, with their containers. For one thread, and quick where rows are asked for
// in their order.
struct IndexSource {
  std::vector<Container> containers;
  std::uint32_t count = 0;
  std::function<IndexRecord(std::uint32_t)> record;
  std::vector<bool> dropped = {};  // containers that are left out, with their rows; empty: none
  std::vector<bool> avoided = {};  // containers whose rows give way to others of the same id; empty: none
};
IndexSource source_of(std::shared_ptr<const IndexFile> file);
// Of a file in this store's index/: containers that do not stand, or were left out, are avoided.
IndexSource source_of(const StoreDirectory& directory, std::shared_ptr<const IndexFile> file);
// Sorts the rows, and keeps one of each id.
IndexSource source_of(std::vector<Container> containers, std::vector<IndexRecord> records);

// Writes the merge of several sources (of one id in several, the first that is not avoided wins) into a new file and
// returns the name it is to have in index/ once it was synced. Memory: a page, and the fan-out.
Result<std::string> write_index(TemporaryFile& file, std::span<const IndexSource> sources);

}  // namespace kist::store
