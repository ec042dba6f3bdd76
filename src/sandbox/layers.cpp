#include "sandbox/layers.hpp"

#include <cerrno>

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sandbox/mounts.hpp"

namespace kist::sandbox {
namespace {

namespace fs = std::filesystem;

// A directory with the attributes of another: where it lies over that one, its own are seen.
Status mirror_directory(const fs::path& path, const struct stat& like) {
  if (::mkdir(path.c_str(), 0700) != 0) {
    if (errno == EEXIST) return {};
    return fail_errno(fmt::format("cannot create {}", path.string()));
  }
  // To an ordinary user others' directories become its own: it cannot give them away.
  if ((like.st_uid != ::geteuid() || like.st_gid != ::getegid()) &&
      ::lchown(path.c_str(), like.st_uid, like.st_gid) != 0 && errno != EPERM && errno != EINVAL)
    return fail_errno(fmt::format("cannot set the owner of {}", path.string()));
  if (::chmod(path.c_str(), like.st_mode & 07777) != 0)
    return fail_errno(fmt::format("cannot set the mode of {}", path.string()));
  return {};
}

}  // namespace

Result<fs::path> Layers::new_directory(const char* name, unsigned mode) {
  fs::path path = scratch_ / fmt::format("{}{}", name, ++count_);
  if (::mkdir(path.c_str(), 0700) != 0 || ::chmod(path.c_str(), mode) != 0)
    return fail_errno(fmt::format("cannot create {}", path.string()));
  return path;
}

Result<Layer> Layers::lay(const fs::path& lower, const fs::path& between, const std::vector<Hole>& holes) {
  Layer layer;
  struct stat status{};
  if (::stat(lower.c_str(), &status) != 0) return fail_errno(fmt::format("cannot mount {}", lower.string()));
  int number = ++count_;
  layer.upper = scratch_ / fmt::format("u{}", number);
  fs::path work = scratch_ / fmt::format("w{}", number);
  KIST_TRY(mirror_directory(layer.upper, status));
  if (::mkdir(work.c_str(), 0700) != 0) return fail_errno(fmt::format("cannot create {}", work.string()));
  for (const Hole& hole : holes) layer.made.push_back(make_hole(lower, layer.upper, hole));
  std::vector<fs::path> lowers;
  if (!between.empty()) lowers.push_back(between);
  lowers.push_back(lower);
  KIST_TRY_ASSIGN(layer.mount, overlay(lowers, layer.upper, work, user_));
  return layer;
}

bool Layers::make_hole(const fs::path& lower, const fs::path& upper, const Hole& hole) const {
  fs::path below = lower;
  fs::path above = upper;
  struct stat status{};
  for (const fs::path& part : hole.path.parent_path()) {
    below /= part;
    above /= part;
    if (::lstat(below.c_str(), &status) != 0) {
      if (hole.absent) return true;  // nothing is there
      status = {};
      status.st_mode = 0755;
      status.st_uid = ::geteuid();
      status.st_gid = ::getegid();
    } else if (!S_ISDIR(status.st_mode)) {
      return false;
    }
    if (!mirror_directory(above, status)) return false;
  }
  below /= hole.path.filename();
  above /= hole.path.filename();
  bool exists = ::lstat(below.c_str(), &status) == 0;
  if (hole.absent) return !exists || ::mknod(above.c_str(), S_IFCHR, makedev(0, 0)) == 0;
  if (::mkdir(above.c_str(), 0700) != 0 || ::chmod(above.c_str(), hole.mode) != 0) return false;
  if (!exists) return true;
  const char* name = user_ ? "user.overlay.opaque" : "trusted.overlay.opaque";
  return ::lsetxattr(above.c_str(), name, "y", 1, 0) == 0;
}

Status check_holds_changes(const fs::path& scratch) {
  struct statfs system{};
  if (::statfs(scratch.c_str(), &system) != 0) return fail_errno(fmt::format("cannot look at {}", scratch.string()));
  const char* name = nullptr;
  switch (static_cast<unsigned long>(system.f_type)) {
    case OVERLAYFS_SUPER_MAGIC:
      name = "an overlay (inside a container?)";
      break;
    case NFS_SUPER_MAGIC:
      name = "NFS";
      break;
    case MSDOS_SUPER_MAGIC:
      name = "FAT";
      break;
    case 0x2011BAB0:
      name = "exFAT";
      break;
    case V9FS_MAGIC:
      name = "9p";
      break;
    case SMB_SUPER_MAGIC:
    case CIFS_SUPER_MAGIC:
    case SMB2_SUPER_MAGIC:
      name = "a Windows share";
      break;
    default:
      return {};
  }
  return fail(ErrorKind::unsupported,
              fmt::format("{} lies on {}, which cannot hold the changes of a task's private root: set KIST_HOME to a "
                          "directory on a local file system (ext4, xfs, btrfs, tmpfs)",
                          scratch.string(), name));
}

}  // namespace kist::sandbox
