// The pipe carries text for the parent's standard error, then a zero byte, the run's name and a line break. The parent
// reads to that line break, not to the end of the pipe: the launcher, a fork of the child, may hold it longer.
#include "cli/detach.hpp"

#include <cerrno>
#include <string>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.hpp"
#include "cli/context.hpp"

namespace kist::cli {

namespace {

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return 3;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Copies to standard error what comes before the announcement. The exit code.
int relay(int pipe_end, pid_t child) {
  std::string name;
  bool announced = false;
  char buffer[4096];
  while (true) {
    const ssize_t count = read(pipe_end, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return wait_for(child);
    std::string_view text(buffer, static_cast<std::size_t>(count));
    if (!announced) {
      const auto zero = text.find('\0');
      (void)write_all(STDERR_FILENO, text.substr(0, zero), "standard error");
      if (zero == std::string_view::npos) continue;
      announced = true;
      text.remove_prefix(zero + 1);
    }
    name += text;
    if (!name.ends_with('\n')) continue;
    print(name);
    return 0;
  }
}

}  // namespace

Result<std::optional<int>> split_off() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail_errno("starting a process for the run");
  FileDescriptor reading(ends[0]);
  FileDescriptor writing(ends[1]);
  flush_output();
  const pid_t child = fork();
  if (child < 0) return fail_errno("starting a process for the run");
  if (child > 0) {
    writing.reset();
    return relay(reading.get(), child);
  }
  setsid();
  dup2(writing.get(), STDERR_FILENO);
  if (const auto null = open_file("/dev/null", O_RDWR)) {
    dup2(null->get(), STDIN_FILENO);
    dup2(null->get(), STDOUT_FILENO);
  }
  return std::nullopt;
}

void announce(std::string_view run, const std::filesystem::path& log) {
  std::string message(1, '\0');
  message += run;
  message += '\n';
  (void)write_all(STDERR_FILENO, message, "announcing the run");
  auto rest = open_file(log, O_WRONLY | O_CREAT | O_APPEND);
  if (!rest) rest = open_file("/dev/null", O_WRONLY);
  if (rest) dup2(rest->get(), STDERR_FILENO);
}

}  // namespace kist::cli
