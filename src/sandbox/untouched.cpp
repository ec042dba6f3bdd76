#include "sandbox/untouched.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.hpp"

namespace kist::sandbox {
namespace {

namespace fs = std::filesystem;

// A root is laid out with a few dozen entries: one with more was used.
constexpr std::size_t kMostEntries = 200;
constexpr std::uint64_t kLargestFile = 64 << 10;

// The names of a file's extended attributes. Without those that overlayfs itself sets when a directory is only
// looked at.
std::optional<std::string> attributes_of(const fs::path& path) {
  std::array<char, 1024> buffer{};
  ssize_t length = ::llistxattr(path.c_str(), buffer.data(), buffer.size());
  if (length < 0) return errno == ENOTSUP ? std::optional<std::string>("") : std::nullopt;
  std::string names;
  for (std::string_view rest(buffer.data(), static_cast<std::size_t>(length)); !rest.empty();) {
    std::string_view name = rest.substr(0, rest.find('\0'));
    if (!name.ends_with(".overlay.impure") && !name.ends_with(".overlay.origin")) names.append(name).append(1, '\n');
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
  }
  return names;
}

class Look {
 public:
  // False: no answer.
  bool at(const fs::path& path) {
    if (changes_.entries.size() == kMostEntries) return false;
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) return false;
    Changes::Entry& entry = changes_.entries.emplace_back();
    entry.path = path;
    entry.mode = status.st_mode;
    entry.owner = status.st_uid;
    entry.group = status.st_gid;
    entry.device = status.st_rdev;
    auto attributes = attributes_of(path);
    if (!attributes) return false;
    entry.attributes = std::move(*attributes);
    if (S_ISDIR(status.st_mode)) return inside(path);
    if (S_ISLNK(status.st_mode)) {
      std::error_code error;
      entry.content = fs::read_symlink(path, error);
      return !error;
    }
    if (!S_ISREG(status.st_mode)) return true;
    if (static_cast<std::uint64_t>(status.st_size) > kLargestFile) return false;
    auto content = read_file(path, kLargestFile);
    if (content) entry.content = std::move(*content);
    return content.has_value();
  }

  Changes take() { return std::move(changes_); }

 private:
  bool inside(const fs::path& directory) {
    std::vector<std::string> names;
    DIR* entries = ::opendir(directory.c_str());
    if (entries == nullptr) return false;
    while (const dirent* entry = ::readdir(entries)) {
      std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      if (names.size() > kMostEntries) break;
    }
    ::closedir(entries);
    std::ranges::sort(names);
    return std::ranges::all_of(names, [&](const std::string& name) { return at(directory / name); });
  }

  Changes changes_;
};

}  // namespace

std::optional<Changes> look_at_changes(const std::vector<Region>& regions) {
  Look look;
  for (const Region& region : regions)
    if (!region.host.empty() && !look.at(region.host)) return {};
  return look.take();
}

}  // namespace kist::sandbox
