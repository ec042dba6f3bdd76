// posix_spawn (a vfork inside: cheap whatever the size of kist) with three descriptors. Standard input is a sealed-off
// copy in memory, so nothing has to be fed while output is read, and no SIGPIPE can come. A pidfd tells the end: output
// is read until then and once more, but never until end of file, which a background process that inherited the pipe
// would withhold.
#include "base/process.hpp"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.hpp"

namespace kist {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kChannel = 3;  // of a program on the terminal: its output

struct Pipe {
  FileDescriptor read;
  FileDescriptor write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno("cannot make a pipe");
  Pipe pipe{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return pipe;
}

Result<FileDescriptor> make_input(const std::string& text) {
  if (text.empty()) return open_file("/dev/null", O_RDONLY);
  FileDescriptor file(::memfd_create("input", MFD_CLOEXEC));
  if (!file) return fail_errno("cannot make room for a program's input");
  KIST_TRY(write_all(file.get(), text, "a program's input"));
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

// Starts the program; returns its process id or an errno.
int spawn(const ProcessRequest& request, int input, int output, int error_output, pid_t& process) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (request.on_terminal) {
    posix_spawn_file_actions_adddup2(&actions, output, kChannel);
  } else {
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, error_output, STDERR_FILENO);
  }
  if (!request.directory.empty()) posix_spawn_file_actions_addchdir_np(&actions, request.directory.c_str());

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t signals;
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);
  sigfillset(&signals);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  const int session = request.on_terminal ? 0 : POSIX_SPAWN_SETSID;
  posix_spawnattr_setflags(&attributes, static_cast<short>(session | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));

  std::vector<char*> arguments = pointers(request.arguments);
  std::vector<char*> environment;
  if (request.environment) environment = pointers(*request.environment);
  int error = ::posix_spawnp(&process, arguments[0], &actions, &attributes, arguments.data(),
                             request.environment ? environment.data() : environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

// Reads what is there now. False at the end of the stream or where more than `limit` came.
Result<bool> drain(int descriptor, std::string& into, std::uint64_t limit) {
  std::array<char, 65536> buffer;
  while (true) {
    ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
    if (count > 0) {
      into.append(buffer.data(), static_cast<std::size_t>(count));
      if (into.size() > limit) return fail(ErrorKind::invalid, fmt::format("it printed more than {} bytes", limit));
    } else if (count == 0) {
      return false;
    } else if (errno == EAGAIN) {
      return true;
    } else if (errno != EINTR) {
      return fail_errno("cannot read its output");
    }
  }
}

// A running program. Destruction kills it, and its session where it has its own, if it has not been waited for.
class Child {
 public:
  Child(pid_t process, bool leads_session) : process_(process), leads_session_(leads_session) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (process_ <= 0) return;
    ::kill(leads_session_ ? -process_ : process_, SIGKILL);
    (void)wait();
  }
  pid_t process() const { return process_; }
  int wait() {
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = 0;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  pid_t process_;
  bool leads_session_;
};

// Reads both streams until the program ends.
Status follow(const Child& child, int output, int error_output, const ProcessRequest& request, ProcessResult& result) {
  FileDescriptor ended(static_cast<int>(::syscall(SYS_pidfd_open, child.process(), 0)));
  if (!ended) return fail_errno("cannot wait for it");
  std::optional<Clock::time_point> deadline;
  if (request.timeout) deadline = Clock::now() + std::chrono::ceil<Clock::duration>(*request.timeout);
  std::array<pollfd, 3> waiting{pollfd{ended.get(), POLLIN, 0}, pollfd{output, POLLIN, 0},
                                pollfd{error_output, POLLIN, 0}};
  while (true) {
    int left = -1;
    if (request.cancelled) {
      if (request.cancelled()) return fail(ErrorKind::unavailable, "cancelled, and killed");
      left = 200;
    }
    if (deadline) {
      auto rest = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
      if (rest <= 0)
        return fail(ErrorKind::unavailable, fmt::format("it did not end within {:g} seconds, and was killed",
                                                        std::chrono::duration<double>(*request.timeout).count()));
      left = static_cast<int>(std::min<std::int64_t>(rest, request.cancelled ? 200 : 60'000));
    }
    if (::poll(waiting.data(), waiting.size(), left) < 0 && errno != EINTR) return fail_errno("cannot wait for it");
    KIST_TRY_ASSIGN(bool more_output, drain(output, result.output, request.output_limit));
    KIST_TRY_ASSIGN(bool more_errors, drain(error_output, result.error_output, request.output_limit));
    if ((waiting[0].revents & POLLIN) != 0) return {};
    if (!more_output) waiting[1].fd = -1;
    if (!more_errors) waiting[2].fd = -1;
  }
}

}  // namespace

Result<ProcessResult> run_process(const ProcessRequest& request) {
  const std::string& program = request.arguments.at(0);
  if (std::error_code error; !request.directory.empty() && !std::filesystem::is_directory(request.directory, error))
    return fail(ErrorKind::not_found,
                fmt::format("cannot start {} in {}: no such directory", program, request.directory.string()));
  KIST_TRY_ASSIGN(FileDescriptor input, make_input(request.input));
  KIST_TRY_ASSIGN(Pipe output, make_pipe());
  KIST_TRY_ASSIGN(Pipe error_output, make_pipe());

  pid_t process = 0;
  if (int error = spawn(request, input.get(), output.write.get(), error_output.write.get(), process); error != 0)
    return fail_errno(fmt::format("cannot start {}", program), error);
  Child child(process, !request.on_terminal);
  output.write.reset();
  error_output.write.reset();

  ProcessResult result;
  if (Status followed = follow(child, output.read.get(), error_output.read.get(), request, result); !followed) {
    std::string last = last_line(result.error_output);
    Error error = std::move(followed).error();
    if (!last.empty()) error.text += fmt::format("; its last words: {}", last);
    return with_context(program, std::move(error));
  }
  result.exit_code = child.wait();
  return result;
}

std::string last_line(std::string_view text) {
  auto end = text.find_last_not_of(" \t\r\n");
  if (end == std::string_view::npos) return "";
  text = text.substr(0, end + 1);
  return std::string(text.substr(text.find_last_of("\r\n") + 1));
}

}  // namespace kist
