#include "task/inside.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace kist::task {

namespace fs = std::filesystem;

namespace {

Status set_mode_below(const FileDescriptor& directory, std::uint32_t mode, const fs::path& path) {
  KIST_TRY_ASSIGN(auto names, names_in(directory));
  for (const std::string& name : names) {
    fs::path entry = path / name;
    struct stat status{};
    if (::fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      return fail_errno(fmt::format("cannot look at {}", entry.string()));
    if (S_ISLNK(status.st_mode)) continue;
    if (S_ISDIR(status.st_mode)) {
      FileDescriptor below(::openat(directory.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!below) return fail_errno(fmt::format("cannot read {}", entry.string()));
      KIST_TRY(set_mode_below(below, mode, entry));
    }
    if (::fchmodat(directory.get(), name.c_str(), mode, 0) != 0)
      return fail_errno(fmt::format("cannot set the mode of {}", entry.string()));
  }
  return {};
}

}  // namespace

fs::path by_descriptor(const FileDescriptor& descriptor) {
  return fmt::format("/proc/self/fd/{}", descriptor.get());
}

Error told_inside(Error error, const fs::path& outside, const fs::path& inside) {
  constexpr std::string_view kAfterPaths = "/:,;)'\" ";
  const std::string& from = outside.native();
  for (std::size_t at = error.text.find(from); at != std::string::npos; at = error.text.find(from, at + 1)) {
    const std::size_t end = at + from.size();
    if (end < error.text.size() && !kAfterPaths.contains(error.text[end])) continue;
    error.text.replace(at, from.size(), inside.native());
    at += inside.native().size();
  }
  return error;
}

Result<FileDescriptor> open_directory(sandbox::Sandbox& sandbox, const fs::path& inside) {
  return sandbox.open_inside(inside, O_RDONLY | O_DIRECTORY, 0);
}

Result<FileDescriptor> make_directory(sandbox::Sandbox& sandbox, const fs::path& inside) {
  KIST_TRY(sandbox.make_directories(inside));
  return open_directory(sandbox, inside);
}

Status put_file(sandbox::Sandbox& sandbox, const fs::path& inside, std::string_view content, unsigned mode) {
  KIST_TRY_ASSIGN(auto directory, make_directory(sandbox, inside.parent_path()));
  std::string name = inside.filename();
  if (::unlinkat(directory.get(), name.c_str(), 0) != 0 && errno != ENOENT)
    return fail_errno(fmt::format("cannot replace {}", inside.string()));
  FileDescriptor file(::openat(directory.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!file) return fail_errno(fmt::format("cannot create {}", inside.string()));
  KIST_TRY(write_all(file.get(), content, inside.string()));
  if (::fchmod(file.get(), mode) != 0) return fail_errno(fmt::format("cannot set the mode of {}", inside.string()));
  return {};
}

Result<std::vector<std::string>> names_in(const FileDescriptor& directory) {
  // A descriptor of its own: fdopendir() takes it over and moves its offset.
  FileDescriptor own(::openat(directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!own) return fail_errno("cannot read a directory");
  std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own.get()), ::closedir);
  if (!stream) return fail_errno("cannot read a directory");
  (void)own.release();
  std::vector<std::string> names;
  for (errno = 0; dirent* entry = ::readdir(stream.get()); errno = 0)
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
      names.emplace_back(entry->d_name);
  if (errno != 0) return fail_errno("cannot read a directory");
  std::ranges::sort(names);
  return names;
}

Result<FileDescriptor> open_beneath(const FileDescriptor& directory, const fs::path& path, bool links) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | (links ? RESOLVE_NO_MAGICLINKS : RESOLVE_NO_SYMLINKS);
  FileDescriptor file(static_cast<int>(::syscall(SYS_openat2, directory.get(), path.c_str(), &how, sizeof how)));
  if (!file) return fail_errno(fmt::format("cannot open {}", path.string()));
  return file;
}

Status set_mode(sandbox::Sandbox& sandbox, const fs::path& inside, std::uint32_t mode, bool below) {
  KIST_TRY_ASSIGN(sandbox::Found found, sandbox.find(inside));
  struct stat status{};
  if (::fstat(found.handle.get(), &status) != 0) return fail_errno(fmt::format("cannot look at {}", inside.string()));
  if (below && S_ISDIR(status.st_mode)) {
    KIST_TRY_ASSIGN(auto directory, open_directory(sandbox, inside));
    KIST_TRY(set_mode_below(directory, mode, inside));
  }
  if ((status.st_mode & 07777) == mode) return {};  // a change would copy the file up from the input's view
  if (::chmod(by_descriptor(found.handle).c_str(), mode) != 0)
    return fail_errno(fmt::format("cannot set the mode of {}", inside.string()));
  return {};
}

}  // namespace kist::task
