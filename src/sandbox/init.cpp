#include "sandbox/init.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <map>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/channel.hpp"
#include "sandbox/privileges.hpp"
#include "sandbox/processes.hpp"
#include "sandbox/program.hpp"
#include "sandbox/root.hpp"
#include "sandbox/starter.hpp"

namespace kist::sandbox {
namespace {

namespace fs = std::filesystem;

Ended describe_end(int status, const rusage& usage) {
  auto micros = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  Ended ended;
  ended.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  ended.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  ended.core_dumped = WIFSIGNALED(status) && WCOREDUMP(status);
  ended.user_time = micros(usage.ru_utime);
  ended.system_time = micros(usage.ru_stime);
  ended.peak_memory = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  return ended;
}

class Init {
 public:
  Init(int channel, int life, Isolation isolation)
      : channel_(channel),
        life_(life),
        is_first_(isolation != Isolation::directory),
        has_user_namespace_(isolation == Isolation::user) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    children_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    null_.reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
  }

  [[noreturn]] void serve() {
    std::array<pollfd, 3> watched{{{channel_, POLLIN, 0}, {children_.get(), POLLIN, 0}, {life_, POLLIN, 0}}};
    while (true) {
      if (::poll(watched.data(), watched.size(), -1) < 0) continue;
      if (watched[2].revents != 0) leave();
      if (watched[1].revents != 0) {
        drain();
        reap(WNOHANG);
      }
      if (watched[0].revents != 0) {
        auto message = receive_message(channel_);
        if (!message || !*message) leave();
        answer(**message);
      }
    }
  }

 private:
  [[noreturn]] void leave() {
    if (!is_first_) kill_all();
    ::_exit(0);
  }

  void answer(Message& message) {
    Unpacker unpacker(message.bytes);
    std::string reply = Packer().add(std::uint64_t{0}).bytes();
    switch (static_cast<Demand>(unpacker.number())) {
      case Demand::start: {
        auto started = start(unpacker, message.descriptors);
        reply = started ? Packer().add(std::uint64_t{0}).add(static_cast<std::uint64_t>(*started)).bytes()
                        : pack(started.error());
        break;
      }
      case Demand::signal: {
        auto process = static_cast<pid_t>(unpacker.number());
        signal_session(process, static_cast<int>(unpacker.number()));
        break;
      }
      case Demand::signal_all: {
        auto number = static_cast<int>(unpacker.number());
        if (is_first_)
          ::kill(-1, number);
        else
          signal_descendants(number);
        break;
      }
      case Demand::quiesce:
        kill_all();
        break;
      case Demand::renew:
        kill_all();
        reply = Packer().add(std::uint64_t{0}).add(std::uint64_t{is_first_ && memory_is_clean() ? 1U : 0U}).bytes();
        break;
    }
    (void)send_message(channel_, reply);
  }

  // Orphans become children of init: where nobody is found to be killed, nobody could fork any more.
  void kill_all() {
    if (is_first_) {
      while (::kill(-1, SIGKILL) == 0) reap(0);
      return;
    }
    // Somebody may fork between the look and the kill: not waited for, but met at the next look.
    constexpr int kPatience = 10;  // ms
    pollfd ended{children_.get(), POLLIN, 0};
    while (signal_descendants(SIGKILL)) {
      ::poll(&ended, 1, kPatience);
      drain();
      reap(WNOHANG);
    }
  }

  // What outlives the processes of a namespace without being a file of the root.
  static bool memory_is_clean() {
    for (const char* path : {"/dev/shm", "/dev/mqueue"}) {
      std::error_code error;
      if (fs::exists(path, error) && (!fs::is_empty(path, error) || error)) return false;
    }
    // One line, the heading, where there is none.
    return std::ranges::all_of(std::to_array({"/proc/sysvipc/shm", "/proc/sysvipc/sem", "/proc/sysvipc/msg"}),
                               [](const char* path) {
                                 auto text = read_file(path, 1 << 16);
                                 return text && std::ranges::count(*text, '\n') <= 1;
                               });
  }

  void drain() {
    signalfd_siginfo ignored{};
    while (::read(children_.get(), &ignored, sizeof ignored) > 0) {
    }
  }

  Result<pid_t> start(Unpacker& unpacker, std::vector<FileDescriptor>& descriptors) {
    Program program;
    unpacker.get(program.arguments);
    unpacker.get(program.environment);
    program.working_directory = unpacker.text();
    program.dies_with_parent = !is_first_;
    std::uint64_t given = unpacker.number();  // bits: which of the three streams came with the message

    std::size_t next = 0;
    for (std::size_t i = 0; i < program.streams.size(); ++i) {
      bool is_here = (given >> i & 1) != 0 && next < descriptors.size();
      program.streams[i] = is_here ? descriptors[next++].get() : null_.get();
    }
    program.terminal = (given & kHasTerminal) != 0;
    if (next >= descriptors.size() || program.arguments.empty())
      return fail(ErrorKind::invalid, "cannot start a process: no command was given");
    const int starter = (given & kHasStarter) != 0 && next + 1 < descriptors.size() ? descriptors[next + 1].get() : -1;
    if (starter >= 0 && is_first_) {
      if (auto started = start_by_starter(starter, program, has_user_namespace_)) {
        running_.insert_or_assign(*started, std::move(descriptors[next]));
        let_begin(starter);
        return *started;
      }
    }
    KIST_TRY_ASSIGN(pid_t child, spawn(program));
    running_.insert_or_assign(child, std::move(descriptors[next]));
    return child;
  }

  void reap(int options) {
    while (true) {
      int status = 0;
      rusage usage{};
      pid_t process = ::wait4(-1, &status, options, &usage);
      if (process < 0 && errno == EINTR) continue;
      if (process <= 0) return;
      auto found = running_.find(process);
      if (found == running_.end()) continue;
      Ended ended = describe_end(status, usage);
      (void)!::write(found->second.get(), &ended, sizeof ended);
      running_.erase(found);
    }
  }

  int channel_;
  int life_;
  bool is_first_;  // pid 1 of a namespace of its own: what it leaves behind is killed with it
  bool has_user_namespace_;
  FileDescriptor children_;
  FileDescriptor null_;
  std::map<pid_t, FileDescriptor> running_;  // with the pipe for how they end
};

constexpr int kChannel = 3;
constexpr int kLife = 4;

// The root, or what stands for it, and this process in it.
Result<std::vector<Region>> settle(const Birth& birth) {
  reset_signals();
  if (birth.isolation == Isolation::directory) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    ::umask(022);
    if (::chdir(birth.layout.scratch.c_str()) != 0)
      return fail_errno(fmt::format("cannot enter {}", birth.layout.scratch.string()));
    return std::vector<Region>();
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  bool is_user = birth.isolation == Isolation::user;
  bool is_root_inside = !is_user || birth.layout.as_root;
  if (is_user)
    KIST_TRY(map_user(birth.user, birth.group, birth.layout.as_root ? 0 : birth.user,
                      birth.layout.as_root ? 0 : birth.group));
  KIST_TRY_ASSIGN(auto regions, enter_root(birth.layout, birth.isolation, *birth.host, birth.skeleton));
  // A task may look at init and trace it as far as the kernel lets it: nothing must be gained by that.
  drop_capabilities(!is_root_inside);
  ::prctl(PR_SET_DUMPABLE, 0);
  // A change of credentials clears it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  return regions;
}

// Leaves open the channel and the sign of life, as kChannel and kLife, and nothing of the host's.
void keep_descriptors(int channel, int life) {
  int safe_channel = ::fcntl(channel, F_DUPFD_CLOEXEC, 16);
  int safe_life = ::fcntl(life, F_DUPFD_CLOEXEC, 16);
  ::dup3(safe_channel, kChannel, O_CLOEXEC);
  ::dup3(safe_life, kLife, O_CLOEXEC);
  ::syscall(SYS_close_range, 5U, ~0U, 0U);
  int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int i = 0; i < 3; ++i) ::dup2(null, i);
  if (null > 2) ::close(null);
}

}  // namespace

void run_init(Birth birth) {
  auto regions = settle(birth);
  int channel = birth.channel.release();
  keep_descriptors(channel, birth.life);
  if (!regions) {
    (void)send_message(kChannel, pack(regions.error()));
    ::_exit(1);
  }
  {
    Packer packer;
    packer.add(std::uint64_t{0}).add(regions->size());
    for (const Region& region : *regions) packer.add(region.target).add(region.host).add(region.lower);
    FileDescriptor self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
    FileDescriptor root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    std::array<int, 2> descriptors{self.get(), root.get()};
    (void)send_message(kChannel, packer.bytes(), descriptors);
  }
  Init(kChannel, kLife, birth.isolation).serve();
}

Status map_user(uid_t user, gid_t group, uid_t inside, gid_t inside_group) {
  auto write = [](const char* path, const std::string& text) -> Status {
    KIST_TRY_ASSIGN(FileDescriptor file, open_file(path, O_WRONLY));
    return write_all(file.get(), text, path);
  };
  KIST_TRY(write("/proc/self/setgroups", "deny"));
  KIST_TRY(write("/proc/self/uid_map", fmt::format("{} {} 1", inside, user)));
  return write("/proc/self/gid_map", fmt::format("{} {} 1", inside_group, group));
}

}  // namespace kist::sandbox
