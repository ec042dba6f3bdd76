// Plain calls of the system with errors that name the path. What is more than that: a replacement is a new file beside
// the old one, synced and renamed; a lock is checked to be on the file of that name; and trees are removed as tasks
// leave them behind, closed and of any depth.
#include "base/file.hpp"

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <system_error>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/system.hpp"

namespace kist {

namespace fs = std::filesystem;

void FileDescriptor::reset(int descriptor) {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = descriptor;
}

Result<FileDescriptor> open_file(const fs::path& path, int flags, unsigned mode) {
  FileDescriptor file(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!file) return fail_errno(fmt::format("cannot open {}", path.string()));
  return file;
}

Result<std::string> read_file(const fs::path& path, std::uint64_t limit) {
  KIST_TRY_ASSIGN(auto file, open_file(path, O_RDONLY));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno(fmt::format("cannot read {}", path.string()));
  if (S_ISDIR(status.st_mode)) return fail(ErrorKind::invalid, fmt::format("{} is a directory", path.string()));
  std::string text;
  std::size_t used = 0;
  // Files of /proc say they are empty.
  constexpr std::uint64_t least = 4096;
  text.resize(static_cast<std::size_t>(std::min(limit, std::max(static_cast<std::uint64_t>(status.st_size), least))) +
              1);
  while (true) {
    if (used == text.size()) text.resize(text.size() * 2);
    ssize_t count = ::read(file.get(), text.data() + used, text.size() - used);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(fmt::format("cannot read {}", path.string()));
    if (count == 0) break;
    used += static_cast<std::size_t>(count);
    if (used > limit)
      return fail(ErrorKind::invalid,
                  fmt::format("{} is larger than {} bytes, the most kist reads here", path.string(), limit));
  }
  text.resize(used);
  return text;
}

Status write_all(int descriptor, std::span<const std::byte> bytes, std::string_view name) {
  while (!bytes.empty()) {
    ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(fmt::format("cannot write {}", name));
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Status write_all(int descriptor, std::string_view text, std::string_view name) {
  return write_all(descriptor, std::as_bytes(std::span(text)), name);
}

Status replace_file(const fs::path& path, std::string_view text, unsigned mode) {
  std::string temporary = (path.parent_path() / fmt::format(".{}.XXXXXX", path.filename().string())).string();
  FileDescriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!file) return fail_errno(fmt::format("cannot create a file beside {}", path.string()));
  auto written = [&]() -> Status {
    KIST_TRY(write_all(file.get(), text, temporary));
    if (::fchmod(file.get(), mode) != 0) return fail_errno(fmt::format("cannot set the mode of {}", temporary));
    if (::fsync(file.get()) != 0) return fail_errno(fmt::format("cannot sync {}", temporary));
    if (::rename(temporary.c_str(), path.c_str()) != 0)
      return fail_errno(fmt::format("cannot replace {}", path.string()));
    return {};
  }();
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  return sync_directory(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

Status make_directory(const fs::path& path, unsigned mode) {
  if (os::mkdirat(AT_FDCWD, path.c_str(), mode) == 0) return sync_directory(path.parent_path());
  if (errno == EEXIST) return {};
  return fail_errno(fmt::format("cannot make {}", path.string()));
}

Status sync_directory(const fs::path& path) {
  KIST_TRY_ASSIGN(auto directory, open_file(path, O_RDONLY | O_DIRECTORY));
  if (::fsync(directory.get()) != 0) return fail_errno(fmt::format("cannot sync {}", path.string()));
  return {};
}

namespace {

constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

// Whether the open file is still the one of that name: its last holder may have removed it meanwhile.
bool is_still_there(int file, const fs::path& path) {
  struct stat opened{};
  struct stat named{};
  return ::fstat(file, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev;
}

bool flock_again(int file, int operation) {
  int locked = 0;
  while ((locked = ::flock(file, operation)) != 0 && errno == EINTR) {
  }
  return locked == 0;
}

// Whether something is mounted there: what lies in it is somebody else's.
bool is_mounted(int directory) {
  struct statx status{};
  return ::statx(directory, "", AT_EMPTY_PATH, STATX_TYPE, &status) == 0 &&
         (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

// nullopt where the lock is held and `wait` is not set.
Result<std::optional<FileDescriptor>> take_lock(const fs::path& path, FileLock::Kind kind, bool wait) {
  int operation = (kind == FileLock::Kind::shared ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB);
  while (true) {
    KIST_TRY_ASSIGN(auto file, open_file(path, O_RDWR | O_CREAT));
    const bool locked = flock_again(file.get(), operation);
    if (!locked && errno == EWOULDBLOCK) return std::nullopt;
    if (!locked) return fail_errno(fmt::format("cannot lock {}", path.string()));
    if (is_still_there(file.get(), path)) return file;
  }
}

}  // namespace

Result<std::optional<FileLock>> FileLock::try_lock(const fs::path& path, Kind kind) {
  KIST_TRY_ASSIGN(auto file, take_lock(path, kind, false));
  if (!file) return std::nullopt;
  return FileLock(std::move(*file));
}

Result<FileLock> FileLock::lock(const fs::path& path, Kind kind) {
  KIST_TRY_ASSIGN(auto file, take_lock(path, kind, true));
  return FileLock(std::move(*file));
}

Result<ScratchDirectory> ScratchDirectory::make(const fs::path& parent, std::string_view prefix) {
  while (true) {
    std::string name = (parent / fmt::format("{}XXXXXX", prefix)).string();
    if (::mkdtemp(name.data()) == nullptr)
      return fail_errno(fmt::format("cannot create a directory in {}", parent.string()));
    // Until it is locked it looks abandoned: who removes it meanwhile has the lock, and another one is made.
    FileDescriptor lock(::open(name.c_str(), kDirectory));
    if (!lock && errno != ENOENT) return fail_errno(fmt::format("cannot open {}", name));
    if (!lock) continue;
    if (!flock_again(lock.get(), LOCK_SH) && errno != EOPNOTSUPP && errno != ENOLCK)
      return fail_errno(fmt::format("cannot lock {}", name));
    if (is_still_there(lock.get(), name)) return ScratchDirectory(name, std::move(lock));
  }
}

Status ScratchDirectory::each_abandoned(const fs::path& parent, std::string_view prefix,
                                        const std::function<void(const fs::path&)>& take) {
  std::error_code error;
  fs::directory_iterator entries(parent, error);
  if (error && error != std::errc::no_such_file_or_directory)
    return fail_errno(fmt::format("cannot read {}", parent.string()), error.value());
  std::vector<fs::path> found;
  for (; !error && entries != fs::directory_iterator(); entries.increment(error))
    if (entries->path().filename().native().starts_with(prefix)) found.push_back(entries->path());
  for (const fs::path& path : found) {
    FileDescriptor lock(::open(path.c_str(), kDirectory | O_NOFOLLOW));
    if (lock && !is_mounted(lock.get()) && flock_again(lock.get(), LOCK_EX | LOCK_NB) &&
        is_still_there(lock.get(), path))
      take(path);
  }
  return {};
}

ScratchDirectory::~ScratchDirectory() {
  if (!path_.empty()) (void)remove_tree(path_);
}

namespace {

// Removes trees of any depth with a bounded number of descriptors: what lies deeper than kDeepest is moved up beside
// the tree's first level, and removed there in its turn.
class TreeRemover {
 public:
  explicit TreeRemover(const fs::path& path) : path_(path) {}

  Status remove() {
    if (::unlink(path_.c_str()) == 0 || errno == ENOENT) return {};
    if (errno != EISDIR && errno != EPERM) return failed();
    KIST_TRY_ASSIGN(top_, open_directory(AT_FDCWD, path_.c_str()));
    KIST_TRY_ASSIGN(FileDescriptor listed, open_directory(AT_FDCWD, path_.c_str()));
    struct statvfs disk{};
    space_is_short_ = ::fstatvfs(top_.get(), &disk) == 0 && disk.f_bavail * disk.f_frsize < kShortOfSpace;
    KIST_TRY(empty(std::move(listed), 0));
    if (::rmdir(path_.c_str()) != 0 && errno != ENOENT) return failed();
    return {};
  }

 private:
  static constexpr int kDeepest = 64;
  static constexpr std::uint64_t kShortOfSpace = 256 << 20;

  std::unexpected<Error> failed() const { return fail_errno(fmt::format("cannot remove {}", path_.string())); }

  // Opens a directory and lets its owner do everything: a task may leave some behind that nobody can read or write.
  Result<FileDescriptor> open_directory(int parent, const char* name) const {
    constexpr int flags = kDirectory | O_NOFOLLOW;
    FileDescriptor directory(::openat(parent, name, flags));
    if (!directory && errno == EACCES && ::fchmodat(parent, name, 0700, 0) == 0)
      directory = FileDescriptor(::openat(parent, name, flags));
    struct stat status{};
    if (!directory || ::fstat(directory.get(), &status) != 0) return failed();
    if ((status.st_mode & 0700) != 0700 && ::fchmod(directory.get(), 0700) != 0) return failed();
    return directory;
  }

  // Reads the directory again until nothing is left in it: reading on after removals may pass entries over.
  Status empty(FileDescriptor directory, int depth) {
    std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(directory.get()), &::closedir);
    if (!entries) return failed();
    int opened = directory.release();
    for (bool removed = true; removed;) {
      removed = false;
      ::rewinddir(entries.get());
      while (const dirent* entry = ::readdir(entries.get())) {
        std::string_view name = entry->d_name;
        if (name == "." || name == "..") continue;
        KIST_TRY(remove_entry(opened, *entry, depth));
        removed = true;
      }
    }
    return {};
  }

  Status remove_entry(int directory, const dirent& entry, int depth) {
    if (entry.d_type == DT_DIR) return remove_directory(directory, entry.d_name, depth);
    if (space_is_short_ && entry.d_type == DT_REG) give_back_space(directory, entry.d_name);
    if (::unlinkat(directory, entry.d_name, 0) == 0 || errno == ENOENT) return {};
    return errno == EISDIR ? remove_directory(directory, entry.d_name, depth) : failed();
  }

  // A file that was just removed holds its space as long as somebody has it open still: an overlay above it, which the
  // kernel takes down a little later. On a full disk the next one to write would fail for that.
  static void give_back_space(int directory, const char* name) {
    struct stat status{};
    if (::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0 || status.st_nlink != 1) return;
    FileDescriptor(::openat(directory, name, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  }

  Status remove_directory(int parent, const char* name, int depth) {
    if (::unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
    KIST_TRY_ASSIGN(FileDescriptor directory, open_directory(parent, name));
    if (is_mounted(directory.get()))
      return fail(ErrorKind::unavailable,
                  fmt::format("cannot remove {}: something is mounted in it, at '{}'", path_.string(), name));
    if (depth < kDeepest) {
      KIST_TRY(empty(std::move(directory), depth + 1));
      return ::unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? Status() : failed();
    }
    while (::renameat2(parent, name, top_.get(), std::to_string(++moved_).c_str(), RENAME_NOREPLACE) != 0)
      if (errno != EEXIST) return failed();
    return {};
  }

  const fs::path& path_;
  FileDescriptor top_;
  bool space_is_short_ = false;
  std::uint64_t moved_ = 0;
};

}  // namespace

Status remove_tree(const fs::path& path) {
  return TreeRemover(path).remove();
}

}  // namespace kist
