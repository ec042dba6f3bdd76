#include "task/selection.hpp"

#include <algorithm>
#include <array>
#include <span>

#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.hpp"
#include "task/copy_file.hpp"
#include "task/inside.hpp"

namespace kist::task {

namespace fs = std::filesystem;

namespace {

std::vector<std::string> parts_of(const fs::path& path) {
  std::vector<std::string> parts;
  for (const fs::path& part : path)
    if (!part.empty() && part != "." && part != "/") parts.push_back(part);
  return parts;
}

// Whether the pattern matches the path or the beginning of it.
bool matches(std::span<const std::string> pattern, std::span<const std::string> path) {
  if (pattern.empty()) return true;
  if (pattern.front() == "**") {
    for (std::size_t skipped = 0; skipped <= path.size(); ++skipped)
      if (matches(pattern.subspan(1), path.subspan(skipped)) && (pattern.size() > 1 || skipped > 0)) return true;
    return false;
  }
  if (path.empty() || ::fnmatch(pattern.front().c_str(), path.front().c_str(), 0) != 0) return false;
  return matches(pattern.subspan(1), path.subspan(1));
}

class Selector {
 public:
  Selector(const Selection& selection, const fs::path& target) : selection_(selection), target_(target) {}

  Status directory(const FileDescriptor& source, const fs::path& relative) {
    KIST_TRY_ASSIGN(auto names, names_in(source));
    for (const std::string& name : names) {
      fs::path path = relative / name;
      auto hits = [&](const std::string& pattern) { return matches_pattern(pattern, path); };
      if (std::ranges::any_of(selection_.exclude, hits)) continue;
      struct stat status{};
      if (::fstatat(source.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno(fmt::format("cannot look at {}", path.string()));
      auto takes_in = [&](const std::string& pattern) { return matches_pattern("/" + pattern, path); };
      bool is_in = selection_.include.empty() || std::ranges::any_of(selection_.include, takes_in);
      if (S_ISDIR(status.st_mode)) {
        if (is_in) KIST_TRY(make(path));
        FileDescriptor below(::openat(source.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!below) return fail_errno(fmt::format("cannot read {}", path.string()));
        KIST_TRY(directory(below, path));
        if (auto copy = open_file(target_ / path, O_RDONLY | O_DIRECTORY))
          KIST_TRY(copy_mode_and_times(status, *copy, target_ / path));
      } else if (is_in) {
        KIST_TRY(make(relative));
        KIST_TRY(S_ISLNK(status.st_mode) ? link(source, path) : keep(source, path, status));
      }
    }
    return {};
  }

  bool found() const { return found_; }

 private:
  Status make(const fs::path& relative) {
    std::error_code error;
    found_ = true;
    fs::create_directories(target_ / relative, error);
    if (error) return fail_errno(fmt::format("cannot make {}", (target_ / relative).string()), error.value());
    return {};
  }

  Status keep(const FileDescriptor& source, const fs::path& path, const struct stat& status) {
    fs::path target = target_ / path;
    std::string name = path.filename();
    // What is no file (a socket, a device) is linked or left out by who saves it.
    if (::linkat(source.get(), name.c_str(), AT_FDCWD, target.c_str(), 0) == 0 || !S_ISREG(status.st_mode)) return {};
    FileDescriptor from(::openat(source.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!from) return fail_errno(fmt::format("cannot read {}", path.string()));
    KIST_TRY_ASSIGN(auto to, open_file(target, O_WRONLY | O_CREAT | O_EXCL, 0600));
    KIST_TRY(copy_content(from, to, target));
    return copy_mode_and_times(status, to, target);
  }

  Status link(const FileDescriptor& source, const fs::path& path) {
    std::array<char, 1 << 14> text;
    auto length = ::readlinkat(source.get(), path.filename().c_str(), text.data(), text.size() - 1);
    if (length < 0) return fail_errno(fmt::format("cannot read the link {}", path.string()));
    text[static_cast<std::size_t>(length)] = '\0';
    if (::symlink(text.data(), (target_ / path).c_str()) != 0)
      return fail_errno(fmt::format("cannot make a copy of {}", path.string()));
    return {};
  }

  const Selection& selection_;
  const fs::path& target_;
  bool found_ = false;
};

}  // namespace

bool has_pattern(std::string_view path) {
  return path.find_first_of("*?[") != std::string_view::npos;
}

std::pair<std::string, std::string> split_pattern(std::string_view path) {
  std::size_t first = path.find_first_of("*?[");
  std::size_t slash = path.substr(0, first).rfind('/');
  if (slash == std::string_view::npos) return {"", std::string(path)};
  return {std::string(path.substr(0, std::max<std::size_t>(slash, 1))), std::string(path.substr(slash + 1))};
}

bool matches_pattern(std::string_view pattern, const fs::path& path) {
  auto written = parts_of(fs::path(pattern));
  auto parts = parts_of(path);
  if (pattern.contains('/')) return matches(written, parts);
  return !written.empty() && std::ranges::any_of(parts, [&](const std::string& part) {
    return written.front() == "**" || ::fnmatch(written.front().c_str(), part.c_str(), 0) == 0;
  });
}

Result<bool> bring_selected(const fs::path& source, const Selection& selection, const fs::path& target) {
  KIST_TRY_ASSIGN(auto directory, open_file(source, O_RDONLY | O_DIRECTORY));
  Selector selector(selection, target);
  KIST_TRY(selector.directory(directory, {}));
  // Without patterns to be met an empty directory is something too.
  if (!selector.found() && !selection.include.empty()) return false;
  std::error_code error;
  fs::create_directories(target, error);
  struct stat status{};
  if (::fstat(directory.get(), &status) != 0) return fail_errno(fmt::format("cannot look at {}", source.string()));
  KIST_TRY_ASSIGN(auto copy, open_file(target, O_RDONLY | O_DIRECTORY));
  KIST_TRY(copy_mode_and_times(status, copy, target));
  return true;
}

}  // namespace kist::task
