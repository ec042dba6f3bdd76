// libarchive reads the formats; what it says an entry is called is walked and made by ConfinedDirectory. libarchive's
// own writer to disk is not used: its guards against links are a walk of checks, not of descriptors, and its limits are
// none.
#include "archive/unpack.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <clocale>
#include <memory>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/confined.hpp"
#include "archive/gunzip.hpp"
#include "base/file.hpp"
#include "base/utf8.hpp"

namespace kist::archive {
namespace {

constexpr std::size_t kMostNotices = 100;
constexpr std::size_t kReadSize = 256 * 1024;
constexpr std::uint64_t kRatioMattersFrom = 1ULL << 30;

struct Closer {
  void operator()(::archive* reader) const { archive_read_free(reader); }
};
using Reader = std::unique_ptr<::archive, Closer>;

// libarchive converts names by the thread's locale; in this one a name's bytes stay what they are.
class Utf8Locale {
 public:
  Utf8Locale() : own_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)), before_(::uselocale(own_)) {}
  ~Utf8Locale() {
    ::uselocale(before_);
    if (own_ != nullptr) ::freelocale(own_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  locale_t own_;
  locale_t before_;
};

// Where an archive's bytes come from.
class Input {
 public:
  explicit Input(FileDescriptor file) : file_(std::move(file)), buffer_(kReadSize) {}
  explicit Input(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool is_gzip() const {
    std::array<std::byte, 2> beginning{};
    if (!file_) return begins_as_gzip(bytes_);
    // What cannot be read from a place (a pipe) is left to libarchive.
    return ::pread(file_.get(), beginning.data(), beginning.size(), 0) == 2 && begins_as_gzip(beginning);
  }

  int open(::archive* reader) {
    return file_ ? archive_read_open_fd(reader, file_.get(), kReadSize)
                 : archive_read_open_memory(reader, bytes_.data(), bytes_.size());
  }
  int open_gzip(::archive* reader) {
    gzip_.emplace([this] { return next(); });
    return archive_read_open(reader, this, nullptr, &read_gzip, nullptr);
  }

  // Reads what follows the archive's end: only there is the checksum of all of it.
  Status check_end() {
    while (gzip_) {
      KIST_TRY_ASSIGN(auto rest, gzip_->next());
      if (rest.empty()) break;
    }
    return {};
  }

  // A zip's directory is its end, with at most 64 KiB of a comment behind. libarchive reads one that is cut off as far
  // as it goes, and says nothing.
  bool ends_as_zip() const {
    constexpr std::size_t most = 22 + 65535;
    constexpr std::string_view end = "PK\5\6";
    std::string tail;
    if (file_) {
      struct stat status{};
      if (::fstat(file_.get(), &status) != 0 || !S_ISREG(status.st_mode)) return true;
      tail.resize(std::min<std::size_t>(most, static_cast<std::size_t>(status.st_size)));
      const ssize_t count =
          ::pread(file_.get(), tail.data(), tail.size(), status.st_size - static_cast<off_t>(tail.size()));
      if (count != static_cast<ssize_t>(tail.size())) return true;
    } else {
      const auto bytes = bytes_.last(std::min(most, bytes_.size()));
      tail.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    return tail.contains(end);
  }

  std::uint64_t bytes_read(::archive* reader) const {
    return gzip_ ? gzip_->bytes_in()
                 : static_cast<std::uint64_t>(std::max<la_int64_t>(archive_filter_bytes(reader, -1), 0));
  }

 private:
  Result<std::span<const std::byte>> next() {
    if (!file_) return std::exchange(bytes_, {});
    while (true) {
      ssize_t count = ::read(file_.get(), buffer_.data(), buffer_.size());
      if (count >= 0) return std::span<const std::byte>(buffer_).first(static_cast<std::size_t>(count));
      if (errno != EINTR) return fail_errno("cannot read it");
    }
  }
  static la_ssize_t read_gzip(::archive* reader, void* self, const void** bytes) {
    auto next = static_cast<Input*>(self)->gzip_->next();
    if (!next) {
      archive_set_error(reader, EINVAL, "%s", next.error().text.c_str());
      return ARCHIVE_FATAL;
    }
    *bytes = next->data();
    return static_cast<la_ssize_t>(next->size());
  }

  FileDescriptor file_;
  std::vector<std::byte> buffer_;
  std::span<const std::byte> bytes_;
  std::optional<GzipReader> gzip_;
};

Reader make_reader(Format format) {
  Reader reader(archive_read_new());
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_zstd(reader.get());
  archive_read_support_filter_xz(reader.get());
  archive_read_support_filter_bzip2(reader.get());
  archive_read_support_filter_lz4(reader.get());
  if (format != Format::zip) archive_read_support_format_tar(reader.get());
  if (format != Format::tar) archive_read_support_format_zip(reader.get());
  return reader;
}

std::unexpected<Error> damaged(::archive* reader) {
  const char* reason = archive_error_string(reader);
  return fail(ErrorKind::invalid, fmt::format("cannot be unpacked: {}", reason == nullptr ? "damaged" : reason));
}

class Unpacker {
 public:
  Unpacker(::archive* reader, Input& input, std::string_view name, ConfinedDirectory directory,
           const UnpackOptions& options)
      : reader_(reader), input_(input), name_(name), directory_(std::move(directory)), options_(options) {}

  Result<Unpacked> run();

 private:
  Status read_all();
  Status add(archive_entry* entry);
  Status add_file(const Parts& parts, const std::string& path, ConfinedDirectory::Attributes attributes);
  Status charge(std::uint64_t bytes);
  void notice(std::string_view path, std::string_view what);

  ::archive* reader_;
  Input& input_;
  std::string_view name_;
  ConfinedDirectory directory_;
  const UnpackOptions& options_;
  Unpacked result_;
  std::size_t more_notices_ = 0;
  bool several_tops_ = false;
};

void Unpacker::notice(std::string_view path, std::string_view what) {
  if (result_.notices.size() < kMostNotices)
    result_.notices.push_back(fmt::format("{}: {}", printable(path), what));
  else
    ++more_notices_;
}

Result<Unpacked> Unpacker::run() {
  if (Status unpacked = read_all(); !unpacked) return with_context(name_, std::move(unpacked).error());
  if (more_notices_ > 0) result_.notices.push_back(fmt::format("and {} more", more_notices_));
  result_.link_out_of_top = result_.top ? directory_.link_out_of_top() : std::nullopt;
  return std::move(result_);
}

Status Unpacker::read_all() {
  while (true) {
    archive_entry* entry = nullptr;
    int status = archive_read_next_header(reader_, &entry);
    if (status == ARCHIVE_EOF) break;
    if (status == ARCHIVE_RETRY) continue;
    if (status < ARCHIVE_WARN) return damaged(reader_);
    if (++result_.entries > options_.most_entries)
      return fail(ErrorKind::invalid, fmt::format("has more than {} entries", options_.most_entries));
    KIST_TRY(add(entry));
  }
  const bool is_zip = (archive_format(reader_) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_ZIP;
  if (is_zip && archive_filter_code(reader_, 0) == ARCHIVE_FILTER_NONE && !input_.ends_as_zip())
    return fail(ErrorKind::invalid, "cannot be unpacked: cut off in the middle: the zip has no end");
  if (Status ended = input_.check_end(); !ended) return with_context("cannot be unpacked", std::move(ended).error());
  return directory_.finish();
}

Status Unpacker::add(archive_entry* entry) {
  const char* given = archive_entry_pathname(entry);
  if (given == nullptr) return fail(ErrorKind::invalid, "illegal file path: a name that cannot be read");
  std::string path = given;
  KIST_TRY_ASSIGN(Parts parts, take_apart(path));
  if (archive_entry_is_encrypted(entry) != 0)
    return fail(ErrorKind::invalid, fmt::format("{} is encrypted", printable(path)));

  ConfinedDirectory::Attributes attributes{archive_entry_perm(entry) & 07777U, {}};
  if (archive_entry_mtime_is_set(entry) != 0) {
    // Beyond what 64 bits of nanoseconds hold (the years 1678 to 2261) there is no time.
    constexpr std::int64_t most_seconds = 9'000'000'000;
    if (std::int64_t seconds = archive_entry_mtime(entry); std::abs(seconds) < most_seconds)
      attributes.modified =
          Time(std::chrono::seconds(seconds) + std::chrono::nanoseconds(archive_entry_mtime_nsec(entry)));
  }

  auto type = archive_entry_filetype(entry);
  const char* hard_link = archive_entry_hardlink(entry);
  if (hard_link != nullptr) {
    auto existing = take_apart(hard_link);
    if (!existing) return std::unexpected(std::move(existing).error());
    KIST_TRY_ASSIGN(bool made, directory_.add_hard_link(parts, *existing));
    if (!made) {
      notice(path, fmt::format("left out: a hard link to {}, which is no file in this archive", printable(hard_link)));
      return {};
    }
  } else if (type == AE_IFDIR) {
    KIST_TRY(directory_.add_directory(parts, attributes));
  } else if (type == AE_IFLNK) {
    const char* target = archive_entry_symlink(entry);
    KIST_TRY(directory_.add_link(parts, target == nullptr ? "" : target, attributes.modified));
  } else if (type == AE_IFREG) {
    KIST_TRY(add_file(parts, path, attributes));
  } else {
    notice(path, "left out: a device, socket or pipe");
    return {};
  }

  if (!parts.empty()) {
    several_tops_ = several_tops_ || (result_.top && *result_.top != parts.front());
    result_.top = several_tops_ ? std::nullopt : std::optional(parts.front());
  }
  return {};
}

Status Unpacker::add_file(const Parts& parts, const std::string& path, ConfinedDirectory::Attributes attributes) {
  KIST_TRY_ASSIGN(FileDescriptor file, directory_.add_file(parts));
  std::uint64_t size = 0;
  while (true) {
    const void* block = nullptr;
    std::size_t length = 0;
    la_int64_t offset = 0;
    int status = archive_read_data_block(reader_, &block, &length, &offset);
    if (status == ARCHIVE_RETRY) continue;
    // A block's offset passes over what is sparse, also at the very end.
    std::uint64_t end = static_cast<std::uint64_t>(std::max<la_int64_t>(offset, 0)) + length;
    if (status < ARCHIVE_WARN) return damaged(reader_);
    if (end > size) {
      KIST_TRY(charge(end - size));
      size = end;
    }
    if (status == ARCHIVE_EOF) break;
    auto bytes = std::span(static_cast<const std::byte*>(block), length);
    while (!bytes.empty()) {
      ssize_t written = ::pwrite(file.get(), bytes.data(), bytes.size(), offset);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return fail_errno(fmt::format("cannot write {}", printable(path)));
      bytes = bytes.subspan(static_cast<std::size_t>(written));
      offset += written;
    }
  }
  if (::ftruncate(file.get(), static_cast<off_t>(size)) != 0)
    return fail_errno(fmt::format("cannot write {}", printable(path)));
  if ((attributes.mode & (S_ISUID | S_ISGID)) != 0) {
    attributes.mode &= ~static_cast<std::uint32_t>(S_ISUID | S_ISGID);
    notice(path, "unpacked without its set-user-id and set-group-id bits");
  }
  return ConfinedDirectory::set_attributes(file.get(), attributes, printable(path));
}

Status Unpacker::charge(std::uint64_t bytes) {
  if (bytes > options_.most_bytes - result_.bytes)
    return fail(ErrorKind::invalid, fmt::format("unpacks to more than {} bytes", options_.most_bytes));
  result_.bytes += bytes;
  std::uint64_t read = std::max<std::uint64_t>(input_.bytes_read(reader_), 1);
  if (result_.bytes > kRatioMattersFrom && result_.bytes / read > options_.most_ratio)
    return fail(ErrorKind::invalid,
                fmt::format("each of its bytes unpacks to more than {}: refused as an attempt to fill the disk",
                            options_.most_ratio));
  return {};
}

Result<Unpacked> unpack_input(Input& input, std::string_view name, const std::filesystem::path& directory,
                              const UnpackOptions& options) {
  Utf8Locale locale;
  Reader reader = make_reader(options.format);
  if ((input.is_gzip() ? input.open_gzip(reader.get()) : input.open(reader.get())) != ARCHIVE_OK)
    return with_context(name, damaged(reader.get()).error());
  KIST_TRY_ASSIGN(ConfinedDirectory confined, ConfinedDirectory::open(directory));
  return Unpacker(reader.get(), input, name, std::move(confined), options).run();
}

}  // namespace

Result<Unpacked> unpack(const std::filesystem::path& archive, const std::filesystem::path& directory,
                        const UnpackOptions& options) {
  KIST_TRY_ASSIGN(FileDescriptor file, open_file(archive, O_RDONLY));
  Input input(std::move(file));
  return unpack_input(input, archive.string(), directory, options);
}

Result<Unpacked> unpack(std::span<const std::byte> archive, std::string_view name,
                        const std::filesystem::path& directory, const UnpackOptions& options) {
  Input input(archive);
  return unpack_input(input, name, directory, options);
}

}  // namespace kist::archive
