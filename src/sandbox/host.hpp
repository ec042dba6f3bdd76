// What a private root must know of this machine: its mounts, and the sockets that its daemons listen on. The launcher
// reads it once and again when it changed, so a sandbox pays nothing for it.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"

namespace kist::sandbox {

// Whether `path` is `directory` or lies below it, by components; both are normal.
bool is_within(const std::filesystem::path& path, const std::filesystem::path& directory);

// One line of /proc/self/mountinfo (proc(5)).
struct MountPoint {
  int id = 0;
  int parent = 0;
  std::string device;          // "major:minor"
  std::filesystem::path root;  // the directory of the file system that is mounted
  std::filesystem::path path;  // where
  std::string type;
  bool read_only = false;
};

// Every line, in the order of the text; what does not read as a mount, or tells again of one, is left out.
std::vector<MountPoint> parse_mount_table(std::string_view text);

// Those a path leads to, parents first: not what lies under another mount.
std::vector<MountPoint> reachable_mounts(const std::vector<MountPoint>& all);

struct Host {
  std::vector<MountPoint> mounts;  // the reachable ones, parents first
  // Where something is mounted, reachable or not: the kernel lets no ordinary user look under any of them.
  std::vector<std::filesystem::path> mount_paths;
  std::vector<std::filesystem::path> sockets;  // below /run: an overlay shows them, but nobody answers there

  // The mount that holds a path.
  const MountPoint* mount_of(const std::filesystem::path& path) const;
  bool has_mounts_below(const std::filesystem::path& directory) const;
  // The other names of a path: its file system may be mounted several times. Not `path` itself. In a chroot that is no
  // mount these are not known.
  std::vector<std::filesystem::path> aliases(const std::filesystem::path& path) const;
};

// The host as it is now. Not thread-safe.
class HostWatch {
 public:
  // Looks again where mounts changed since, or the last look at /run is a second old. Errors: io.
  Result<const Host*> now();

 private:
  FileDescriptor table_;
  Host host_;
  std::chrono::steady_clock::time_point looked_{};
};

}  // namespace kist::sandbox
