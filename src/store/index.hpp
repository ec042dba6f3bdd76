// An index file: an immutable, sorted table of where chunks lie, read in place (docs/format.md, "Index files"). Several
// stand beside each other, one for each group of commits until they are merged. All of it can be made again from the
// containers, so a damaged one is dropped, never repaired.
#pragma once

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

// Rows of a new index file that are gathered in memory: 30 MB.
inline constexpr std::size_t kIndexRowsAtOnce = 1 << 19;
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

class IndexFile {
 public:
  // Maps (a small one: reads) FOLDER/NAME. Small ones are checked against their checksum at once. Errors: corrupt,
  // not_found, unsupported (a newer kist's).
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
  // A record whose container number is out of range (a damaged file) is given as it is: check it.
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
  IndexFile() = default;
  Status lay_out();
  const std::byte* record_at(std::uint32_t number) const;

  std::string name_;
  Bytes owned_;
  void* mapped_ = nullptr;
  ByteSpan bytes_;
  unsigned fan_bits_ = 0;
  std::uint32_t container_count_ = 0;
  std::uint32_t record_count_ = 0;
  std::size_t containers_at_ = 0;
  std::size_t fan_at_ = 0;
  std::size_t records_at_ = 0;
  enum class Seen : std::uint8_t { unknown, stands, missing };
  mutable std::unique_ptr<std::atomic<Seen>[]> seen_;
};

// Rows of one source of a merge, ascending, with their containers.
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
