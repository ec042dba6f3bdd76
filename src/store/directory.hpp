// The directory a store lives in, and the calls on files in it: names are relative to it, so that nothing depends on
// the working directory or on what happens above it; errors name the whole path.
//
//   format       what this directory is, and its version
//   containers/  packs, adopted files and their tables
//   index/       where each chunk lies
//   refs/        runs/NAME, tags/NAME
//   objects in work: tmp/, leases/;  caches: views/, inodes/, stat-cache
//
// Thread-safe: it holds nothing that changes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>
#include <sys/uio.h>

#include "base/file.hpp"
#include "base/result.hpp"
#include "store/bytes.hpp"

namespace kist::store {

class StoreDirectory {
 public:
  // Opens it, and makes it where there is none; with `repair`, writes its `format` again where that alone is missing.
  // Errors: denied, no_space, corrupt (another version, or its `format` is missing), invalid (something else lives
  // there).
  static Result<StoreDirectory> open(const std::filesystem::path& path, bool repair = false);

  const std::filesystem::path& root() const { return root_; }
  int descriptor() const { return directory_.get(); }
  dev_t device() const { return device_; }
  std::string show(std::string_view name) const;

  Result<FileDescriptor> open_file(const std::string& name, int flags, mode_t mode = 0600) const;
  // Not followed. Errors: not_found, …
  Result<struct stat> status(const std::string& name) const;
  // A whole small file. Errors: not_found, corrupt (larger than the limit), …
  Result<Bytes> read_file(const std::string& name, std::uint64_t limit) const;
  Status rename(const std::string& from, const std::string& to) const;
  // A missing file is fine.
  Status remove(const std::string& name) const;
  // With all that is in it; a missing one is fine.
  Status remove_tree(const std::string& name) const;
  // An existing directory is fine.
  Status make_directory(const std::string& name, mode_t mode = 0700) const;
  // Makes the names in a directory durable.
  Status sync(const std::string& name) const;
  // The names in a directory, in no order, without those that begin with a dot.
  Result<std::vector<std::string>> names(const std::string& directory) const;

 private:
  std::filesystem::path root_;
  FileDescriptor directory_;
  dev_t device_ = 0;
};

// Writes all bytes at the descriptor's offset. `path` is for the error.
Status write_fully(int descriptor, ByteSpan bytes, const std::string& path);
// Writes one after the other what lies in several places; the parts are used up.
Status write_fully(int descriptor, std::span<iovec> parts, const std::string& path);
// Reads exactly so many bytes. Errors: corrupt where the file ends before.
Status read_fully(int descriptor, std::byte* out, std::size_t count, std::uint64_t offset, const std::string& path);
// The same into several places one after the other, none of them empty; the parts are used up.
Status read_fully(int descriptor, std::span<iovec> parts, std::uint64_t offset, const std::string& path);

}  // namespace kist::store
