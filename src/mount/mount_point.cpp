#include "mount/mount_point.hpp"

#include <cerrno>
#include <charconv>
#include <sstream>

#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/process.hpp"

namespace kist::mount {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kType = "fuse.kist";

// "\040" stands for a blank, and so on.
std::string unescape(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 4, code, 8).ptr == text.data() + i + 4) {
      result += static_cast<char>(code);
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

bool is_dead(const fs::path& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) != 0 && (errno == ENOTCONN || errno == ECONNABORTED);
}

std::unexpected<Error> in_use(const fs::path& path) {
  return fail(ErrorKind::unavailable,
              fmt::format("{} is in use: leave it and close its files, or give --lazy", path.string()));
}

}  // namespace

Result<fs::path> resolve(const fs::path& directory) {
  std::error_code failed;
  fs::path absolute = fs::absolute(directory, failed).lexically_normal();
  if (!absolute.has_filename()) absolute = absolute.parent_path();
  const fs::path parent = fs::canonical(absolute.parent_path(), failed);
  if (failed) return fail_errno(fmt::format("cannot find {}", absolute.parent_path().string()), failed.value());
  fs::path path = parent / absolute.filename();
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode)) {
    fs::path target = fs::canonical(path, failed);
    if (!failed) return target;
  }
  return path;
}

// The table's fields: number, parent, device, root, mount point, options, … " - " type, source, options.
Result<std::optional<Mounted>> mounted_at(const fs::path& path) {
  KIST_TRY_ASSIGN(const std::string table, read_file("/proc/self/mountinfo"));
  std::optional<Mounted> found;
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string skipped;
    std::string point;
    fields >> skipped >> skipped >> skipped >> skipped >> point;
    if (unescape(point) != path.string()) continue;
    const auto separator = line.find(" - ");
    if (separator == std::string::npos) continue;
    std::istringstream rest(line.substr(separator + 3));
    Mounted mounted;
    rest >> mounted.type >> mounted.source;
    mounted.source = unescape(mounted.source);
    found = mounted;
  }
  if (found) found->alive = !is_dead(path);
  return found;
}

Status prepare(const fs::path& path) {
  KIST_TRY_ASSIGN(auto mounted, mounted_at(path));
  if (mounted && mounted->type == kType && !mounted->alive) {
    KIST_TRY(unmount(path, true));
    KIST_TRY_ASSIGN(mounted, mounted_at(path));
  }
  if (mounted) {
    const bool own = mounted->type == kType;
    return fail(ErrorKind::conflict,
                own ? fmt::format("{} is mounted at {} already; `kist unmount {}` ends that", mounted->source,
                                  path.string(), path.string())
                    : fmt::format("{} is the mount of another file system ({})", path.string(), mounted->type));
  }
  std::error_code failed;
  if (fs::create_directory(path, failed)) return {};
  if (failed) return fail_errno(fmt::format("making {}", path.string()), failed.value());
  if (!fs::is_directory(path, failed))
    return fail(ErrorKind::invalid, fmt::format("{} is not a directory", path.string()));
  const bool empty = fs::is_empty(path, failed);
  if (failed) return fail_errno(fmt::format("looking into {}", path.string()), failed.value());
  if (!empty)
    return fail(ErrorKind::invalid, fmt::format("{} is not empty: a mount would hide what is in it", path.string()));
  return {};
}

Status unmount(const fs::path& path, bool lazy) {
  KIST_TRY_ASSIGN(const auto mounted, mounted_at(path));
  if (!mounted || mounted->type != kType)
    return fail(ErrorKind::invalid, fmt::format("no artifacts are mounted at {}", path.string()));
  const int flags = UMOUNT_NOFOLLOW | (lazy || !mounted->alive ? MNT_DETACH : 0);
  if (::umount2(path.c_str(), flags) == 0) return {};
  if (errno == EBUSY) return in_use(path);
  if (errno != EPERM) return fail_errno(fmt::format("unmounting {}", path.string()));
  // An ordinary user's mounts are ended by the program that made them.
  ProcessRequest request;
  request.arguments = {"fusermount3", "-u", "--", path.string()};
  if (lazy || !mounted->alive) request.arguments.insert(request.arguments.begin() + 2, "-z");
  KIST_TRY_ASSIGN(const auto done, run_process(request));
  if (done.exit_code == 0) return {};
  if (done.error_output.find("busy") != std::string::npos) return in_use(path);
  return fail(ErrorKind::denied, fmt::format("unmounting {}: {}", path.string(), last_line(done.error_output)));
}

}  // namespace kist::mount
