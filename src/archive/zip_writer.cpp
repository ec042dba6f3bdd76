// Zip as a stream (PKWARE's APPNOTE, and Info-ZIP's extra fields): local header, data, data descriptor for each file;
// the central directory at the end. Sizes and checksum of a file follow its data, so nothing has to be known or sought
// back to. Such entries must be deflated (a stored one would have no end in a stream), so level 0 writes stored blocks
// of deflate. Links and directories, whose content is known, are stored with their sizes in front.
//
// zip64 is used where it must be and only there: older programs read the rest.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <limits>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>

#include "archive/writer.hpp"
#include "base/utf8.hpp"

namespace kist::archive {
namespace {

constexpr std::uint32_t kMost32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint16_t kMost16 = std::numeric_limits<std::uint16_t>::max();
constexpr std::uint16_t kStored = 0;
constexpr std::uint16_t kDeflated = 8;
constexpr std::uint16_t kFlagDescriptor = 1U << 3;
constexpr std::uint16_t kFlagUtf8 = 1U << 11;
constexpr std::uint16_t kMadeByUnix = 3U << 8;
constexpr std::uint16_t kVersion = 20;
constexpr std::uint16_t kVersionZip64 = 45;

class Bytes {
 public:
  template <typename Unsigned>
  Bytes& number(Unsigned value) {
    for (std::size_t i = 0; i < sizeof value; ++i) bytes_.push_back(static_cast<std::byte>(value >> (8 * i)));
    return *this;
  }
  Bytes& u16(std::uint64_t value) { return number(static_cast<std::uint16_t>(value)); }
  Bytes& u32(std::uint64_t value) { return number(static_cast<std::uint32_t>(value)); }
  Bytes& u64(std::uint64_t value) { return number(value); }
  Bytes& text(std::string_view value) { return add(std::as_bytes(std::span(value))); }
  Bytes& add(std::span<const std::byte> value) {
    bytes_.insert(bytes_.end(), value.begin(), value.end());
    return *this;
  }
  std::span<const std::byte> get() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }

 private:
  std::vector<std::byte> bytes_;
};

// MS-DOS's time and date, in UTC (its own zone is not said), two seconds fine, from 1980 to 2107.
std::pair<std::uint16_t, std::uint16_t> dos_time(std::chrono::sys_seconds time) {
  using namespace std::chrono;
  time = std::clamp(time, sys_seconds(sys_days(1980y / 1 / 1)), sys_seconds(sys_days(2107y / 12 / 31)));
  auto day = floor<days>(time);
  year_month_day date(day);
  hh_mm_ss clock(time - day);
  auto dos_clock = clock.hours().count() << 11 | clock.minutes().count() << 5 | clock.seconds().count() / 2;
  auto dos_date = static_cast<unsigned>(static_cast<int>(date.year()) - 1980) << 9 |
                  static_cast<unsigned>(date.month()) << 5 | static_cast<unsigned>(date.day());
  return {static_cast<std::uint16_t>(dos_clock), static_cast<std::uint16_t>(dos_date)};
}

struct Member {
  std::string name;
  std::uint32_t mode = 0;  // with its type, as in stat
  std::chrono::sys_seconds modified;
  std::uint16_t method = kStored;
  bool descriptor = false;
  bool zip64 = false;  // its descriptor has sizes of 64 bits
  std::uint32_t crc = 0;
  std::uint64_t packed = 0;
  std::uint64_t size = 0;
  std::uint64_t offset = 0;

  std::uint16_t flags() const {
    bool ascii = std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    return static_cast<std::uint16_t>((descriptor ? kFlagDescriptor : 0) | (!ascii && is_utf8(name) ? kFlagUtf8 : 0));
  }
  // Info-ZIP's "UT": the time of modification in seconds of Unix, where 32 bits hold it.
  Bytes time_field() const {
    Bytes field;
    std::int64_t seconds = modified.time_since_epoch().count();
    if (seconds == static_cast<std::int32_t>(seconds))
      field.u16(0x5455).u16(5).number(std::uint8_t{1}).u32(static_cast<std::uint32_t>(seconds));
    return field;
  }
};

class ZipWriter final : public Writer {
 public:
  static Result<std::unique_ptr<Writer>> make(Sink sink, Level level) {
    std::unique_ptr<ZipWriter> writer(new ZipWriter(std::move(sink)));
    auto deflater =
        Deflater::make([self = writer.get()](std::span<const std::byte> bytes) { return self->put(bytes); }, level);
    if (!deflater) return std::unexpected(std::move(deflater).error());
    writer->deflater_ = std::make_unique<Deflater>(std::move(*deflater));
    return writer;
  }

  Status add_directory(const Header& header) override { return add_known(header, header.path + "/", S_IFDIR, {}); }
  Status add_link(const Header& header, std::string_view target) override {
    return add_known(header, header.path, S_IFLNK, target);
  }
  bool has_hard_links() const override { return false; }
  Status add_hard_link(const Header& header, std::string_view) override {
    return fail(ErrorKind::unsupported, fmt::format("cannot pack {}: a zip has no hard links", printable(header.path)));
  }
  Status add_file(const Header& header, std::uint64_t size) override;
  Status write(std::span<const std::byte> bytes) override;
  Status finish() override;

 private:
  explicit ZipWriter(Sink sink) : sink_(std::move(sink)) {}
  Status add_known(const Header& header, std::string name, std::uint32_t type, std::string_view content);
  Status begin(const Header& header, std::string name, std::uint32_t type, Member member);
  Status end_file();
  Status put_local(const Member& member);
  Status put_central(const Member& member);
  Status put(std::span<const std::byte> bytes) {
    offset_ += bytes.size();
    return sink_(bytes);
  }

  Sink sink_;
  std::unique_ptr<Deflater> deflater_;
  std::vector<Member> members_;
  std::uint64_t offset_ = 0;
  std::uint64_t left_ = 0;  // of the open file
  bool file_open_ = false;
};

Status ZipWriter::begin(const Header& header, std::string name, std::uint32_t type, Member member) {
  KIST_TRY(end_file());
  if (name.size() > kMost16)
    return fail(ErrorKind::invalid, fmt::format("cannot pack {}...: a name in a zip has at most {} bytes",
                                                printable(name.substr(0, 100)), kMost16));
  member.name = std::move(name);
  member.mode = type | (header.mode & 07777);
  member.modified = std::chrono::floor<std::chrono::seconds>(header.modified);
  member.offset = offset_;
  members_.push_back(std::move(member));
  return put_local(members_.back());
}

Status ZipWriter::add_known(const Header& header, std::string name, std::uint32_t type, std::string_view content) {
  auto bytes = std::as_bytes(std::span(content));
  Member member;
  member.crc = crc32(0, bytes);
  member.size = member.packed = bytes.size();
  KIST_TRY(begin(header, std::move(name), type, std::move(member)));
  return put(bytes);
}

Status ZipWriter::add_file(const Header& header, std::uint64_t size) {
  if (size == 0) return add_known(header, header.path, S_IFREG, {});
  Member member;
  member.method = kDeflated;
  member.descriptor = true;
  member.size = size;
  // Deflate can grow what it cannot shrink: by less than a thousandth.
  member.zip64 = size + size / 1000 + 1024 >= kMost32;
  KIST_TRY(begin(header, header.path, S_IFREG, std::move(member)));
  left_ = size;
  file_open_ = true;
  return {};
}

Status ZipWriter::write(std::span<const std::byte> bytes) {
  if (bytes.size() > left_)
    return fail(ErrorKind::io, fmt::format("cannot pack {}: it grew beyond {} bytes", printable(members_.back().name),
                                           members_.back().size));
  left_ -= bytes.size();
  return bytes.empty() ? Status() : deflater_->write(bytes);
}

Status ZipWriter::end_file() {
  if (!file_open_) return {};
  Member& member = members_.back();
  if (left_ > 0)
    return fail(ErrorKind::io, fmt::format("cannot pack {}: {} of its {} bytes are missing", printable(member.name),
                                           left_, member.size));
  file_open_ = false;
  KIST_TRY(deflater_->finish());
  member.crc = deflater_->crc32();
  member.packed = deflater_->bytes_out();
  Bytes descriptor;
  descriptor.u32(0x08074b50).u32(member.crc);
  if (member.zip64)
    descriptor.u64(member.packed).u64(member.size);
  else
    descriptor.u32(member.packed).u32(member.size);
  return put(descriptor.get());
}

Status ZipWriter::put_local(const Member& member) {
  Bytes extra = member.time_field();
  // In a header before its data zip64's sizes are unknown too, but the field tells how wide the descriptor's are.
  if (member.zip64) extra.u16(1).u16(16).u64(0).u64(0);
  auto [time, date] = dos_time(member.modified);
  std::uint64_t sizes_unknown = member.zip64 ? kMost32 : 0;
  Bytes header;
  header.u32(0x04034b50)
      .u16(member.zip64 ? kVersionZip64 : kVersion)
      .u16(member.flags())
      .u16(member.method)
      .u16(time)
      .u16(date);
  header.u32(member.descriptor ? 0 : member.crc);
  header.u32(member.descriptor ? sizes_unknown : member.packed).u32(member.descriptor ? sizes_unknown : member.size);
  header.u16(member.name.size()).u16(extra.size()).text(member.name).add(extra.get());
  return put(header.get());
}

Status ZipWriter::put_central(const Member& member) {
  Bytes wide;  // what 32 bits cannot hold, in this order
  if (member.size >= kMost32) wide.u64(member.size);
  if (member.packed >= kMost32) wide.u64(member.packed);
  if (member.offset >= kMost32) wide.u64(member.offset);
  Bytes extra = member.time_field();
  if (wide.size() > 0) extra.u16(1).u16(wide.size()).add(wide.get());
  std::uint16_t version = member.zip64 || wide.size() > 0 ? kVersionZip64 : kVersion;
  constexpr std::uint32_t dos_directory = 0x10;
  std::uint32_t attributes = member.mode << 16 | (S_ISDIR(member.mode) ? dos_directory : 0);
  auto [time, date] = dos_time(member.modified);
  Bytes header;
  header.u32(0x02014b50)
      .u16(kMadeByUnix | version)
      .u16(version)
      .u16(member.flags())
      .u16(member.method)
      .u16(time)
      .u16(date);
  header.u32(member.crc);
  header.u32(std::min<std::uint64_t>(member.packed, kMost32)).u32(std::min<std::uint64_t>(member.size, kMost32));
  header.u16(member.name.size()).u16(extra.size()).u16(0).u16(0).u16(0).u32(attributes);
  header.u32(std::min<std::uint64_t>(member.offset, kMost32)).text(member.name).add(extra.get());
  return put(header.get());
}

Status ZipWriter::finish() {
  KIST_TRY(end_file());
  std::uint64_t start = offset_;
  for (const Member& member : members_) KIST_TRY(put_central(member));
  std::uint64_t size = offset_ - start;
  std::uint64_t count = members_.size();
  Bytes end;
  if (count >= kMost16 || size >= kMost32 || start >= kMost32) {
    end.u32(0x06064b50).u64(44).u16(kMadeByUnix | kVersionZip64).u16(kVersionZip64).u32(0).u32(0);
    end.u64(count).u64(count).u64(size).u64(start);
    end.u32(0x07064b50).u32(0).u64(offset_).u32(1);
  }
  std::uint64_t short_count = std::min<std::uint64_t>(count, kMost16);
  end.u32(0x06054b50).u16(0).u16(0).u16(short_count).u16(short_count);
  end.u32(std::min<std::uint64_t>(size, kMost32)).u32(std::min<std::uint64_t>(start, kMost32)).u16(0);
  return put(end.get());
}

}  // namespace

Result<std::unique_ptr<Writer>> make_zip_writer(Sink sink, Level level) {
  return ZipWriter::make(std::move(sink), level);
}

}  // namespace kist::archive
