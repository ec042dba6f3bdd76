#include "sandbox/host.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kist::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr int kSocketDepth = 4;                // /run/user/1000/podman/podman.sock
constexpr std::size_t kMostDirectories = 500;  // of /run to search: a bound, far above what machines have
constexpr std::chrono::seconds kSocketsAge{1};

// mountinfo writes blanks, tabs, newlines and backslashes as three octal digits.
std::string unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

std::string_view next_word(std::string_view& line) {
  std::size_t end = line.find(' ');
  std::string_view word = line.substr(0, end);
  line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
  return word;
}

int to_number(std::string_view text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

bool says_read_only(std::string_view options) {
  return options == "ro" || options.starts_with("ro,");
}

// A mount with what is mounted on it.
void reach(const MountPoint& mount, const std::vector<MountPoint>& all, std::vector<MountPoint>& reached) {
  std::vector<const MountPoint*> children;
  const MountPoint* cover = nullptr;
  for (const MountPoint& other : all) {
    if (other.parent != mount.id || other.id == mount.id) continue;
    if (other.path == mount.path) cover = &other;
    children.push_back(&other);
  }
  if (cover != nullptr) return reach(*cover, all, reached);
  reached.push_back(mount);
  for (const MountPoint* child : children) {
    auto hides = [&](const MountPoint* other) {
      return other->path != child->path && is_within(child->path, other->path);
    };
    if (std::ranges::none_of(children, hides)) reach(*child, all, reached);
  }
}

void find_sockets(const fs::path& directory, int depth, std::size_t& left, std::vector<fs::path>& found) {
  if (depth == 0 || left == 0) return;
  --left;
  DIR* entries = ::opendir(directory.c_str());
  if (entries == nullptr) return;
  while (const dirent* entry = ::readdir(entries)) {
    std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (entry->d_type == DT_SOCK) found.push_back(directory / name);
    if (entry->d_type == DT_DIR) find_sockets(directory / name, depth - 1, left, found);
  }
  ::closedir(entries);
}

Result<std::string> read_again(int file) {
  std::string text;
  std::array<char, 16384> buffer{};
  if (::lseek(file, 0, SEEK_SET) != 0) return fail_errno("cannot read the mount table");
  while (true) {
    ssize_t count = ::read(file, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("cannot read the mount table");
    if (count == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace

bool is_within(const fs::path& path, const fs::path& directory) {
  if (directory == "/") return true;
  const std::string& inner = path.native();
  const std::string& outer = directory.native();
  return inner.starts_with(outer) && (inner.size() == outer.size() || inner[outer.size()] == '/');
}

std::vector<MountPoint> parse_mount_table(std::string_view text) {
  std::vector<MountPoint> mounts;
  while (!text.empty()) {
    std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    MountPoint mount;
    mount.id = to_number(next_word(line));
    mount.parent = to_number(next_word(line));
    mount.device = next_word(line);
    mount.root = unescape(next_word(line));
    mount.path = unescape(next_word(line));
    mount.read_only = says_read_only(next_word(line));
    std::size_t dash = line.find("- ");  // optional fields stand before it
    if (dash == std::string_view::npos || !mount.path.is_absolute() || mount.id <= 0) continue;
    // Of a table that changed while it was read a line may come twice.
    if (std::ranges::find(mounts, mount.id, &MountPoint::id) != mounts.end()) continue;
    line.remove_prefix(dash + 2);
    mount.type = next_word(line);
    next_word(line);  // the source
    if (says_read_only(line)) mount.read_only = true;
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

std::vector<MountPoint> reachable_mounts(const std::vector<MountPoint>& all) {
  const MountPoint* root = nullptr;
  for (const MountPoint& mount : all) {
    auto is_parent = [&](const MountPoint& other) { return other.id == mount.parent && other.id != mount.id; };
    if (mount.path == "/" && std::ranges::none_of(all, is_parent)) root = &mount;
  }
  std::vector<MountPoint> reached;
  if (root != nullptr) {
    reach(*root, all, reached);
    return reached;
  }
  // In a chroot that is no mount the table does not tell of the root: it is the parent of those without one here.
  MountPoint outside{.id = 0, .parent = 0, .device = "", .root = "/", .path = "/", .type = "", .read_only = false};
  std::vector<MountPoint> with_root = all;
  for (MountPoint& mount : with_root) {
    if (std::ranges::none_of(all, [&](const MountPoint& other) { return other.id == mount.parent; }))
      mount.parent = outside.id;
  }
  with_root.push_back(outside);
  reach(outside, with_root, reached);
  std::erase_if(reached, [](const MountPoint& mount) { return mount.path == "/"; });
  return reached;
}

const MountPoint* Host::mount_of(const fs::path& path) const {
  const MountPoint* deepest = nullptr;
  for (const MountPoint& mount : mounts)
    if (is_within(path, mount.path) &&
        (deepest == nullptr || mount.path.native().size() >= deepest->path.native().size()))
      deepest = &mount;
  return deepest;
}

bool Host::has_mounts_below(const fs::path& directory) const {
  return std::ranges::any_of(mount_paths,
                             [&](const fs::path& path) { return path != directory && is_within(path, directory); });
}

std::vector<fs::path> Host::aliases(const fs::path& path) const {
  const MountPoint* home = mount_of(path);
  if (home == nullptr) return {};
  auto join = [](const fs::path& top, const fs::path& relative) { return (top / relative).lexically_normal(); };
  auto without_slash = [](const fs::path& joined) { return joined.has_filename() ? joined : joined.parent_path(); };
  fs::path stored = without_slash(join(home->root, path.lexically_relative(home->path)));
  std::vector<fs::path> found;
  for (const MountPoint& mount : mounts) {
    if (mount.device != home->device) continue;
    fs::path name;
    if (is_within(stored, mount.root)) {
      name = without_slash(join(mount.path, stored.lexically_relative(mount.root)));
    } else if (is_within(mount.root, stored)) {
      name = mount.path;  // a part of it is mounted elsewhere
    }
    if (!name.empty() && !is_within(name, path)) found.push_back(std::move(name));
  }
  return found;
}

Result<const Host*> HostWatch::now() {
  auto time = std::chrono::steady_clock::now();
  bool first = !table_;
  if (first) {
    KIST_TRY_ASSIGN(table_, open_file("/proc/self/mountinfo", O_RDONLY));
  }
  pollfd watched{table_.get(), POLLPRI, 0};
  if (first || ::poll(&watched, 1, 0) != 0) {
    KIST_TRY_ASSIGN(std::string text, read_again(table_.get()));
    std::vector<MountPoint> all = parse_mount_table(text);
    host_.mounts = reachable_mounts(all);
    host_.mount_paths.clear();
    for (MountPoint& mount : all) host_.mount_paths.push_back(std::move(mount.path));
  }
  if (first || time - looked_ > kSocketsAge) {
    host_.sockets.clear();
    std::size_t left = kMostDirectories;
    find_sockets("/run", kSocketDepth, left, host_.sockets);
    looked_ = time;
  }
  return &host_;
}

}  // namespace kist::sandbox
