#include "store/container.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace kist::store {
namespace {

constexpr std::string_view kPackPrefix = "pack-";
constexpr std::string_view kAdoptedPrefix = "file-";
constexpr std::string_view kPackMagic = "kistpack";
constexpr std::string_view kTableMagic = "kisttabl";

void write_header(Bytes& out, std::string_view magic, std::uint8_t version) {
  ByteWriter writer(out);
  writer.text(magic);
  writer.u8(version);
  writer.u8(static_cast<std::uint8_t>(Digest::Algorithm::sha256));
  writer.zeros(6);
}

std::string_view magic_of(Container::Kind kind) {
  return kind == Container::Kind::pack ? kPackMagic : kTableMagic;
}

void write_trailer(Bytes& out, std::uint32_t count, ByteSpan checksum, std::string_view magic) {
  ByteWriter writer(out);
  writer.u32(count);
  writer.zeros(4);
  writer.raw(checksum);
  writer.text(magic);
}

void write_pack_record(Bytes& out, const PackRecord& record) {
  ByteWriter writer(out);
  writer.id(record.id);
  writer.u32(record.stored);
  writer.u32(record.length);
}

}  // namespace

struct Checksum::State {
  XXH3_state_t xxh;
};
Checksum::Checksum() : state_(std::make_unique<State>()) {
  XXH3_128bits_reset(&state_->xxh);
}
Checksum::~Checksum() = default;
void Checksum::update(ByteSpan bytes) {
  XXH3_128bits_update(&state_->xxh, bytes.data(), bytes.size());
}
std::array<std::byte, kChecksumSize> Checksum::finish() const {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&state_->xxh));
  std::array<std::byte, kChecksumSize> out;
  static_assert(sizeof canonical == kChecksumSize);
  std::memcpy(out.data(), &canonical, sizeof canonical);
  return out;
}

std::string Container::file() const {
  return fmt::format("{}{}", kind == Kind::pack ? kPackPrefix : kAdoptedPrefix, name.hex());
}

std::optional<Container> Container::from_file(std::string_view file, std::uint64_t size) {
  const bool pack = file.starts_with(kPackPrefix);
  if (!pack && !file.starts_with(kAdoptedPrefix)) return std::nullopt;
  const auto name = Digest::parse(file.substr(pack ? kPackPrefix.size() : kAdoptedPrefix.size()));
  if (!name) return std::nullopt;
  return Container{pack ? Kind::pack : Kind::adopted, *name, size};
}

std::optional<Container> Container::from_path(std::string_view path, std::uint64_t size) {
  if (!path.starts_with(kContainers)) return std::nullopt;
  return from_file(path.substr(kContainers.size()), size);
}

PackRecord read_pack_record(ByteReader& in) {
  PackRecord record;
  record.id = in.id();
  record.stored = in.u32();
  record.length = in.u32();
  return record;
}

void write_chunk_record(Bytes& out, const ChunkRecord& record) {
  ByteWriter writer(out);
  writer.digest(record.id);
  writer.u32(record.length);
}

ChunkRecord read_chunk_record(ByteReader& in) {
  ChunkRecord record;
  record.id = in.digest();
  record.length = in.u32();
  return record;
}

Status check_container_header(ByteSpan header, Container::Kind kind) {
  ByteReader reader(header);
  const std::string_view magic = magic_of(kind);
  if (reader.text(kMagicSize) != magic) return fail(ErrorKind::corrupt, fmt::format("does not begin with '{}'", magic));
  std::uint8_t version = reader.u8();
  const std::uint8_t latest = kind == Container::Kind::pack ? std::to_underlying(Codec::lz4) : kFormatVersion;
  if (version > latest)
    return fail(ErrorKind::unsupported,
                fmt::format("format version {}, this kist reads {}: use the newer one", version, latest));
  if (version < kFormatVersion) return fail(ErrorKind::corrupt, fmt::format("format version {}", version));
  if (reader.u8() != static_cast<std::uint8_t>(Digest::Algorithm::sha256) || !reader.zeros(6))
    return fail(ErrorKind::corrupt, "unknown digest algorithm or flags");
  return {};
}

Result<ContainerTrailer> read_container_trailer(ByteSpan bytes, Container::Kind kind) {
  ByteReader reader(bytes);
  const std::string_view magic = magic_of(kind);
  ContainerTrailer trailer;
  trailer.records = reader.u32();
  const bool zero = reader.zeros(4);
  const ByteSpan checksum = reader.raw(kChecksumSize);
  if (reader.text(kMagicSize) != magic || !zero || !reader.good())
    return fail(ErrorKind::corrupt, fmt::format("does not end with a trailer of '{}': cut off or overwritten", magic));
  std::ranges::copy(checksum, trailer.checksum.begin());
  return trailer;
}

Codec pack_codec(ByteSpan header) {
  return Codec{std::to_integer<std::uint8_t>(header[kMagicSize])};
}

Bytes pack_header(Codec codec) {
  Bytes out;
  write_header(out, kPackMagic, std::to_underlying(codec));
  return out;
}

Bytes pack_footer(const std::vector<PackRecord>& records, Codec codec) {
  Bytes out;
  out.reserve(records.size() * kPackRecordSize + kContainerTrailerSize);
  for (const PackRecord& record : records) write_pack_record(out, record);
  Checksum checksum;
  checksum.update(pack_header(codec));
  checksum.update(out);
  write_trailer(out, static_cast<std::uint32_t>(records.size()), checksum.finish(), kPackMagic);
  return out;
}

Digest pack_name(const std::vector<PackRecord>& records, Codec codec) {
  Bytes table;
  table.reserve(kContainerHeaderSize + records.size() * kPackRecordSize);
  write_header(table, kPackMagic, std::to_underlying(codec));
  for (const PackRecord& record : records) write_pack_record(table, record);
  return sha256(table);
}

Result<std::uint64_t> pack_footer_size(ByteSpan trailer, std::uint64_t file_size) {
  KIST_TRY_ASSIGN(auto parsed, read_container_trailer(trailer, Container::Kind::pack));
  std::uint64_t size = std::uint64_t{parsed.records} * kPackRecordSize + kContainerTrailerSize;
  if (file_size < kContainerHeaderSize || size > file_size - kContainerHeaderSize)
    return fail(ErrorKind::corrupt,
                fmt::format("says it holds {} frames, more than fit into its {} bytes", parsed.records, file_size));
  return size;
}

Result<std::vector<PackRecord>> parse_pack(ByteSpan header, ByteSpan footer, std::uint64_t file_size) {
  KIST_TRY(check_container_header(header, Container::Kind::pack));
  if (footer.size() < kContainerTrailerSize) return fail(ErrorKind::corrupt, "cut off before its trailer");
  KIST_TRY_ASSIGN(auto size, pack_footer_size(footer.last(kContainerTrailerSize), file_size));
  if (size != footer.size()) return fail(ErrorKind::corrupt, "its trailer changed while it was read");
  KIST_TRY_ASSIGN(auto trailer, read_container_trailer(footer.last(kContainerTrailerSize), Container::Kind::pack));
  ByteSpan table = footer.first(footer.size() - kContainerTrailerSize);
  Checksum checksum;
  checksum.update(header);
  checksum.update(table);
  if (checksum.finish() != trailer.checksum) return fail(ErrorKind::corrupt, "the checksum of its table is wrong");

  std::vector<PackRecord> records(trailer.records);
  ByteReader reader(table);
  std::uint64_t end = kContainerHeaderSize;
  for (PackRecord& record : records) {
    record = read_pack_record(reader);
    if (record.stored > record.length || record.length > kLargestObject)
      return fail(ErrorKind::corrupt, fmt::format("impossible frame of {} bytes for {}", record.stored, record.length));
    end += record.stored;
  }
  if (end != file_size - footer.size())
    return fail(ErrorKind::corrupt,
                fmt::format("its frames end at {}, its table begins at {}", end, file_size - footer.size()));
  return records;
}

Bytes adopted_table_header() {
  Bytes out;
  write_header(out, kTableMagic, kFormatVersion);
  return out;
}

Bytes adopted_table_trailer(std::uint32_t records, ByteSpan checksum) {
  Bytes out;
  write_trailer(out, records, checksum, kTableMagic);
  return out;
}

}  // namespace kist::store
