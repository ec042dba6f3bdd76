#include "task/copy_tree.hpp"

#include <array>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "task/copy_file.hpp"
#include "task/inside.hpp"

namespace kist::task {

namespace fs = std::filesystem;

namespace {

class Copier {
 public:
  explicit Copier(const fs::path& except) { known_ = ::stat(except.c_str(), &except_) == 0; }

  Status directory(const FileDescriptor& source, const FileDescriptor& target, const fs::path& path) {
    KIST_TRY_ASSIGN(auto names, names_in(source));
    for (const std::string& name : names) {
      struct stat status{};
      if (::fstatat(source.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno(fmt::format("cannot look at {}", (path / name).string()));
      if (S_ISDIR(status.st_mode))
        KIST_TRY(subdirectory(source, target, name, status, path / name));
      else if (S_ISREG(status.st_mode))
        KIST_TRY(file(source, target, name, status, path / name));
      else if (S_ISLNK(status.st_mode))
        KIST_TRY(link(source, target, name, path / name));
    }
    return {};
  }

 private:
  Status subdirectory(const FileDescriptor& source, const FileDescriptor& target, const std::string& name,
                      const struct stat& status, const fs::path& path) {
    if (known_ && status.st_dev == except_.st_dev && status.st_ino == except_.st_ino) return {};
    FileDescriptor from(::openat(source.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!from) return fail_errno(fmt::format("cannot read {}", path.string()));
    if (::mkdirat(target.get(), name.c_str(), 0700) != 0 && errno != EEXIST)
      return fail_errno(fmt::format("cannot make a copy of {}", path.string()));
    FileDescriptor to(::openat(target.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!to) return fail_errno(fmt::format("cannot copy {} over what is there", path.string()));
    KIST_TRY(directory(from, to, path));
    return copy_mode_and_times(status, to, path);
  }

  Status file(const FileDescriptor& source, const FileDescriptor& target, const std::string& name,
              const struct stat& status, const fs::path& path) {
    FileDescriptor from(::openat(source.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!from) return fail_errno(fmt::format("cannot read {}", path.string()));
    KIST_TRY(make_way(target, name, path));
    FileDescriptor to(::openat(target.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!to) return fail_errno(fmt::format("cannot make a copy of {}", path.string()));
    KIST_TRY(copy_content(from, to, path));
    return copy_mode_and_times(status, to, path);
  }

  static Status link(const FileDescriptor& source, const FileDescriptor& target, const std::string& name,
                     const fs::path& path) {
    std::array<char, 1 << 14> text;
    auto length = ::readlinkat(source.get(), name.c_str(), text.data(), text.size() - 1);
    if (length < 0) return fail_errno(fmt::format("cannot read the link {}", path.string()));
    text[static_cast<std::size_t>(length)] = '\0';
    KIST_TRY(make_way(target, name, path));
    if (::symlinkat(text.data(), target.get(), name.c_str()) != 0)
      return fail_errno(fmt::format("cannot make a copy of {}", path.string()));
    return {};
  }

  static Status make_way(const FileDescriptor& target, const std::string& name, const fs::path& path) {
    if (::unlinkat(target.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
    return fail_errno(fmt::format("cannot copy {} over what is there", path.string()));
  }

  struct stat except_{};
  bool known_ = false;
};

}  // namespace

Status copy_tree(const fs::path& source, const FileDescriptor& target, const fs::path& except) {
  KIST_TRY_ASSIGN(auto directory, open_file(source, O_RDONLY | O_DIRECTORY));
  return Copier(except).directory(directory, target, source);
}

}  // namespace kist::task
