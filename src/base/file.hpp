// Files as kist uses them: descriptors that close themselves, whole-file reads, writes that are all there or not at
// all, locks and scratch directories. Errors name the path.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace kist {

// Owns one file descriptor. Movable; -1 is none.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
  ~FileDescriptor() { reset(); }
  FileDescriptor(FileDescriptor&& other) noexcept : descriptor_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }

  int get() const { return descriptor_; }
  explicit operator bool() const { return descriptor_ >= 0; }
  int release() { return std::exchange(descriptor_, -1); }
  void reset(int descriptor = -1);

 private:
  int descriptor_ = -1;
};

// open(2) with O_CLOEXEC. Errors by errno, the path in the text.
Result<FileDescriptor> open_file(const std::filesystem::path& path, int flags, unsigned mode = 0644);

// The whole file, at most `limit` bytes. Errors: not_found, denied, invalid (larger than the limit).
Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t limit = 1ULL << 30);

// Writes all of `bytes` at the descriptor's offset, through short writes and EINTR.
Status write_all(int descriptor, std::span<const std::byte> bytes, std::string_view name);
Status write_all(int descriptor, std::string_view text, std::string_view name);

// Replaces `path` by `text`: a temporary file beside it, fsync, rename, fsync of the directory. After a crash the file
// holds the old text or the new one.
Status replace_file(const std::filesystem::path& path, std::string_view text, unsigned mode = 0644);

// Makes a directory, its name durable; one that is there already is left as it is. Its parent exists.
Status make_directory(const std::filesystem::path& path, unsigned mode);

// Makes the names in a directory durable.
Status sync_directory(const std::filesystem::path& path);

// A held flock(2). Released by destruction, and by the kernel when the process dies. Its holder may remove the file:
// who waited for it then locks a new one.
class FileLock {
 public:
  enum class Kind { shared, exclusive };
  // Opens (creating it where it is missing) and locks without waiting; nullopt where somebody else holds it.
  static Result<std::optional<FileLock>> try_lock(const std::filesystem::path& path, Kind kind);
  // Waits for the lock.
  static Result<FileLock> lock(const std::filesystem::path& path, Kind kind);

 private:
  explicit FileLock(FileDescriptor file) : file_(std::move(file)) {}
  FileDescriptor file_;
};

// A directory that is removed with all that is in it on destruction, unless kept. It is locked as long as this lives,
// so that what a process left behind that was killed can be told from what others work in.
class ScratchDirectory {
 public:
  // Made below `parent` (which must exist) with a random name that begins with `prefix`.
  static Result<ScratchDirectory> make(const std::filesystem::path& parent, std::string_view prefix);
  // Gives `take` each directory below `parent` whose name begins with `prefix` and whose process is gone. Nobody else
  // is given it meanwhile. A missing parent has none.
  static Status each_abandoned(const std::filesystem::path& parent, std::string_view prefix,
                               const std::function<void(const std::filesystem::path&)>& take);
  ~ScratchDirectory();
  ScratchDirectory(ScratchDirectory&& other) noexcept
      : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}
  ScratchDirectory& operator=(ScratchDirectory&&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path keep() { return std::exchange(path_, {}); }

 private:
  ScratchDirectory(std::filesystem::path path, FileDescriptor lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path path_;
  FileDescriptor lock_;
};

// Removes a tree of any depth, even where its directories are not writable (a task may leave mode 0 behind). Follows no
// link, and enters nothing that is mounted below it. Missing is fine.
Status remove_tree(const std::filesystem::path& path);

}  // namespace kist
