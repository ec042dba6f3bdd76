#include "sandbox/inside.hpp"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace kist::sandbox {

namespace fs = std::filesystem;

Result<FileDescriptor> open_in_root(int root, const fs::path& inside, int flags, unsigned mode) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags) | O_CLOEXEC;
  // O_TMPFILE is more than one bit, of which O_DIRECTORY is one.
  bool creates = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  how.mode = creates ? mode : 0;
  how.resolve = RESOLVE_IN_ROOT;
  constexpr int kMostTries = 100;  // EAGAIN: somebody renamed while `..` was followed
  for (int i = 0; i < kMostTries; ++i) {
    FileDescriptor file(static_cast<int>(::syscall(SYS_openat2, root, inside.c_str(), &how, sizeof how)));
    if (file) return file;
    if (errno != EAGAIN && errno != EINTR) break;
  }
  return fail_errno(fmt::format("cannot open {} in the task's root", inside.string()));
}

Status make_directories_in_root(int root, const fs::path& inside) {
  constexpr int kDirectory = O_PATH | O_DIRECTORY;
  if (open_in_root(root, inside, kDirectory)) return {};
  fs::path made = "/";
  KIST_TRY_ASSIGN(FileDescriptor parent, open_in_root(root, made, kDirectory));
  for (const fs::path& part : inside.relative_path()) {
    if (part.empty() || part == ".") continue;
    made /= part;
    auto next = open_in_root(root, made, kDirectory);
    if (!next && next.error().kind == ErrorKind::not_found) {
      if (::mkdirat(parent.get(), part.c_str(), 0755) != 0 && errno != EEXIST)
        return fail_errno(fmt::format("cannot create {} in the task's root", made.string()));
      next = open_in_root(root, made, kDirectory);
    }
    if (!next) return std::unexpected(std::move(next).error());
    parent = std::move(*next);
  }
  return {};
}

}  // namespace kist::sandbox
