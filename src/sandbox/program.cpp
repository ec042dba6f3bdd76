#include "sandbox/program.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>

#include <fmt/format.h>
#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace kist::sandbox {
namespace {

constexpr std::string_view kUsualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// What the child leaves where it could not become the program.
struct Failure {
  bool failed;
  bool in_directory;
  int error_number;
};

// In memory that parent and child share even where the child has a copy of all other (sanitizers need that).
Failure* shared_failure() {
  static void* const memory =
      ::mmap(nullptr, sizeof(Failure), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<Failure*>(memory);
}

// All that the child needs, made before: it shares memory with its parent and only makes system calls.
struct Prepared {
  std::vector<std::string> candidates;
  std::vector<char*> arguments;
  std::vector<char*> environment;
};

std::vector<std::string> candidates(const Program& program) {
  const std::string& name = program.arguments.front();
  if (name.empty() || name.find('/') != std::string::npos) return {name};
  std::string_view path = kUsualPath;
  for (const std::string& variable : program.environment)
    if (variable.starts_with("PATH=")) path = std::string_view(variable).substr(5);
  std::vector<std::string> found;
  while (true) {
    std::size_t end = path.find(':');
    std::string_view directory = path.substr(0, end);
    found.push_back(fmt::format("{}/{}", directory.empty() ? "." : directory, name));
    if (end == std::string_view::npos) return found;
    path.remove_prefix(end + 1);
  }
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

[[noreturn]] void become(const Program& program, const Prepared& prepared, Failure& failure) {
  ::setsid();
  if (program.dies_with_parent) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int i = 0; i < 3; ++i) ::dup2(program.streams[static_cast<std::size_t>(i)], i);
  if (program.terminal) ::ioctl(0, TIOCSCTTY, 0);
  if (::chdir(program.working_directory.c_str()) != 0) {
    failure = {true, true, errno};
    ::_exit(127);
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  int error_number = ENOENT;
  for (const std::string& candidate : prepared.candidates) {
    ::execve(candidate.c_str(), prepared.arguments.data(), prepared.environment.data());
    // A file that may not be run is remembered, and the search goes on: as shells do.
    if (errno != ENOENT && errno != ENOTDIR) error_number = errno;
  }
  failure = {true, false, error_number};
  ::_exit(127);
}

[[gnu::noinline]] pid_t make_child(const Program& program, const Prepared& prepared, Failure& failure) {
#ifdef __SANITIZE_THREAD__
  // The thread sanitizer makes vfork a fork that does not wait for the child. This one does, with memory of its own.
  const auto child = static_cast<pid_t>(::syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0));
#else
  // fork() of a process of 64 MB takes six times as long, and posix_spawn() cannot do what become() does.
  const pid_t child = ::vfork();  // NOLINT(clang-analyzer-security.insecureAPI.vfork)
#endif
  if (child == 0) become(program, prepared, failure);
  return child;
}

Error describe(const Failure& failure, const Program& program, const Prepared& prepared) {
  const char* why = std::strerror(failure.error_number);
  if (failure.in_directory)
    return {ErrorKind::invalid,
            fmt::format("cannot enter the working directory {}: {}", program.working_directory, why)};
  const std::string& name = program.arguments.front();
  if (failure.error_number != ENOENT)
    return {ErrorKind::denied, fmt::format("{}: cannot be run: {}", name,
                                           failure.error_number == ENOEXEC ? "not a program, and no #! line" : why)};
  for (const std::string& candidate : prepared.candidates)
    if (::access(candidate.c_str(), F_OK) == 0 && candidate.front() == '/')
      return {ErrorKind::not_found, fmt::format("{}: the interpreter it names does not exist", candidate)};
  return {ErrorKind::not_found, fmt::format("{}: no such program", name)};
}

}  // namespace

Result<pid_t> spawn(Program& program) {
  Failure* failure = shared_failure();
  if (failure == nullptr) return fail_errno("cannot start a process");
  *failure = {};
  Prepared prepared{candidates(program), pointers(program.arguments), pointers(program.environment)};
  // `volatile` reads below would not help: the child ran to its end, or to exec, before vfork returned here.
  pid_t child = make_child(program, prepared, *failure);
  if (child < 0) return fail_errno("cannot start a process");
  if (!failure->failed) return child;
  ::waitpid(child, nullptr, 0);
  return std::unexpected(describe(*failure, program, prepared));
}

}  // namespace kist::sandbox
