#include "store/directory.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/system.hpp"

namespace kist::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStoreFormat = "kist store 1\n";
constexpr const char* kDirectories[] = {"containers", "index",  "refs",  "refs/runs", "refs/tags",
                                        "tmp",        "leases", "views", "inodes"};

Status check_format(const StoreDirectory& directory) {
  KIST_TRY_ASSIGN(auto bytes, directory.read_file("format", 4096));
  if (text_of(bytes) == kStoreFormat) return {};
  if (text_of(bytes).starts_with("kist store "))
    return fail(ErrorKind::corrupt,
                fmt::format("{} is in a format this kist does not know ('{}'; known: 'kist store 1'): use a newer kist",
                            directory.root().string(), text_of(bytes).substr(0, text_of(bytes).find('\n'))));
  return fail(ErrorKind::corrupt,
              fmt::format("{} does not say 'kist store 1': it is damaged, or {} is no store of kist",
                          directory.show("format"), directory.root().string()));
}

// Whether something was stored there once.
bool holds_containers(const StoreDirectory& directory) {
  auto names = directory.names("containers");
  return names && !names->empty();
}

Status write_format(const StoreDirectory& directory) {
  for (const char* name : kDirectories) KIST_TRY(directory.make_directory(name));
  KIST_TRY(directory.sync("refs"));
  std::string temporary = fmt::format("tmp/format.{}", ::getpid());
  KIST_TRY_ASSIGN(auto file, directory.open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  KIST_TRY(write_fully(file.get(), bytes_of(kStoreFormat), directory.show(temporary)));
  if (os::fsync(file.get()) != 0) return fail_errno(fmt::format("cannot sync {}", directory.show(temporary)));
  KIST_TRY(directory.rename(temporary, "format"));
  KIST_TRY(directory.sync("."));
  return sync_directory(directory.root() / "..");
}

// The format file comes last: a directory without one is empty, was left half made by a crash, or has lost it.
Status create(const StoreDirectory& directory, bool repair) {
  if (holds_containers(directory)) {
    if (directory.status("format")) return {};  // another process has just made it all
    if (repair) return write_format(directory);
    return fail(ErrorKind::corrupt,
                fmt::format("{} is missing, while {} holds what was stored: `kist fsck --repair` writes it again",
                            directory.show("format"), directory.show("containers")));
  }
  KIST_TRY_ASSIGN(auto names, directory.names("."));
  for (const std::string& name : names)
    if (name != "format" && std::ranges::find(kDirectories, name) == std::end(kDirectories))
      return fail(ErrorKind::invalid,
                  fmt::format("{} is no store of kist: it holds '{}'; give an empty or a new directory",
                              directory.root().string(), name));
  return write_format(directory);
}

}  // namespace

Result<StoreDirectory> StoreDirectory::open(const fs::path& path, bool repair) {
  StoreDirectory directory;
  std::error_code error;
  directory.root_ = fs::absolute(path, error).lexically_normal();
  if (error) return fail_errno(fmt::format("cannot find {}", path.string()), error.value());
  if (!directory.root_.has_filename()) directory.root_ = directory.root_.parent_path();
  int descriptor = os::openat(AT_FDCWD, directory.root_.c_str(), O_RDONLY | O_DIRECTORY);
  if (descriptor < 0 && errno == ENOENT) {
    fs::create_directories(directory.root_.parent_path(), error);
    if (error)
      return fail_errno(fmt::format("cannot create {}", directory.root_.parent_path().string()), error.value());
    if (os::mkdirat(AT_FDCWD, directory.root_.c_str(), 0700) != 0 && errno != EEXIST)
      return fail_errno(fmt::format("cannot create the store {}", directory.root_.string()));
    descriptor = os::openat(AT_FDCWD, directory.root_.c_str(), O_RDONLY | O_DIRECTORY);
  }
  if (descriptor < 0) return fail_errno(fmt::format("cannot open the store {}", directory.root_.string()));
  directory.directory_.reset(descriptor);
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) return fail_errno(fmt::format("cannot read {}", directory.root_.string()));
  directory.device_ = status.st_dev;
  auto known = check_format(directory);
  if (!known && known.error().kind == ErrorKind::not_found) {
    KIST_TRY(create(directory, repair));
    known = check_format(directory);
  }
  KIST_TRY(known);
  return directory;
}

std::string StoreDirectory::show(std::string_view name) const {
  return (root_ / name).string();
}

Result<FileDescriptor> StoreDirectory::open_file(const std::string& name, int flags, mode_t mode) const {
  FileDescriptor file(os::openat(descriptor(), name.c_str(), flags | O_NOFOLLOW, mode));
  if (!file) return fail_errno(fmt::format("cannot {} {}", (flags & O_CREAT) != 0 ? "create" : "open", show(name)));
  return file;
}

Result<struct stat> StoreDirectory::status(const std::string& name) const {
  struct stat status{};
  if (::fstatat(descriptor(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno(fmt::format("cannot read {}", show(name)));
  return status;
}

Result<Bytes> StoreDirectory::read_file(const std::string& name, std::uint64_t limit) const {
  KIST_TRY_ASSIGN(auto file, open_file(name, O_RDONLY));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno(fmt::format("cannot read {}", show(name)));
  if (static_cast<std::uint64_t>(status.st_size) > limit)
    return fail(ErrorKind::corrupt,
                fmt::format("{} has {} bytes, at most {} can be right", show(name), status.st_size, limit));
  Bytes bytes(static_cast<std::size_t>(status.st_size));
  KIST_TRY(read_fully(file.get(), bytes.data(), bytes.size(), 0, show(name)));
  return bytes;
}

Status StoreDirectory::rename(const std::string& from, const std::string& to) const {
  if (os::renameat(descriptor(), from.c_str(), descriptor(), to.c_str()) != 0)
    return fail_errno(fmt::format("cannot rename {} to {}", show(from), show(to)));
  return {};
}

Status StoreDirectory::remove(const std::string& name) const {
  if (os::unlinkat(descriptor(), name.c_str(), 0) != 0 && errno != ENOENT)
    return fail_errno(fmt::format("cannot remove {}", show(name)));
  return {};
}

Status StoreDirectory::remove_tree(const std::string& name) const {
  return kist::remove_tree(root_ / name);
}

Status StoreDirectory::make_directory(const std::string& name, mode_t mode) const {
  if (os::mkdirat(descriptor(), name.c_str(), mode) != 0 && errno != EEXIST)
    return fail_errno(fmt::format("cannot create {}", show(name)));
  return {};
}

Status StoreDirectory::sync(const std::string& name) const {
  KIST_TRY_ASSIGN(auto directory, open_file(name, O_RDONLY | O_DIRECTORY));
  if (os::fsync(directory.get()) != 0) return fail_errno(fmt::format("cannot sync {}", show(name)));
  return {};
}

Result<std::vector<std::string>> StoreDirectory::names(const std::string& name) const {
  KIST_TRY_ASSIGN(auto file, open_file(name, O_RDONLY | O_DIRECTORY));
  DIR* stream = ::fdopendir(file.get());
  if (stream == nullptr) return fail_errno(fmt::format("cannot list {}", show(name)));
  file.release();
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream))
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  int error = errno;
  ::closedir(stream);
  if (error != 0) return fail_errno(fmt::format("cannot list {}", show(name)), error);
  return names;
}

Status write_fully(int descriptor, ByteSpan bytes, const std::string& path) {
  while (!bytes.empty()) {
    ssize_t count = os::write(descriptor, bytes.data(), bytes.size());
    if (count < 0) return fail_errno(fmt::format("cannot write {}", path));
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

namespace {

// As many as one call takes.
int count_of(std::span<iovec> parts) {
  return static_cast<int>(std::min<std::size_t>(parts.size(), IOV_MAX));
}

// What is left of parts when so many bytes of them are done.
std::span<iovec> behind(std::span<iovec> parts, ssize_t done) {
  auto left = static_cast<std::size_t>(done);
  while (!parts.empty() && left >= parts.front().iov_len) {
    left -= parts.front().iov_len;
    parts = parts.subspan(1);
  }
  if (left > 0) {
    parts.front().iov_base = static_cast<std::byte*>(parts.front().iov_base) + left;
    parts.front().iov_len -= left;
  }
  return parts;
}

std::unexpected<Error> ends_early(const std::string& path, std::uint64_t offset) {
  return fail(ErrorKind::corrupt, fmt::format("{} ends at byte {}, more was expected", path, offset));
}

}  // namespace

Status write_fully(int descriptor, std::span<iovec> parts, const std::string& path) {
  while (!parts.empty()) {
    const ssize_t count = os::writev(descriptor, parts.data(), count_of(parts));
    if (count < 0) return fail_errno(fmt::format("cannot write {}", path));
    parts = behind(parts, count);
  }
  return {};
}

Status read_fully(int descriptor, std::byte* out, std::size_t count, std::uint64_t offset, const std::string& path) {
  while (count > 0) {
    ssize_t got = os::pread(descriptor, out, count, static_cast<off_t>(offset));
    if (got < 0) return fail_errno(fmt::format("cannot read {}", path));
    if (got == 0) return ends_early(path, offset);
    out += got;
    offset += static_cast<std::uint64_t>(got);
    count -= static_cast<std::size_t>(got);
  }
  return {};
}

Status read_fully(int descriptor, std::span<iovec> parts, std::uint64_t offset, const std::string& path) {
  while (!parts.empty()) {
    const ssize_t count = os::preadv(descriptor, parts.data(), count_of(parts), static_cast<off_t>(offset));
    if (count < 0) return fail_errno(fmt::format("cannot read {}", path));
    if (count == 0) return ends_early(path, offset);
    offset += static_cast<std::uint64_t>(count);
    parts = behind(parts, count);
  }
  return {};
}

}  // namespace kist::store
