#include "task/files_only.hpp"

#include <array>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/utf8.hpp"
#include "task/copy_file.hpp"
#include "task/inside.hpp"
#include "task/paths.hpp"

namespace kist::task {

namespace fs = std::filesystem;

namespace {

// What a directory holds, all levels counted.
struct Survey {
  std::uint64_t files = 0;
  std::uint64_t others = 0;  // links and empty directories: the tree cannot be kept as it is
};

Status survey(const FileDescriptor& directory, Survey& found) {
  KIST_TRY_ASSIGN(auto names, names_in(directory));
  if (names.empty()) ++found.others;
  for (const std::string& name : names) {
    struct stat status{};
    if (::fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      return fail_errno(fmt::format("cannot look at {}", name));
    if (S_ISREG(status.st_mode)) ++found.files;
    if (S_ISLNK(status.st_mode)) ++found.others;
    if (!S_ISDIR(status.st_mode)) continue;
    FileDescriptor below(::openat(directory.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!below) return fail_errno(fmt::format("cannot read {}", name));
    KIST_TRY(survey(below, found));
  }
  return {};
}

class Stager {
 public:
  Stager(const FileDescriptor& root, const fs::path& inside, FilesOnly& result)
      : root_(root), inside_(inside), result_(result) {}

  // Copies one level and those below it. A directory is made with the first file in it.
  Status directory(const FileDescriptor& source, const fs::path& relative, const fs::path& target) {
    KIST_TRY_ASSIGN(auto names, names_in(source));
    for (const std::string& name : names) {
      struct stat status{};
      if (::fstatat(source.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno(fmt::format("cannot look at {}", (inside_ / relative / name).string()));
      if (S_ISREG(status.st_mode)) {
        FileDescriptor file(::openat(source.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
        if (!file) return fail_errno(fmt::format("cannot open {}", (inside_ / relative / name).string()));
        KIST_TRY(keep(file, target / name));
      } else if (S_ISLNK(status.st_mode)) {
        KIST_TRY(link(source, relative / name, target / name));
      } else if (S_ISDIR(status.st_mode)) {
        FileDescriptor below(::openat(source.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!below) return fail_errno(fmt::format("cannot read {}", (inside_ / relative / name).string()));
        KIST_TRY(directory(below, relative / name, target / name));
        if (auto copy = open_file(target / name, O_RDONLY | O_DIRECTORY))
          KIST_TRY(copy_mode_and_times(status, *copy, target / name));
      } else {
        std::string_view what = S_ISFIFO(status.st_mode)   ? "a named pipe"
                                : S_ISSOCK(status.st_mode) ? "a socket"
                                                           : "a device";
        leave_out(relative / name, fmt::format("it is {}", what));
      }
    }
    return {};
  }

 private:
  Status keep(const FileDescriptor& file, const fs::path& target) {
    std::error_code error;
    fs::create_directories(target.parent_path(), error);
    if (error) return fail_errno(fmt::format("cannot make {}", target.parent_path().string()), error.value());
    ++result_.files;
    if (::linkat(AT_FDCWD, by_descriptor(file).c_str(), AT_FDCWD, target.c_str(), AT_SYMLINK_FOLLOW) == 0) return {};
    KIST_TRY_ASSIGN(auto from, open_file(by_descriptor(file), O_RDONLY));
    KIST_TRY_ASSIGN(auto to, open_file(target, O_WRONLY | O_CREAT | O_EXCL, 0600));
    struct stat status{};
    if (::fstat(from.get(), &status) != 0) return fail_errno(fmt::format("cannot look at {}", target.string()));
    KIST_TRY(copy_content(from, to, target));
    return copy_mode_and_times(status, to, target);
  }

  Status link(const FileDescriptor& source, const fs::path& relative, const fs::path& target) {
    std::array<char, 1 << 14> text;
    auto length = ::readlinkat(source.get(), relative.filename().c_str(), text.data(), text.size() - 1);
    if (length < 0) return fail_errno(fmt::format("cannot read the link {}", (inside_ / relative).string()));
    fs::path path = relative;
    fs::path written(std::string_view(text.data(), static_cast<std::size_t>(length)));
    if (written.is_absolute() && is_within(written.lexically_normal(), inside_))
      path = written.lexically_normal().lexically_relative(inside_);
    auto file = open_beneath(root_, path, true);
    struct stat status{};
    std::string_view why;
    if (!file)
      why = errno == EXDEV ? "leads out of the tree" : "leads nowhere";
    else if (::fstat(file->get(), &status) != 0 || !S_ISREG(status.st_mode))
      why = "leads to no file";
    if (why.empty()) return keep(*file, target);
    leave_out(relative, fmt::format("a link that {}", why));
    return {};
  }

  void leave_out(const fs::path& relative, std::string_view why) {
    result_.left_out.push_back(fmt::format("{}: {}", printable(relative.native()), why));
  }

  const FileDescriptor& root_;
  const fs::path& inside_;
  FilesOnly& result_;
};

}  // namespace

Result<FilesOnly> files_only(const fs::path& source, const fs::path& inside, const fs::path& staging) {
  FilesOnly result;
  result.source = source;
  KIST_TRY_ASSIGN(auto directory, open_file(source, O_RDONLY | O_DIRECTORY));
  Survey found;
  KIST_TRY(survey(directory, found));
  if (found.others == 0) {
    result.files = found.files;
    return result;
  }
  result.source = staging;
  struct stat status{};
  if (::fstat(directory.get(), &status) != 0) return fail_errno(fmt::format("cannot look at {}", inside.string()));
  KIST_TRY(Stager(directory, inside, result).directory(directory, {}, staging));
  if (result.files > 0) {
    KIST_TRY_ASSIGN(auto copy, open_file(staging, O_RDONLY | O_DIRECTORY));
    KIST_TRY(copy_mode_and_times(status, copy, inside));
  }
  return result;
}

}  // namespace kist::task
