#include "cli/perform_each.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/context.hpp"

namespace kist::cli {

namespace {

// Waits for a child and hands on what was sent to this process alone: a terminal's Ctrl+C has reached the child
// already.
Result<int> await(pid_t child, const sigset_t& signals) {
  while (true) {
    siginfo_t signal{};
    const int number = ::sigwaitinfo(&signals, &signal);
    if (number < 0 && errno != EINTR) return fail_errno("waiting for a run");
    if (number > 0 && number != SIGCHLD && signal.si_code != SI_KERNEL) ::kill(child, number);
    int status = 0;
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended < 0 && errno != EINTR) return fail_errno("waiting for a run");
    if (ended == child) return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
}

}  // namespace

Result<int> perform_each(std::size_t count, const std::function<Result<int>(std::size_t)>& perform) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&signals, number);
  sigset_t before;
  ::sigprocmask(SIG_BLOCK, &signals, &before);
  KIST_TRY(finish_output());

  int code = 0;
  const pid_t parent = ::getpid();
  for (std::size_t i = 0; i < count; ++i) {
    const pid_t child = ::fork();
    if (child < 0) return fail_errno("starting a process for a run");
    if (child == 0) {
      // Whatever ends the command stops the run as well; one that is detached has split off by then.
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
      if (::getppid() != parent) ::raise(SIGTERM);
      ::sigprocmask(SIG_SETMASK, &before, nullptr);
      return perform(i);
    }
    KIST_TRY_ASSIGN(const int ended, await(child, signals));
    code = std::max(code, ended);
    if (ended > 1) break;
  }
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return code;
}

}  // namespace kist::cli
