// What the sandbox's tests share: one launcher, a scratch directory, a home to hide, and a way to run a shell script.
#pragma once

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.hpp"
#include "sandbox/sandbox.hpp"

namespace kist::sandbox {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// Where tests write: not below /tmp, which tasks do not see.
inline fs::path test_area() {
  const char* given = std::getenv("KIST_TEST_AREA");
  return given != nullptr ? given : "/var/lib";
}

// The launcher is forked before the tests have threads: one for all.
inline Launcher& launcher() {
  static std::unique_ptr<Launcher> one = std::move(*Launcher::start());
  return *one;
}

struct Ran {
  std::string output;  // both streams
  Ended ended;
};

inline Ran run(Sandbox& sandbox, const std::string& script, const fs::path& directory = "/") {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  FileDescriptor reading(ends[0]);
  FileDescriptor writing(ends[1]);
  Command command;
  command.arguments = {"sh", "-c", script};
  command.environment = {"PATH=/usr/bin:/bin", "HOME=/root"};
  command.working_directory = directory;
  command.output = command.error = writing.get();
  auto process = sandbox.start(command);
  writing.reset();
  if (!process) {
    ADD_FAILURE() << process.error().text;
    return {};
  }
  Ran ran;
  std::array<char, 4096> buffer{};
  ssize_t count = 0;
  while ((count = ::read(reading.get(), buffer.data(), buffer.size())) > 0)
    ran.output.append(buffer.data(), static_cast<std::size_t>(count));
  auto ended = sandbox.wait(*process);
  if (ended && *ended)
    ran.ended = **ended;
  else
    ADD_FAILURE() << "wait() failed";
  return ran;
}

inline void write_file(const fs::path& path, const std::string& text) {
  std::ofstream(path) << text;
}

// Runs `body` in a process of its own, and takes over whether it failed. For what must not happen to this process:
// other mounts, another user, another environment. `body` starts its own launcher.
template <typename Body>
void in_own_process(const Body& body) {
  pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    body();
    std::fflush(nullptr);
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

class SandboxTest : public testing::Test {
 protected:
  void SetUp() override {
    if (launcher().isolation() == Isolation::directory) GTEST_SKIP() << launcher().limits().front();
    layout.scratch = new_scratch();
    layout.cache = test_area() / "kist-sandbox-test-cache";
    layout.hidden = {home};
    fs::create_directory(home);
    write_file(home / "secret", "secret");
  }

  fs::path new_scratch() {
    fs::path path = area.path() / ("scratch" + std::to_string(++scratches));
    fs::create_directory(path);
    return path;
  }

  static std::unique_ptr<Sandbox> open(const Layout& layout, Launcher& from = launcher()) {
    auto opened = from.open(layout);
    if (!opened) ADD_FAILURE() << opened.error().text;
    return opened ? std::move(*opened) : nullptr;
  }
  std::unique_ptr<Sandbox> open() { return open(layout); }

  ScratchDirectory area = std::move(*ScratchDirectory::make(test_area(), "kist-sandbox-test-"));
  fs::path home = area.path() / "home";
  int scratches = 0;
  Layout layout;
};

}  // namespace kist::sandbox
