// A file in tmp/ on its way into the store: removed on destruction unless it was moved to its place. A process that
// dies leaves it behind for the next one's sweep (lease.hpp).
#pragma once

#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/system.hpp"
#include "store/lease.hpp"

namespace kist::store {

// Not thread-safe. The directory must outlive it.
class TemporaryFile {
 public:
  // Creates an empty file, open for writing.
  static Result<TemporaryFile> create(const StoreDirectory& directory, Lease& lease) {
    KIST_TRY_ASSIGN(auto name, lease.temporary_name());
    KIST_TRY_ASSIGN(auto file, directory.open_file(name, O_RDWR | O_CREAT | O_EXCL, 0444));
    return TemporaryFile(directory, std::move(name), std::move(file));
  }
  // Takes over a name in tmp/ under which something was made.
  TemporaryFile(const StoreDirectory& directory, std::string name, FileDescriptor file = {})
      : directory_(&directory), name_(std::move(name)), file_(std::move(file)) {}
  TemporaryFile(TemporaryFile&& other) noexcept
      : directory_(other.directory_), name_(std::exchange(other.name_, {})), file_(std::move(other.file_)) {}
  TemporaryFile& operator=(TemporaryFile&& other) noexcept {
    std::swap(directory_, other.directory_);
    std::swap(name_, other.name_);
    std::swap(file_, other.file_);
    return *this;
  }
  ~TemporaryFile() {
    if (!name_.empty()) (void)directory_->remove(name_);
  }

  const std::string& name() const { return name_; }
  std::string path() const { return directory_->show(name_); }
  int descriptor() const { return file_.get(); }
  void close() { file_.reset(); }
  int release_descriptor() { return file_.release(); }

  Status write(ByteSpan bytes) { return write_fully(file_.get(), bytes, path()); }
  Status write(std::span<iovec> parts) { return write_fully(file_.get(), parts, path()); }
  // Writes over its first bytes.
  Status write_first(ByteSpan bytes) {
    if (os::pwrite(file_.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
      return fail_errno(fmt::format("cannot write {}", path()));
    return {};
  }
  // Has the disk begin with what was written of a range, up to the end where `length` is 0, so that the sync that
  // follows is short. Promises nothing.
  void start_sync(std::uint64_t begin = 0, std::uint64_t length = 0) const {
    (void)::sync_file_range(file_.get(), static_cast<off64_t>(begin), static_cast<off64_t>(length),
                            SYNC_FILE_RANGE_WRITE);
  }
  Status sync() {
    if (os::fdatasync(file_.get()) != 0) return fail_errno(fmt::format("cannot sync {}", path()));
    return {};
  }
  // Gives the file its name in the store, where one of that name is replaced.
  Status move_to(const std::string& place) {
    KIST_TRY(directory_->rename(name_, place));
    name_.clear();
    return {};
  }

 private:
  const StoreDirectory* directory_;
  std::string name_;
  FileDescriptor file_;
};

}  // namespace kist::store
