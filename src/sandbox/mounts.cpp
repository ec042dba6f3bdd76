#include "sandbox/mounts.hpp"

#include <array>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace kist::sandbox {
namespace {

int set(int context, unsigned command, const char* key, const char* value, int extra = 0) {
  return static_cast<int>(::syscall(SYS_fsconfig, context, command, key, value, extra));
}

Result<FileDescriptor> open_context(const char* type) {
  FileDescriptor context(static_cast<int>(::syscall(SYS_fsopen, type, FSOPEN_CLOEXEC)));
  if (!context) return fail_errno(fmt::format("cannot open the file system {}", type));
  return context;
}

Result<FileDescriptor> create(const FileDescriptor& context, const std::string& doing) {
  if (set(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr) != 0) return fail_errno(doing);
  FileDescriptor mount(static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0)));
  if (!mount) return fail_errno(doing);
  return mount;
}

}  // namespace

Result<FileDescriptor> clone_mount(const std::filesystem::path& source, bool recursive, bool read_only) {
  std::string doing = fmt::format("cannot mount {}", source.string());
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
  FileDescriptor mount(static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, source.c_str(), flags)));
  if (!mount) return fail_errno(doing);
  if (read_only) {
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_RDONLY;
    unsigned depth = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
    if (::syscall(SYS_mount_setattr, mount.get(), "", depth, &attributes, sizeof attributes) != 0)
      return fail_errno(fmt::format("cannot mount {} read-only", source.string()));
  }
  return mount;
}

Result<FileDescriptor> overlay(const std::vector<std::filesystem::path>& lower, const std::filesystem::path& upper,
                               const std::filesystem::path& work, bool user) {
  std::string doing = fmt::format("cannot lay an overlay over {}", lower.back().string());
  // /proc/self/fd/N holds none of the characters (':' ',' '\') that overlayfs takes apart.
  std::vector<FileDescriptor> held;
  auto name = [&](const std::filesystem::path& path) -> Result<std::string> {
    KIST_TRY_ASSIGN(FileDescriptor file, open_file(path, O_PATH | O_DIRECTORY));
    held.push_back(std::move(file));
    return fmt::format("/proc/self/fd/{}", held.back().get());
  };
  std::string lowers;
  for (const std::filesystem::path& path : lower) {
    KIST_TRY_ASSIGN(std::string one, name(path));
    lowers += (lowers.empty() ? "" : ":") + one;
  }
  KIST_TRY_ASSIGN(std::string upper_name, name(upper));
  KIST_TRY_ASSIGN(std::string work_name, name(work));
  KIST_TRY_ASSIGN(FileDescriptor context, open_context("overlay"));
  // No redirects and no metadata-only copies: what lies in `upper` is then whole, and can be taken from there.
  // Volatile: a task's scratch is worth nothing after a crash.
  const std::array<std::pair<const char*, const char*>, 7> options{{{"source", "kist"},
                                                                    {"lowerdir", lowers.c_str()},
                                                                    {"upperdir", upper_name.c_str()},
                                                                    {"workdir", work_name.c_str()},
                                                                    {"redirect_dir", user ? nullptr : "off"},
                                                                    {"metacopy", user ? nullptr : "off"},
                                                                    {"index", "off"}}};
  for (const auto& [key, value] : options)
    if (value != nullptr && set(context.get(), FSCONFIG_SET_STRING, key, value) != 0) return fail_errno(doing);
  for (const char* flag : {"volatile", user ? "userxattr" : nullptr})
    if (flag != nullptr && set(context.get(), FSCONFIG_SET_FLAG, flag, nullptr) != 0) return fail_errno(doing);
  return create(context, doing);
}

Result<FileDescriptor> new_file_system(const char* type,
                                       const std::vector<std::pair<const char*, const char*>>& options) {
  std::string doing = fmt::format("cannot make a new {}", type);
  KIST_TRY_ASSIGN(FileDescriptor context, open_context(type));
  for (const auto& [key, value] : options)
    if (set(context.get(), value == nullptr ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING, key, value) != 0)
      return fail_errno(doing);
  return create(context, doing);
}

Status attach(const FileDescriptor& mount, const std::filesystem::path& target) {
  if (::syscall(SYS_move_mount, mount.get(), "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return fail_errno(fmt::format("cannot mount at {}", target.string()));
  return {};
}

Status make_mounts_private() {
  constexpr const char* kDoing = "cannot make the mounts private";
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0) return {};
  if (errno != EINVAL) return fail_errno(kDoing);
  // Above a chroot lies the namespace's own root, which is reached by leaving the chroot for a moment.
  KIST_TRY_ASSIGN(FileDescriptor root, open_file("/", O_PATH | O_DIRECTORY));
  if (::chroot("/proc") != 0 || ::fchdir(root.get()) != 0) return fail_errno(kDoing);
  struct stat here{};
  struct stat above{};
  do {
    if (::stat(".", &here) != 0 || ::chdir("..") != 0 || ::stat(".", &above) != 0) return fail_errno(kDoing);
  } while (here.st_ino != above.st_ino || here.st_dev != above.st_dev);
  if (::mount(nullptr, ".", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return fail_errno(kDoing);
  FileDescriptor own(static_cast<int>(
      ::syscall(SYS_open_tree, root.get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE)));
  if (!own) return fail_errno(kDoing);
  unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  if (::syscall(SYS_move_mount, own.get(), "", root.get(), "", flags) != 0) return fail_errno(kDoing);
  if (::fchdir(own.get()) != 0 || ::chroot(".") != 0) return fail_errno(kDoing);
  return {};
}

}  // namespace kist::sandbox
