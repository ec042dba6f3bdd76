// The order of a root's making:
//
//   1. The namespace's mounts become private: nothing comes from the host any more, nothing goes there.
//   2. Everything the root is made of is opened as a detached mount, while the host's paths can still be named:
//      overlays of the host's file systems, clones of sources, new file systems. What is to be done with it goes into
//      one list of steps.
//   3. The root is attached over scratch and becomes `/`; the old one is let go.
//   4. The steps are taken. Targets are now plain paths that are resolved inside the root, so a link in one (the
//      host's /bin, say) leads where it leads for the task, and nothing of the host can be reached by mistake.
//
// As root, one overlay serves `/` and one each of the other mounted file systems, since an overlay of `/` shows only
// empty directories where something is mounted. What starts empty or is hidden is prepared in the directories that hold
// the changes: an opaque directory, a whiteout. So /tmp, /mnt and all else are one file system to the task, and a file
// can be renamed from anywhere to anywhere.
//
// An ordinary user may not lay an overlay over `/`, nor over any directory in which something is mounted. There `/` is
// a directory in scratch that holds what the host's `/` holds: overlays of its directories, its links and small files.
// A directory with mounts inside is taken apart in the same way where the user may have something to write there, and
// shown read-only where not.
#include "sandbox/root.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <set>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.hpp"
#include "sandbox/layers.hpp"
#include "sandbox/mounts.hpp"
#include "sandbox/step.hpp"
#include "sandbox/view.hpp"

namespace kist::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSmallFile = 256 * 1024;  // below, a copy is cheaper than a mount, and can be renamed over

bool is_special(const fs::path& path) {
  return std::ranges::any_of(std::to_array({"/proc", "/sys", "/dev"}),
                             [&](const char* special) { return is_within(path, special); });
}

// Nothing can be changed there anyhow, or an overlay would show nothing that works.
bool is_shown_as_it_is(const MountPoint& mount) {
  static const std::set<std::string> kinds = {"squashfs", "iso9660", "udf",     "erofs",     "nsfs",
                                              "ramfs",    "cgroup",  "cgroup2", "tracefs",   "debugfs",
                                              "bpf",      "mqueue",  "pstore",  "hugetlbfs", "rpc_pipefs"};
  return kinds.contains(mount.type);
}

class Builder {
 public:
  Builder(const Layout& layout, Isolation isolation, const Host& host, fs::path skeleton)
      : layout_(layout),
        user_(isolation == Isolation::user),
        host_(host),
        skeleton_(std::move(skeleton)),
        layers_(layout.scratch, user_) {}

  Result<std::vector<Region>> build() {
    ::umask(0);
    KIST_TRY(make_mounts_private());
    KIST_TRY(check_holds_changes(layout_.scratch));
    KIST_TRY_ASSIGN(view_, View::make(layout_, host_));
    KIST_TRY(user_ ? lay_user_root() : lay_root());
    KIST_TRY(lay_directories());
    KIST_TRY(lay_special());
    for (const Mount& mount : layout_.mounts) KIST_TRY(lay(mount));
    if (!layout_.control_socket.empty()) KIST_TRY(clone(layout_.control_socket, kControlSocket, {}));
    KIST_TRY(cover_hidden());
    for (const File& file : layout_.files) add_file(file.path, file.content, file.mode);
    KIST_TRY(enter());
    for (Step& step : steps_) {
      Status taken = take_step(step, regions_);
      if (!taken && !step.optional) return std::unexpected(std::move(taken).error());
    }
    ::umask(022);
    return std::move(regions_);
  }

 private:
  // ---- the list

  Step& add(Step::Kind kind, const fs::path& target) {
    Step& step = steps_.emplace_back();
    step.kind = kind;
    step.target = target;
    return step;
  }

  Step& add_file(const fs::path& target, std::string content, unsigned mode) {
    Step& step = add(Step::Kind::file, target);
    step.content = std::move(content);
    step.mode = mode;
    return step;
  }

  struct How {
    bool recursive = true;
    bool read_only = false;
    bool canonical = false;
    bool optional = false;
  };

  Status clone(const fs::path& source, const fs::path& target, How how) {
    auto mount = clone_mount(source, how.recursive, how.read_only);
    if (!mount) return how.optional ? Status() : std::unexpected(std::move(mount).error());
    Step& step = add(Step::Kind::mount, target);
    step.mount = std::move(*mount);
    step.is_file = !leads_to_directory(source);
    step.canonical = how.canonical;
    step.optional = how.optional;
    return {};
  }

  // ---- the host

  // What is fresh or hidden in an overlay of `top`, not in another one that lies over it.
  std::vector<const Directory*> holes_in(const fs::path& top) const {
    std::vector<const Directory*> holes;
    for (const Directory& directory : view_.directories()) {
      fs::path parent = directory.path.parent_path();
      if (directory.kind == Directory::Kind::visible || directory.path == top || !is_within(parent, top) ||
          !view_.shows_host(parent))
        continue;
      auto lies_over = [&](const fs::path& other) {
        return other.native().size() > top.native().size() && is_within(parent, other);
      };
      bool elsewhere = std::ranges::any_of(view_.directories(), [&](const Directory& other) {
        return other.kind == Directory::Kind::visible && lies_over(other.path);
      });
      if (!user_)
        elsewhere =
            elsewhere || std::ranges::any_of(host_.mounts, [&](const MountPoint& m) { return lies_over(m.path); });
      if (!elsewhere) holes.push_back(&directory);
    }
    return holes;
  }

  static unsigned mode_of(const Directory& directory) {
    return directory.path == "/tmp" || directory.path == "/var/tmp" ? 01777 : 0755;
  }

  // An overlay of a directory of the host, to be seen at its own path.
  Result<Layer> overlay_host(const fs::path& path, const fs::path& between = {}) {
    auto directories = holes_in(path);
    std::vector<Hole> holes;
    for (const Directory* directory : directories)
      holes.push_back(
          {directory->path.lexically_relative(path), directory->kind == Directory::Kind::hidden, mode_of(*directory)});
    KIST_TRY_ASSIGN(Layer layer, layers_.lay(path, between, holes));
    for (std::size_t i = 0; i < directories.size(); ++i)
      if (layer.made[i]) made_.insert(directories[i]);
    return layer;
  }

  void add_layer(Layer layer, const fs::path& source, const fs::path& target, bool canonical) {
    Step& step = add(Step::Kind::mount, target);
    step.mount = std::move(layer.mount);
    step.canonical = canonical;
    step.region.host = std::move(layer.upper);
    step.region.lower = source;
  }

  Status lay_root() {
    KIST_TRY_ASSIGN(Layer top, overlay_host("/"));
    root_ = std::move(top.mount);
    regions_.push_back({"/", top.upper, "/"});
    lay_mounts(nullptr);
    for (const fs::path& socket : host_.sockets)
      if (view_.deciding(socket) == nullptr)
        KIST_TRY(clone(socket, socket, {.recursive = false, .read_only = true, .canonical = true, .optional = true}));
    return {};
  }

  // The mounts that are seen because of a visible directory; nullptr: of the host.
  void lay_mounts(const Directory* visible) {
    for (const MountPoint& mount : host_.mounts) {
      if (mount.path == "/" || is_special(mount.path) || is_within(mount.path, layout_.scratch)) continue;
      if (view_.deciding(mount.path) != visible || (visible != nullptr && mount.path == visible->path)) continue;
      lay_mount(mount);
    }
  }

  // One that cannot be shown (another user's FUSE) is left out: its directory is empty.
  void lay_mount(const MountPoint& mount) {
    if (mount.type == "autofs") return;  // would mount more at a look; what it has mounted already is in the list
    auto status = status_of(mount.path);
    if (!status) return;
    if (S_ISREG(status->st_mode)) {
      // A container's /etc/hosts. As a file of the root the task may change it.
      if (auto content = read_file(mount.path, kSmallFile)) {
        add_file(mount.path, std::move(*content), status->st_mode & 07777);
        return;
      }
    }
    if (S_ISDIR(status->st_mode) && !is_shown_as_it_is(mount)) {
      if (auto layer = overlay_host(mount.path)) {
        add_layer(std::move(*layer), mount.path, mount.path, true);
        return;
      }
    }
    (void)clone(mount.path, mount.path, {.recursive = false, .read_only = true, .canonical = true, .optional = true});
  }

  // ---- the host, for an ordinary user

  Status lay_user_root() {
    KIST_TRY_ASSIGN(fs::path root, layers_.new_directory("r", 0755));
    KIST_TRY_ASSIGN(root_, clone_mount(root, false, false));
    regions_.push_back({"/", root, {}});
    KIST_TRY(take_apart("/"));
    return clone("/run", "/run", {.read_only = true, .canonical = true, .optional = true});
  }

  // Where a user may have something to write although others own the directory.
  static bool is_worth_taking_apart(const fs::path& path, const struct stat& status) {
    return status.st_uid == ::geteuid() || path == "/home" || path == "/var" || path == "/srv";
  }

  void show_to_user(const fs::path& path, const struct stat& status) {
    bool is_open = ::access(path.c_str(), R_OK | X_OK) == 0;
    std::error_code error;
    if (!is_open || fs::is_empty(path, error)) {
      add(Step::Kind::directory, path).mode = (status.st_mode & 0777) | 0700;
      plain_.insert(path);
      return;
    }
    if (!host_.has_mounts_below(path)) {
      fs::path between = skeleton_.empty() ? fs::path() : skeleton_ / path.relative_path();
      // A layer must not lie in another one.
      if (is_within(skeleton_, path) || !leads_to_directory(between)) between.clear();
      if (auto layer = overlay_host(path, between)) {
        add_layer(std::move(*layer), path, path, true);
        return;
      }
    } else if (is_worth_taking_apart(path, status) && take_apart(path)) {
      return;
    }
    (void)clone(path, path, {.read_only = true, .canonical = true, .optional = true});
  }

  // A directory of the root itself with what the host has in it.
  Status take_apart(const fs::path& path) {
    std::error_code error;
    fs::directory_iterator entries(path, error);
    if (error) return fail_errno(fmt::format("cannot list {}", path.string()), error.value());
    auto own = status_of(path);
    if (path != "/") add(Step::Kind::directory, path).mode = own ? (own->st_mode & 0777) | 0700 : 0755;
    plain_.insert(path);
    for (const fs::directory_entry& entry : entries) {
      const fs::path& inner = entry.path();
      if (is_special(inner) || inner == "/run" || inner == layout_.scratch) continue;
      const Directory* directory = view_.deciding(inner);
      if (directory != nullptr && directory->path == inner && directory->kind != Directory::Kind::visible) {
        if (directory->kind == Directory::Kind::hidden) made_.insert(directory);
        continue;  // lay_directories() makes the fresh ones
      }
      struct stat status{};
      if (::lstat(inner.c_str(), &status) != 0) continue;
      if (S_ISLNK(status.st_mode)) {
        std::string leads = fs::read_symlink(inner, error).native();
        if (!error) add(Step::Kind::link, inner).content = std::move(leads);
      } else if (S_ISDIR(status.st_mode)) {
        show_to_user(inner, status);
      } else if (S_ISREG(status.st_mode) && status.st_size <= static_cast<off_t>(kSmallFile)) {
        if (auto content = read_file(inner, kSmallFile))
          add_file(inner, std::move(*content), status.st_mode & 0777).modified = status.st_mtim;
      } else {
        KIST_TRY(clone(inner, inner, {.read_only = true, .canonical = true, .optional = true}));
      }
    }
    return {};
  }

  // ---- what the layout says

  // Fresh directories that are no holes in an overlay, and visible ones; the shallower come first.
  Status lay_directories() {
    for (const auto& [given, real] : view_.links()) add(Step::Kind::link, given).content = real.native();
    for (const Directory& directory : view_.directories()) {
      if (directory.kind == Directory::Kind::visible) KIST_TRY(lay_visible(directory));
      if (directory.kind != Directory::Kind::fresh || made_.contains(&directory)) continue;
      fs::path parent = directory.path.parent_path();
      if (!view_.shows_host(parent) || plain_.contains(parent)) {
        add(Step::Kind::directory, directory.path).mode = mode_of(directory);
        continue;
      }
      KIST_TRY_ASSIGN(fs::path empty, layers_.new_directory("f", mode_of(directory)));
      KIST_TRY(clone(empty, directory.path, {.recursive = false, .canonical = true}));
      steps_.back().region.host = empty;
    }
    return {};
  }

  Status lay_visible(const Directory& directory) {
    auto status = status_of(directory.path);
    if (!status) return fail_errno(fmt::format("cannot show {} to the task", directory.path.string()));
    if (!S_ISDIR(status->st_mode)) return lay({Mount::Kind::private_copy, directory.path, directory.path});
    if (user_) {
      show_to_user(directory.path, *status);
      return {};
    }
    KIST_TRY_ASSIGN(Layer layer, overlay_host(directory.path));
    add_layer(std::move(layer), directory.path, directory.path, true);
    lay_mounts(&directory);
    return {};
  }

  // Filled out of sight, so that what is shown can be read-only and a part of it.
  Status lay_memory(const Mount& mount) {
    KIST_TRY_ASSIGN(FileDescriptor memory, new_file_system("tmpfs", {{"mode", "0755"}}));
    KIST_TRY_ASSIGN(fs::path hidden, layers_.new_directory("m", 0700));
    KIST_TRY(attach(memory, hidden));
    for (const File& file : mount.files) {
      fs::path path = hidden / file.path;
      std::error_code error;
      fs::create_directories(path.parent_path(), error);
      if (error) return fail_errno(fmt::format("cannot create {}", path.parent_path().string()), error.value());
      KIST_TRY_ASSIGN(FileDescriptor made, open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
      KIST_TRY(write_all(made.get(), file.content, file.path.native()));
      if (::fchmod(made.get(), file.mode) != 0)
        return fail_errno(fmt::format("cannot set the mode of {}", file.path.string()));
    }
    fs::path shown = mount.below.empty() ? hidden : hidden / mount.below;
    if (!status_of(shown))
      return fail(ErrorKind::not_found,
                  fmt::format("cannot mount {}: there is no {} in it", mount.target.string(), mount.below.string()));
    return clone(shown, mount.target, {.recursive = false, .read_only = true});
  }

  Status lay(const Mount& mount) {
    if (mount.kind == Mount::Kind::memory) return lay_memory(mount);
    auto status = status_of(mount.source);
    if (!status) return fail_errno(fmt::format("cannot mount {} at {}", mount.source.string(), mount.target.string()));
    if (mount.kind != Mount::Kind::private_copy)
      return clone(mount.source, mount.target, {.read_only = mount.kind == Mount::Kind::read_only});
    if (!S_ISDIR(status->st_mode)) return lay_file(mount, *status);
    fs::path source = resolved(mount.source);
    std::vector<Hole> holes;
    for (const Directory& directory : view_.directories())
      if (directory.kind == Directory::Kind::hidden && directory.path != source && is_within(directory.path, source))
        holes.push_back({directory.path.lexically_relative(source), true});
    KIST_TRY_ASSIGN(Layer layer, layers_.lay(source, {}, holes));
    add_layer(std::move(layer), source, mount.target, false);
    return {};
  }

  Status lay_file(const Mount& mount, const struct stat& status) {
    if (S_ISREG(status.st_mode) && status.st_size <= static_cast<off_t>(kSmallFile)) {
      KIST_TRY_ASSIGN(std::string content, read_file(mount.source));
      add_file(mount.target, std::move(content), status.st_mode & 07777).modified = status.st_mtim;
      return {};
    }
    // Only directories can be overlaid: the file's own one is, out of sight, and the file is taken from there.
    fs::path source = resolved(mount.source);
    KIST_TRY_ASSIGN(fs::path hidden, layers_.new_directory("h", 0700));
    KIST_TRY_ASSIGN(Layer layer, layers_.lay(source.parent_path(), {}, {}));
    KIST_TRY(attach(layer.mount, hidden));
    KIST_TRY(clone(hidden / source.filename(), mount.target, {.recursive = false}));
    steps_.back().region.host = layer.upper / source.filename();
    steps_.back().region.lower = source;
    return {};
  }

  // What a mount brings with it or could not be left out: a hidden path that is seen in spite of all gets an empty
  // directory over it.
  Status cover_hidden() {
    std::set<fs::path> covers;
    for (const Directory& directory : view_.directories()) {
      if (directory.kind != Directory::Kind::hidden) continue;
      auto lies_in = [&](const Directory& other) {
        return other.kind == Directory::Kind::visible && is_within(other.path, directory.path);
      };
      bool is_mounted_over = std::ranges::any_of(
          layout_.mounts, [&](const Mount& mount) { return is_within(directory.path, mount.target); });
      bool is_left = !made_.contains(&directory) && view_.shows_host(directory.path.parent_path()) &&
                     std::ranges::none_of(view_.directories(), lies_in);
      if (is_left || is_mounted_over) covers.insert(directory.path);
      for (const Mount& mount : layout_.mounts) {
        if (mount.kind == Mount::Kind::memory) continue;
        fs::path source = resolved(mount.source);
        if (mount.kind != Mount::Kind::private_copy && is_within(directory.path, source) && directory.path != source)
          covers.insert(mount.target / directory.path.lexically_relative(source));
      }
    }
    for (const fs::path& path : covers) {
      KIST_TRY_ASSIGN(fs::path empty, layers_.new_directory("e", 0555));
      KIST_TRY_ASSIGN(FileDescriptor mount, clone_mount(empty, false, true));
      add(Step::Kind::cover, path).mount = std::move(mount);
    }
    return {};
  }

  // ---- what the kernel makes

  Status lay_special() {
    KIST_TRY(lay_processes());
    KIST_TRY(clone("/sys", "/sys", {.read_only = true, .canonical = true, .optional = true}));
    // Read-only: a device can be written to all the same, but none be made or removed, which would reach the host.
    KIST_TRY(clone("/dev", "/dev", {.read_only = true, .canonical = true, .optional = true}));
    if (leads_to_directory("/dev/shm")) KIST_TRY(add_file_system("tmpfs", "/dev/shm", {{"mode", "1777"}}));
    if (leads_to_directory("/dev/mqueue")) KIST_TRY(add_file_system("mqueue", "/dev/mqueue", {}));
    if (leads_to_directory("/dev/pts")) {
      std::vector<std::pair<const char*, const char*>> options{{"ptmxmode", "0666"}, {"mode", "0620"}};
      if (!user_) options.emplace_back("gid", "5");  // tty, by custom; a user's namespace has no such group
      KIST_TRY(add_file_system("devpts", "/dev/pts", options));
    }
    return {};
  }

  Status lay_processes() {
    auto fresh = new_file_system("proc", {});
    // Refused to a user where parts of the host's own are covered, as inside containers: that one is shown then.
    if (!fresh && user_) return clone("/proc", "/proc", {.canonical = true});
    if (!fresh) return std::unexpected(std::move(fresh).error());
    Step& step = add(Step::Kind::mount, "/proc");
    step.mount = std::move(*fresh);
    step.canonical = true;
    if (user_) return {};  // the kernel's settings are not the user's to change
    step.guards_settings = true;
    return {};
  }

  Status add_file_system(const char* type, const char* target,
                         const std::vector<std::pair<const char*, const char*>>& options) {
    KIST_TRY_ASSIGN(FileDescriptor mount, new_file_system(type, options));
    Step& step = add(Step::Kind::mount, target);
    step.mount = std::move(mount);
    step.canonical = true;
    return {};
  }

  // ---- the new root

  Status enter() {
    KIST_TRY(attach(root_, layout_.scratch));
    if (::chdir(layout_.scratch.c_str()) != 0)
      return fail_errno(fmt::format("cannot enter {}", layout_.scratch.string()));
    if (::syscall(SYS_pivot_root, ".", ".") != 0) return fail_errno("cannot change the root");
    // The old root lies over the new one now.
    if (::umount2(".", MNT_DETACH) != 0) return fail_errno("cannot let go of the old root");
    if (::chdir("/") != 0) return fail_errno("cannot enter the new root");
    return {};
  }

  const Layout& layout_;
  bool user_;
  const Host& host_;
  fs::path skeleton_;
  Layers layers_;
  View view_;
  FileDescriptor root_;
  std::vector<Step> steps_;
  std::set<const Directory*> made_;  // what is fresh or hidden already
  std::set<fs::path> plain_;         // directories of a user's root that are no overlay
  std::vector<Region> regions_;
};

}  // namespace

Result<std::vector<Region>> enter_root(const Layout& layout, Isolation isolation, const Host& host,
                                       const fs::path& skeleton) {
  return Builder(layout, isolation, host, skeleton).build();
}

}  // namespace kist::sandbox
