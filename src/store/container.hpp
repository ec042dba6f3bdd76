// Containers: the files whose bytes hold chunks, and how each says what it holds (docs/format.md, "Packs", "Adopted
// files").
//
// A pack is written by kist: header, frames one after the other, then a table of them and a trailer with the table's
// checksum, so that it needs no other file to be understood. An adopted file is a large file taken over as it is; its
// table lies beside it. The names are digests of what they hold: two processes that store the same produce the same
// file.
//
// Invariant: a table that parses accounts for every byte of its container; nothing in it points outside.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "store/bytes.hpp"
#include "store/frame.hpp"

namespace kist::store {

inline constexpr std::uint8_t kFormatVersion = 1;
inline constexpr std::uint64_t kPackTarget = 64 << 20;
inline constexpr std::string_view kContainers = "containers/";
inline constexpr std::string_view kTableSuffix = ".table";  // of an adopted file's table, after the file's name
inline constexpr std::size_t kContainerHeaderSize = 16;     // of a pack and of an adopted file's table
inline constexpr std::size_t kContainerTrailerSize = 32;
inline constexpr std::size_t kPackRecordSize = kIdSize + 4 + 4;
inline constexpr std::size_t kChunkRecordSize = kDigestSize + 4;

struct Container {
  enum class Kind : std::uint8_t { pack = 1, adopted = 2 };
  Kind kind = Kind::pack;
  Digest name;
  std::uint64_t size = 0;  // of the file

  // The name it has in containers/, and below the store's directory.
  std::string file() const;
  std::string path() const { return std::string(kContainers) + file(); }
  // An adopted file's table.
  std::string table_path() const { return path() + std::string(kTableSuffix); }
  bool operator==(const Container&) const = default;

  // What such a name says, with the size that the file has. nullopt: not a name kist gives, or a table's.
  static std::optional<Container> from_file(std::string_view file, std::uint64_t size);
  static std::optional<Container> from_path(std::string_view path, std::uint64_t size);
};

// One frame of a pack, in the order in which they lie.
struct PackRecord {
  Digest id;
  std::uint32_t stored = 0;
  std::uint32_t length = 0;
};

// One chunk of a file. In a file's chunk list, and in an adopted file's table.
struct ChunkRecord {
  Digest id;
  std::uint32_t length = 0;
  bool operator==(const ChunkRecord&) const = default;
};

PackRecord read_pack_record(ByteReader& in);
void write_chunk_record(Bytes& out, const ChunkRecord& record);
ChunkRecord read_chunk_record(ByteReader& in);

inline constexpr std::size_t kChecksumSize = 16;

// What a pack and an adopted file's table end with, behind their records.
struct ContainerTrailer {
  std::uint32_t records = 0;
  std::array<std::byte, kChecksumSize> checksum{};  // over the header and the records
};
// The first kContainerHeaderSize bytes of a pack or of an adopted file's table. Errors: corrupt, unsupported (a newer
// kist's).
Status check_container_header(ByteSpan header, Container::Kind kind);
// The codec of a container by its first bytes, which were checked: with Codec::zstd none of its frames is of LZ4.
Codec pack_codec(ByteSpan header);
// Their last kContainerTrailerSize bytes. Errors: corrupt.
Result<ContainerTrailer> read_container_trailer(ByteSpan trailer, Container::Kind kind);

// What stands before the frames. Codec::lz4: some of them may be of LZ4.
Bytes pack_header(Codec codec);
// What stands after them: table and trailer.
Bytes pack_footer(const std::vector<PackRecord>& records, Codec codec);
Digest pack_name(const std::vector<PackRecord>& records, Codec codec);

// How many bytes the table and trailer take, by the file's last kContainerTrailerSize bytes. Errors: corrupt.
Result<std::uint64_t> pack_footer_size(ByteSpan trailer, std::uint64_t file_size);
// A pack's table that is in memory; those in the store are read by container_table.hpp. Errors: corrupt, unsupported.
Result<std::vector<PackRecord>> parse_pack(ByteSpan header, ByteSpan footer, std::uint64_t file_size);

Bytes adopted_table_header();
// `checksum` is over the header and the records.
Bytes adopted_table_trailer(std::uint32_t records, ByteSpan checksum);

// The checksum of everything that is no chunk: XXH3-128 in its canonical (big-endian) form. No identity.
class Checksum {
 public:
  Checksum();
  ~Checksum();
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;
  void update(ByteSpan bytes);
  std::array<std::byte, kChecksumSize> finish() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kist::store
