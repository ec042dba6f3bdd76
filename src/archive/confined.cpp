// Every directory is opened by its name in the one above, following no link, and everything is made relative to such a
// descriptor: what is checked and what is used are the same thing.
#include "archive/confined.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/utf8.hpp"

namespace kist::archive {
namespace {

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  for (std::size_t start = 0; start <= path.size();) {
    std::size_t end = std::min(path.find('/', start), path.size());
    if (std::string_view part = path.substr(start, end - start); !part.empty() && part != ".") parts.push_back(part);
    start = end + 1;
  }
  return parts;
}

std::array<timespec, 2> file_times(Time modified) {
  auto seconds = std::chrono::floor<std::chrono::seconds>(modified);
  timespec time{};
  time.tv_sec = static_cast<time_t>(seconds.time_since_epoch().count());
  time.tv_nsec = static_cast<long>((modified - seconds).count());
  return {timespec{0, UTIME_OMIT}, time};
}

}  // namespace

Result<Parts> take_apart(std::string_view path) {
  auto illegal = [&] { return fail(ErrorKind::invalid, fmt::format("illegal file path: {}", printable(path))); };
  if (path.starts_with('/')) return illegal();
  Parts parts;
  for (std::string_view part : split(path)) {
    if (part != "..") {
      parts.emplace_back(part);
    } else {
      if (parts.empty()) return illegal();
      parts.pop_back();
    }
  }
  return parts;
}

std::string join(std::span<const std::string> parts) {
  std::string path;
  for (const std::string& part : parts) {
    if (!path.empty()) path += '/';
    path += part;
  }
  return path;
}

Result<ConfinedDirectory> ConfinedDirectory::open(const std::filesystem::path& path) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
    return fail_errno(fmt::format("cannot create {}", path.string()));
  KIST_TRY_ASSIGN(FileDescriptor root, open_file(path, kOpenDirectory));
  return ConfinedDirectory(path, std::move(root));
}

std::string ConfinedDirectory::shown(const Parts& parts) const {
  return printable((path_ / join(parts)).string());
}

// Opens the directory of the first `depth` parts.
Result<FileDescriptor> ConfinedDirectory::enter(int from, const Parts& parts, std::size_t depth, bool make) {
  FileDescriptor current;
  for (std::size_t i = 0; i < depth; ++i) {
    int above = i == 0 ? from : current.get();
    const char* name = parts[i].c_str();
    FileDescriptor next(::openat(above, name, kOpenDirectory));
    if (!next && errno == ENOENT && make) {
      if (::mkdirat(above, name, 0700) != 0) return fail_errno(fmt::format("cannot create {}", shown(parts)));
      directories_.try_emplace(join(std::span(parts).first(i + 1)));
      next = FileDescriptor(::openat(above, name, kOpenDirectory));
    }
    if (!next && (errno == ELOOP || errno == ENOTDIR))
      return fail(ErrorKind::invalid, fmt::format("illegal file path: {}: {} is no directory", printable(join(parts)),
                                                  printable(join(std::span(parts).first(i + 1)))));
    if (!next) return fail_errno(fmt::format("cannot open {}", shown(parts)));
    current = std::move(next);
  }
  return current;
}

Result<int> ConfinedDirectory::parent_of(const Parts& parts, bool make) {
  std::size_t depth = parts.size() - 1;
  if (depth == 0) return root_.get();
  if (!parent_file_ || !std::equal(parts.begin(), parts.end() - 1, parent_.begin(), parent_.end())) {
    parent_file_.reset();
    KIST_TRY_ASSIGN(parent_file_, enter(root_.get(), parts, depth, make));
    parent_.assign(parts.begin(), parts.end() - 1);
  }
  return parent_file_.get();
}

// Makes room for a file or link.
Status ConfinedDirectory::clear_place(int parent, const Parts& parts) {
  const char* name = parts.back().c_str();
  if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR) return fail_errno(fmt::format("cannot replace {}", shown(parts)));
  if (::unlinkat(parent, name, AT_REMOVEDIR) != 0) return fail_errno(fmt::format("cannot replace {}", shown(parts)));
  directories_.erase(join(parts));
  if (parent_ == parts) parent_file_.reset();
  return {};
}

Status ConfinedDirectory::add_directory(const Parts& parts, const Attributes& attributes) {
  directories_[join(parts)] = attributes;
  if (parts.empty()) return {};
  KIST_TRY_ASSIGN(int parent, parent_of(parts, true));
  const char* name = parts.back().c_str();
  if (::mkdirat(parent, name, 0700) == 0) return {};
  struct stat status{};
  if (errno != EEXIST || ::fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno(fmt::format("cannot create {}", shown(parts)));
  if (S_ISDIR(status.st_mode)) return {};
  if (::unlinkat(parent, name, 0) != 0 || ::mkdirat(parent, name, 0700) != 0)
    return fail_errno(fmt::format("cannot create {}", shown(parts)));
  return {};
}

Result<FileDescriptor> ConfinedDirectory::add_file(const Parts& parts) {
  if (parts.empty()) return fail(ErrorKind::invalid, "illegal file path: a file without a name");
  KIST_TRY_ASSIGN(int parent, parent_of(parts, true));
  for (bool again = true;; again = false) {
    FileDescriptor file(
        ::openat(parent, parts.back().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (file) return file;
    if (errno != EEXIST || !again) return fail_errno(fmt::format("cannot create {}", shown(parts)));
    KIST_TRY(clear_place(parent, parts));
  }
}

Status ConfinedDirectory::set_attributes(int file, const Attributes& attributes, std::string_view name) {
  if (::fchmod(file, attributes.mode) != 0) return fail_errno(fmt::format("cannot set the mode of {}", name));
  if (attributes.modified && ::futimens(file, file_times(*attributes.modified).data()) != 0)
    return fail_errno(fmt::format("cannot set the time of {}", name));
  return {};
}

Status ConfinedDirectory::check_link(const Parts& parts, std::string_view target) {
  auto illegal = [&] {
    return fail(ErrorKind::invalid,
                fmt::format("illegal symlink target: {} -> {}", printable(join(parts)), printable(target)));
  };
  if (target.starts_with('/') || target.empty()) return illegal();
  std::size_t level = parts.size() - 1;
  std::size_t lowest = level;
  bool went_down = false;
  bool winding = false;
  for (std::string_view part : split(target)) {
    if (part == "..") {
      if (level == 0) return illegal();
      lowest = std::min(lowest, --level);
      winding = winding || went_down;
    } else {
      ++level;
      went_down = true;
    }
  }
  if (winding) winding_links_.push_back(join(parts));
  if (lowest == 0 && !link_out_of_top_) link_out_of_top_ = join(parts);
  return {};
}

Status ConfinedDirectory::add_link(const Parts& parts, const std::string& target, std::optional<Time> modified) {
  if (parts.empty()) return fail(ErrorKind::invalid, "illegal file path: a link without a name");
  KIST_TRY(check_link(parts, target));
  KIST_TRY_ASSIGN(int parent, parent_of(parts, true));
  const char* name = parts.back().c_str();
  if (::symlinkat(target.c_str(), parent, name) != 0) {
    if (errno != EEXIST) return fail_errno(fmt::format("cannot create {}", shown(parts)));
    KIST_TRY(clear_place(parent, parts));
    if (::symlinkat(target.c_str(), parent, name) != 0)
      return fail_errno(fmt::format("cannot create {}", shown(parts)));
  }
  if (modified && ::utimensat(parent, name, file_times(*modified).data(), AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno(fmt::format("cannot set the time of {}", shown(parts)));
  return {};
}

Result<bool> ConfinedDirectory::add_hard_link(const Parts& parts, const Parts& existing) {
  if (parts.empty() || existing.empty()) return false;
  if (parts == existing) return true;
  KIST_TRY_ASSIGN(FileDescriptor entered, enter(root_.get(), existing, existing.size() - 1, false));
  int source = entered ? entered.get() : root_.get();
  struct stat status{};
  // Not to a link: the same target means another place from there.
  if (::fstatat(source, existing.back().c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode))
    return false;
  KIST_TRY_ASSIGN(int parent, parent_of(parts, true));
  KIST_TRY(clear_place(parent, parts));
  if (::linkat(source, existing.back().c_str(), parent, parts.back().c_str(), 0) != 0)
    return fail_errno(fmt::format("cannot create {}", shown(parts)));
  return true;
}

Status ConfinedDirectory::finish() {
  for (const std::string& link : winding_links_) {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH;
    FileDescriptor reached(static_cast<int>(::syscall(SYS_openat2, root_.get(), link.c_str(), &how, sizeof how)));
    // One that was replaced since is no link any more, or one that was checked.
    if (!reached)
      return fail(ErrorKind::invalid, fmt::format("illegal symlink target: {} leads nowhere inside", printable(link)));
  }
  // From the deepest up: a directory may close itself to its owner.
  for (auto directory = directories_.rbegin(); directory != directories_.rend(); ++directory) {
    KIST_TRY_ASSIGN(Parts parts, take_apart(directory->first));
    KIST_TRY_ASSIGN(FileDescriptor entered, enter(root_.get(), parts, parts.size(), false));
    KIST_TRY(set_attributes(entered ? entered.get() : root_.get(), directory->second, shown(parts)));
  }
  return {};
}

}  // namespace kist::archive
