// Claim: a task's private root costs at most 4 ms over the bare process as root, 8 ms as an ordinary user.
// /bin/true, started bare and in a sandbox of its own (opened, run, closed), one after the other and two at once.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.hpp"
#include "sandbox/sandbox.hpp"

namespace {

using kist::sandbox::Launcher;
using Clock = std::chrono::steady_clock;

constexpr int kRounds = 300;
char* const kEnvironment[] = {nullptr};

double milliseconds(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

void bare() {
  char name[] = "/bin/true";
  char* const arguments[] = {name, nullptr};
  pid_t process = 0;
  posix_spawn(&process, name, nullptr, nullptr, arguments, kEnvironment);
  waitpid(process, nullptr, 0);
}

bool sandboxed(Launcher& launcher, const std::filesystem::path& scratch) {
  std::filesystem::create_directory(scratch);
  kist::sandbox::Layout layout;
  layout.scratch = scratch;
  auto sandbox = launcher.open(layout);
  if (!sandbox) {
    std::fprintf(stderr, "%s\n", sandbox.error().text.c_str());
    return false;
  }
  kist::sandbox::Command command;
  command.arguments = {"/bin/true"};
  auto process = (*sandbox)->start(command);
  return process && (*sandbox)->wait(*process) && (*sandbox)->close();
}

}  // namespace

int main() {
  auto launcher = Launcher::start();
  const char* parent = std::getenv("KIST_BENCH_DIRECTORY");
  auto area = kist::ScratchDirectory::make(parent != nullptr ? parent : "/var/tmp", "kist-bench-");
  if (!launcher || !area) return 1;

  std::vector<double> plain;
  std::vector<double> rooted;
  for (int i = 0; i < kRounds; ++i) {
    auto begin = Clock::now();
    bare();
    plain.push_back(milliseconds(begin));
    begin = Clock::now();
    if (!sandboxed(**launcher, area->path() / std::to_string(i))) return 1;
    rooted.push_back(milliseconds(begin));
  }
  auto median = [](std::vector<double>& values) {
    std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
    return values[values.size() / 2];
  };
  double one = median(plain);
  double other = median(rooted);
  std::printf("/bin/true bare %.2f ms, in a private root %.2f ms: +%.2f ms (claim: %s)\n", one, other, other - one,
              geteuid() == 0 ? "4 ms as root" : "8 ms as an ordinary user");

  auto begin = Clock::now();
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i)
        sandboxed(**launcher, area->path() / (std::to_string(t) + "-" + std::to_string(i)));
    });
  threads.clear();
  std::printf("four at once: %.2f ms each\n", milliseconds(begin) / (4 * kRounds));
  return 0;
}
