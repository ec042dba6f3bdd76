// Tar, written by hand: libarchive's writer keeps bytes of its own choice in the headers and needs a locale for names,
// and the format is one block of text per entry. (POSIX.1-2017, pax: "ustar Interchange Format" and "pax Extended
// Header".)
//
// An entry that ustar cannot express is preceded by an entry of type 'x', whose content is lines "LENGTH KEY=VALUE\n".
// Names are bytes: where one that is not UTF-8 goes into such a record, "hdrcharset=BINARY" says so.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

#include <fmt/format.h>

#include "archive/background.hpp"
#include "archive/writer.hpp"
#include "archive/zstd.hpp"
#include "base/utf8.hpp"

namespace kist::archive {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::uint64_t kOctal11 = 077777777777;  // the most that 11 octal digits hold

struct Ustar {
  std::array<char, 100> name;
  std::array<char, 8> mode;
  std::array<char, 8> uid;
  std::array<char, 8> gid;
  std::array<char, 12> size;
  std::array<char, 12> mtime;
  std::array<char, 8> checksum;
  char type;
  std::array<char, 100> link;
  std::array<char, 6> magic;
  std::array<char, 2> version;
  std::array<char, 32> user;
  std::array<char, 32> group;
  std::array<char, 8> device_major;
  std::array<char, 8> device_minor;
  std::array<char, 155> prefix;
  std::array<char, 12> padding;
};
static_assert(sizeof(Ustar) == kBlock);

// As many digits as leave room for the NUL at the end.
template <std::size_t Size>
void put_octal(std::array<char, Size>& field, std::uint64_t value) {
  field[Size - 1] = '\0';
  for (std::size_t i = Size - 1; i-- > 0; value /= 8) field[i] = static_cast<char>('0' + value % 8);
}

// Not NUL-terminated where the text fills the field, as the format has it.
template <std::size_t Size>
void put_text(std::array<char, Size>& field, std::string_view text) {
  text.copy(field.data(), Size);
}

Ustar make_header(char type, std::uint32_t mode, std::uint64_t size, std::uint64_t seconds) {
  Ustar header{};
  put_octal(header.mode, mode & 07777);
  put_octal(header.uid, 0);
  put_octal(header.gid, 0);
  put_octal(header.size, size);
  put_octal(header.mtime, seconds);
  header.type = type;
  put_text(header.magic, "ustar");
  put_text(header.version, "00");
  return header;
}

void put_checksum(Ustar& header) {
  header.checksum.fill(' ');
  std::array<unsigned char, kBlock> bytes{};
  std::memcpy(bytes.data(), &header, kBlock);
  unsigned sum = 0;
  for (unsigned char byte : bytes) sum += byte;
  put_text(header.checksum, fmt::format("{:06o}", sum));
  header.checksum[6] = '\0';
}

// Puts a path into name and prefix, parted at a '/'. False where it does not fit.
bool put_path(Ustar& header, std::string_view path) {
  if (path.size() <= header.name.size()) {
    put_text(header.name, path);
    return true;
  }
  // The name is what follows the '/'; it must not be empty.
  for (std::size_t slash = path.find('/', path.size() - header.name.size() - 1);
       slash != std::string_view::npos && slash <= header.prefix.size() && slash + 1 < path.size();
       slash = path.find('/', slash + 1)) {
    if (slash == 0) continue;
    put_text(header.prefix, path.substr(0, slash));
    put_text(header.name, path.substr(slash + 1));
    return true;
  }
  return false;
}

// "LENGTH KEY=VALUE\n", where the length counts itself.
std::string pax_record(std::string_view key, std::string_view value) {
  std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (length != rest + std::to_string(length).size()) length = rest + std::to_string(length).size();
  return fmt::format("{} {}={}\n", length, key, value);
}

// A key ends at its first '='; those who read such keys take "%3D" for it.
std::string pax_attribute(std::string_view name) {
  std::string key = "SCHILY.xattr.";
  for (char character : name) {
    if (character == '=')
      key += "%3D";
    else if (character == '%')
      key += "%25";
    else
      key += character;
  }
  return key;
}

// Seconds with their fraction, without zeros at its end.
std::string pax_time(Time time) {
  std::int64_t nanoseconds = time.time_since_epoch().count();
  std::string sign = nanoseconds < 0 ? "-" : "";
  std::uint64_t size =
      nanoseconds < 0 ? 0 - static_cast<std::uint64_t>(nanoseconds) : static_cast<std::uint64_t>(nanoseconds);
  std::string text = fmt::format("{}{}.{:09}", sign, size / 1'000'000'000, size % 1'000'000'000);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

class TarWriter final : public Writer {
 public:
  explicit TarWriter(Sink sink) : sink_(std::move(sink)) {}

  Status add_directory(const Header& header) override { return begin('5', header, header.path + "/", "", 0); }
  Status add_link(const Header& header, std::string_view target) override {
    return begin('2', header, header.path, target, 0);
  }
  bool has_hard_links() const override { return true; }
  Status add_hard_link(const Header& header, std::string_view target) override {
    return begin('1', header, header.path, target, 0);
  }
  Status add_file(const Header& header, std::uint64_t size) override {
    return begin('0', header, header.path, "", size);
  }
  Status write(std::span<const std::byte> bytes) override;
  Status finish() override;

 private:
  Status begin(char type, const Header& header, const std::string& path, std::string_view target, std::uint64_t size);
  Status end_entry();
  Status put_extended(std::string_view records);
  Status put_block(Ustar header);
  Status pad(std::uint64_t size);

  Sink sink_;
  std::string path_;        // of the entry that is being written
  std::uint64_t size_ = 0;  // its size
  std::uint64_t left_ = 0;  // what is missing of it
};

Status TarWriter::begin(char type, const Header& header, const std::string& path, std::string_view target,
                        std::uint64_t size) {
  KIST_TRY(end_entry());
  auto seconds = std::chrono::floor<std::chrono::seconds>(header.modified);
  bool ustar_time = seconds == header.modified && seconds.time_since_epoch().count() >= 0;
  Ustar block = make_header(type, header.mode, size <= kOctal11 ? size : 0,
                            std::clamp<std::int64_t>(seconds.time_since_epoch().count(), 0, kOctal11));
  std::string names;
  if (!put_path(block, path)) {
    names += pax_record("path", path);
    put_text(block.name, path);  // cut off, for programs that know no PAX
  }
  put_text(block.link, target);
  if (target.size() > block.link.size()) names += pax_record("linkpath", target);
  std::string records;
  if (!is_utf8(names)) records += pax_record("hdrcharset", "BINARY");
  if (!ustar_time) records += pax_record("mtime", pax_time(header.modified));
  records += names;
  for (const auto& [name, value] : header.attributes) records += pax_record(pax_attribute(name), value);
  if (size > kOctal11) records += pax_record("size", std::to_string(size));
  if (!records.empty()) KIST_TRY(put_extended(records));
  path_ = header.path;
  size_ = left_ = size;
  return put_block(block);
}

Status TarWriter::write(std::span<const std::byte> bytes) {
  if (bytes.size() > left_)
    return fail(ErrorKind::io, fmt::format("cannot pack {}: it grew beyond {} bytes", printable(path_), size_));
  left_ -= bytes.size();
  return sink_(bytes);
}

Status TarWriter::end_entry() {
  if (left_ > 0)
    return fail(ErrorKind::io,
                fmt::format("cannot pack {}: {} of its {} bytes are missing", printable(path_), left_, size_));
  std::uint64_t size = std::exchange(size_, 0);
  return pad(size);
}

Status TarWriter::finish() {
  KIST_TRY(end_entry());
  std::array<std::byte, 2 * kBlock> end{};
  return sink_(end);
}

Status TarWriter::put_extended(std::string_view records) {
  Ustar header = make_header('x', 0644, records.size(), 0);
  put_text(header.name, "././@PaxHeader");
  KIST_TRY(put_block(header));
  KIST_TRY(sink_(std::as_bytes(std::span(records))));
  return pad(records.size());
}

Status TarWriter::put_block(Ustar header) {
  put_checksum(header);
  return sink_(std::as_bytes(std::span(&header, 1)));
}

Status TarWriter::pad(std::uint64_t size) {
  constexpr std::array<std::byte, kBlock> zeros{};
  if (size % kBlock == 0) return {};
  return sink_(std::span(zeros).first(kBlock - size % kBlock));
}

// A tar inside what compresses it, in a thread of its own.
template <typename Compressor>
class CompressedTarWriter final : public Writer {
 public:
  explicit CompressedTarWriter(Compressor compressor)
      : compressor_(std::move(compressor)),
        background_([this](std::span<const std::byte> bytes) { return compressor_.write(bytes); }),
        tar_([this](std::span<const std::byte> bytes) { return background_.write(bytes); }) {}

  Status add_directory(const Header& header) override { return tar_.add_directory(header); }
  Status add_link(const Header& header, std::string_view target) override { return tar_.add_link(header, target); }
  bool has_hard_links() const override { return true; }
  Status add_hard_link(const Header& header, std::string_view target) override {
    return tar_.add_hard_link(header, target);
  }
  Status add_file(const Header& header, std::uint64_t size) override { return tar_.add_file(header, size); }
  Status write(std::span<const std::byte> bytes) override { return tar_.write(bytes); }
  Status finish() override {
    KIST_TRY(tar_.finish());
    KIST_TRY(background_.finish());
    return compressor_.finish();
  }

 private:
  Compressor compressor_;
  Background background_;
  TarWriter tar_;
};

}  // namespace

std::unique_ptr<Writer> make_tar_writer(Sink sink) {
  return std::make_unique<TarWriter>(std::move(sink));
}

Result<std::unique_ptr<Writer>> make_tar_gzip_writer(Sink sink, Level level) {
  KIST_TRY_ASSIGN(GzipWriter gzip, GzipWriter::make(std::move(sink), level));
  return std::make_unique<CompressedTarWriter<GzipWriter>>(std::move(gzip));
}

Result<std::unique_ptr<Writer>> make_tar_zstd_writer(Sink sink, Level level) {
  KIST_TRY_ASSIGN(ZstdWriter zstd, ZstdWriter::make(std::move(sink), level));
  return std::make_unique<CompressedTarWriter<ZstdWriter>>(std::move(zstd));
}

}  // namespace kist::archive
