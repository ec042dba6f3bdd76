// The launcher is a fork of kist from before it had threads or memory to copy, so that starting a sandbox is one cheap
// clone. It takes layouts and clones an init for each: the building happens there, several at once. It keeps what all
// of them need to know of the host, which they inherit, and answers nothing but what isolation it found.
//
// It ends with kist, whatever way: by a signal from the kernel, and by the end of its socket. Its inits end with it in
// the same two ways.
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/channel.hpp"
#include "sandbox/host.hpp"
#include "sandbox/init.hpp"
#include "sandbox/mounts.hpp"
#include "sandbox/private_root.hpp"
#include "sandbox/privileges.hpp"
#include "sandbox/scratch_directory.hpp"
#include "sandbox/skeleton.hpp"

namespace kist::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kNamespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC;

pid_t clone_into(std::uint64_t namespaces) {
  clone_args arguments{};
  arguments.flags = namespaces;
  arguments.exit_signal = SIGCHLD;
  return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
}

std::uint64_t namespaces_of(Isolation isolation) {
  switch (isolation) {
    case Isolation::root:
      return kNamespaces;
    case Isolation::user:
      return kNamespaces | CLONE_NEWUSER;
    case Isolation::directory:
      return 0;
  }
  return 0;
}

// Tries what building a root needs, in a process of its own: namespaces, and an overlay over a tmpfs.
Error probe(Isolation isolation) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno("cannot make a pipe").error();
  FileDescriptor reading(ends[0]);
  FileDescriptor writing(ends[1]);
  uid_t user = ::geteuid();
  gid_t group = ::getegid();
  pid_t child = clone_into(namespaces_of(isolation));
  if (child < 0) return fail_errno("cannot make namespaces").error();
  if (child == 0) {
    auto tried = [&]() -> Status {
      if (isolation == Isolation::user) KIST_TRY(map_user(user, group, user, group));
      KIST_TRY(make_mounts_private());
      KIST_TRY_ASSIGN(FileDescriptor memory, new_file_system("tmpfs", {}));
      KIST_TRY(attach(memory, "/tmp"));
      for (const char* path : {"/tmp/lower", "/tmp/upper", "/tmp/work"}) ::mkdir(path, 0755);
      KIST_TRY_ASSIGN(FileDescriptor laid,
                      overlay({"/tmp/lower"}, "/tmp/upper", "/tmp/work", isolation == Isolation::user));
      return {};
    }();
    if (!tried) (void)write_all(writing.get(), tried.error().text, "a pipe");
    ::_exit(0);
  }
  writing.reset();
  std::string text;
  std::array<char, 512> buffer{};
  ssize_t count = 0;
  while ((count = ::read(reading.get(), buffer.data(), buffer.size())) > 0)
    text.append(buffer.data(), static_cast<std::size_t>(count));
  ::waitpid(child, nullptr, 0);
  return {ErrorKind::denied, text};
}

struct Finding {
  Isolation isolation = Isolation::directory;
  std::string why;        // it is not better
  bool is_asked = false;  // by KIST_ISOLATION: nothing else is tried
};

Finding find_isolation(const std::string& asked) {
  bool is_root = ::geteuid() == 0;
  Isolation best = is_root ? Isolation::root : Isolation::user;
  if (asked == "directory") return {Isolation::directory, "KIST_ISOLATION=directory asks for none", true};
  if (asked == "root" && !is_root) return {Isolation::directory, "KIST_ISOLATION=root, but kist does not run as root"};
  if (asked == "user") best = Isolation::user;
  Error refused = probe(best);
  if (!refused.text.empty()) return {Isolation::directory, refused.text};
  return {best, {}, !asked.empty()};
}

class Serving {
 public:
  explicit Serving(FileDescriptor socket) : socket_(std::move(socket)) {}

  [[noreturn]] void serve(const std::string& asked) {
    Finding finding = find_isolation(asked);
    // Inits are reaped by the kernel.
    ::signal(SIGCHLD, SIG_IGN);
    std::array<int, 2> life{};
    if (::pipe2(life.data(), O_CLOEXEC) != 0) ::_exit(1);
    life_.reset(life[0]);
    life_end_.reset(life[1]);
    Packer packer;
    packer.add(static_cast<std::uint64_t>(finding.isolation)).add(std::string_view(finding.why));
    (void)send_message(socket_.get(), packer.add(finding.is_asked ? 1 : 0).bytes());
    while (true) {
      auto message = receive_message(socket_.get());
      if (!message || !*message) ::_exit(0);
      if ((*message)->descriptors.empty()) continue;
      FileDescriptor channel = std::move((*message)->descriptors.front());
      if (auto born = bear((*message)->bytes, channel); !born) (void)send_message(channel.get(), pack(born.error()));
    }
  }

 private:
  Status bear(std::string_view request, FileDescriptor& channel) {
    Unpacker unpacker(request);
    Birth birth;
    birth.isolation = static_cast<Isolation>(unpacker.number());
    birth.layout = unpack_layout(unpacker.text());
    birth.user = ::geteuid();
    birth.group = ::getegid();
    if (birth.isolation != Isolation::directory) {
      KIST_TRY_ASSIGN(birth.host, host_.now());
    }
    if (birth.isolation == Isolation::user) birth.skeleton = skeleton(birth.layout.cache);
    pid_t child = clone_into(namespaces_of(birth.isolation));
    if (child < 0) return fail_errno("cannot make namespaces for a task");
    if (child > 0) return {};
    life_end_.reset();
    socket_.reset();
    ::prctl(PR_SET_NAME, "kist-init");
    birth.channel = std::move(channel);
    birth.life = life_.get();
    run_init(std::move(birth));
  }

  // Without one a task can write less: no reason not to run it.
  fs::path skeleton(const fs::path& cache) {
    if (cache.empty()) return {};
    std::error_code error;
    if (cache != skeleton_cache_ || !fs::exists(skeleton_.path, error)) {
      skeleton_cache_ = cache;
      auto opened = open_skeleton(cache);
      skeleton_ = opened ? std::move(*opened) : Skeleton();
    }
    return skeleton_.path;
  }

  FileDescriptor socket_;
  FileDescriptor life_;      // what inits watch
  FileDescriptor life_end_;  // closes with this process
  HostWatch host_;
  fs::path skeleton_cache_;
  Skeleton skeleton_;
};

Status check(const Layout& layout) {
  auto absolute = [](const fs::path& path) -> Status {
    if (!path.is_absolute())
      return fail(ErrorKind::invalid, fmt::format("'{}' is not an absolute path", path.string()));
    for (const fs::path& part : path)
      if (part == "..") return fail(ErrorKind::invalid, fmt::format("'{}' leads upward by '..'", path.string()));
    return {};
  };
  auto exists = [](const fs::path& path) -> Status {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return fail_errno(fmt::format("cannot mount {}", path.string()));
    return {};
  };
  for (const auto* paths : {&layout.fresh, &layout.hidden, &layout.visible})
    for (const fs::path& path : *paths) KIST_TRY(absolute(path));
  for (const Mount& mount : layout.mounts) {
    KIST_TRY(absolute(mount.target));
    if (mount.kind != Mount::Kind::memory) KIST_TRY(exists(mount.source));
  }
  for (const File& file : layout.files) KIST_TRY(absolute(file.path));
  return exists(layout.scratch);
}

class ForkedLauncher : public Launcher {
 public:
  ForkedLauncher(FileDescriptor socket, pid_t process) : socket_(std::move(socket)), process_(process) {}
  ~ForkedLauncher() override {
    socket_.reset();
    ::waitpid(process_, nullptr, 0);
  }

  Isolation isolation() const override { return found().isolation; }

  std::vector<std::string> limits() const override {
    const Finding& finding = found();
    switch (finding.isolation) {
      case Isolation::root:
        return {};
      case Isolation::user:
        return {
            "tasks run as this user alone: they cannot give files to others, install packages, or use sudo, and "
            "what lies below /run is read-only. Run kist as root for that"};
      case Isolation::directory:
        return {explain(finding.why)};
    }
    return {};
  }

  Result<std::unique_ptr<Sandbox>> open(const Layout& layout) override {
    KIST_TRY(check(layout));
    const Finding& finding = found();
    std::string why = finding.why;
    if (finding.isolation != Isolation::directory) {
      KIST_TRY_ASSIGN(FileDescriptor channel, order(finding.isolation, layout));
      auto opened = open_private_root(std::move(channel));
      if (opened || opened.error().kind != ErrorKind::unsupported || finding.is_asked) return opened;
      why = opened.error().text;
    }
    KIST_TRY(check_scratch_layout(layout, explain(why)));
    KIST_TRY_ASSIGN(FileDescriptor channel, order(Isolation::directory, layout));
    return open_scratch_directory(layout, std::move(channel), explain(why));
  }

 private:
  static std::string explain(const std::string& why) {
    return fmt::format(
        "no private root can be made here ({}). Run kist as root, or let this user make user namespaces "
        "(sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, "
        "kernel.apparmor_restrict_unprivileged_userns; in a container: --privileged and KIST_HOME on a "
        "volume)",
        why);
  }

  // Has an init made; the channel leads to it.
  Result<FileDescriptor> order(Isolation isolation, const Layout& layout) {
    KIST_TRY_ASSIGN(auto channel, make_channel());
    Packer packer;
    packer.add(static_cast<std::uint64_t>(isolation)).add(pack(layout));
    std::scoped_lock lock(mutex_);
    std::array<int, 1> descriptors{channel.second.get()};
    KIST_TRY(send_message(socket_.get(), packer.bytes(), descriptors));
    return std::move(channel.first);
  }

  // The launcher says what it found when it has tried: nobody waits for that before the first sandbox.
  const Finding& found() const {
    std::scoped_lock lock(mutex_);
    if (!found_) {
      found_.emplace();
      auto message = receive_message(socket_.get());
      if (message && *message) {
        Unpacker unpacker((*message)->bytes);
        found_->isolation = static_cast<Isolation>(unpacker.number());
        found_->why = unpacker.text();
        found_->is_asked = unpacker.number() != 0;
      } else {
        found_->why = "the launcher is gone";
      }
    }
    return *found_;
  }

  FileDescriptor socket_;
  pid_t process_;
  mutable std::mutex mutex_;
  mutable std::optional<Finding> found_;
};

}  // namespace

bool Layout::is_like(const Layout& other) const {
  auto what_counts = [](const Layout& layout) {
    return std::tie(layout.fresh, layout.hidden, layout.visible, layout.mounts, layout.files, layout.cache,
                    layout.as_root);
  };
  return what_counts(*this) == what_counts(other);
}

Result<std::unique_ptr<Launcher>> Launcher::start() {
  KIST_TRY_ASSIGN(auto channel, make_channel());
  pid_t parent = ::getpid();
  pid_t process = ::fork();
  if (process < 0) return fail_errno("cannot start the launcher");
  if (process == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(0);
    ::setsid();  // Ctrl+C is kist's to handle
    // 0 to 2 stay taken, by nothing: descriptors that pass through here are never mistaken for streams. Nothing else of
    // kist's stays open here.
    int socket = ::fcntl(channel.second.get(), F_DUPFD_CLOEXEC, 16);
    ::dup3(socket, 3, O_CLOEXEC);
    ::syscall(SYS_close_range, 4U, ~0U, 0U);
    int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 3; ++i) ::dup2(null, i);
    if (null > 2) ::close(null);
    (void)channel.first.release();
    (void)channel.second.release();
    const char* asked = std::getenv("KIST_ISOLATION");
    std::string isolation = asked == nullptr ? "" : asked;
    forget_arguments("kist-launcher");
    Serving(FileDescriptor(3)).serve(isolation);
  }
  return std::unique_ptr<Launcher>(std::make_unique<ForkedLauncher>(std::move(channel.first), process));
}

}  // namespace kist::sandbox
