// Cores of real programs, and of files that pretend.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "task/core_dump.hpp"
#include "task/support.hpp"

namespace kist::task::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

std::string core_pattern() {
  std::string pattern = read("/proc/sys/kernel/core_pattern");
  return pattern.substr(0, pattern.find('\n'));
}

// Runs a copy of sleep(1) in the directory, kills it by SIGABRT, and returns its process id.
pid_t crash(const fs::path& directory) {
  fs::copy_file("/bin/sleep", directory / "crasher");
  pid_t child = ::fork();
  if (child == 0) {
    rlimit limit{RLIM_INFINITY, RLIM_INFINITY};
    if (::chdir(directory.c_str()) != 0 || ::setrlimit(RLIMIT_CORE, &limit) != 0) ::_exit(1);
    ::signal(SIGALRM, SIG_DFL);
    ::execl("./crasher", "crasher", "1000", nullptr);
    ::_exit(1);
  }
  // It has become the copy once its executable is it.
  fs::path executable = "/proc/" + std::to_string(child) + "/exe";
  std::error_code error;
  while (fs::read_symlink(executable, error) != directory / "crasher") ::usleep(1000);
  ::usleep(20000);  // its mappings are there
  ::kill(child, SIGABRT);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
  return child;
}

FileDescriptor open_it(const fs::path& path) {
  return FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

FileDescriptor in_memory(std::string_view bytes) {
  FileDescriptor file(::memfd_create("core", MFD_CLOEXEC));
  EXPECT_TRUE(write_all(file.get(), bytes, "core"));
  return file;
}

TEST(CoreDump, OfARealProgramIsNamedByItsProcessAndExecutable) {
  std::string pattern = core_pattern();
  if (pattern.contains('/') || pattern.starts_with('|'))
    GTEST_SKIP() << "cores of this machine go elsewhere: " << pattern;
  TemporaryDirectory directory;
  Time before = now();
  pid_t process = crash(directory.path());
  auto opened = open_it(directory.path());
  std::string executable = (directory / "crasher").string();
  std::ranges::replace(executable, '/', '!');
  std::string expected = "core." + std::to_string(process) + "." + executable;

  auto made = name_core_dumps(opened, directory.path(), pattern, before);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_THAT(*made, ElementsAre(expected));
  EXPECT_TRUE(fs::exists(directory / expected));
  EXPECT_THAT(*name_core_dumps(opened, directory.path(), pattern, before), IsEmpty());  // it has its name
  fs::remove(directory / expected);
  EXPECT_THAT(*name_core_dumps(opened, directory.path(), pattern, now() + std::chrono::hours(1)),
              IsEmpty());  // an old one

  // Cut off anywhere, it is no core or the same one, and nothing else happens.
  fs::path core;
  for (const auto& entry : fs::directory_iterator(directory.path()))
    if (matches_core_pattern(entry.path().filename().string(), pattern)) core = entry.path();
  std::string bytes = read(core).substr(0, 16 << 10);
  for (std::size_t size = 0; size < bytes.size(); size += 13) {
    auto notes = read_core_notes(in_memory(bytes.substr(0, size)));
    EXPECT_TRUE(!notes || notes->process == process) << size;
  }
  // Damaged anywhere, it ends well.
  for (std::size_t at = 0; at < bytes.size(); at += 7) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0xff);
    (void)read_core_notes(in_memory(damaged));
  }
}

TEST(CoreDump, WhatIsNoCoreIsLeftAlone) {
  TemporaryDirectory directory;
  write(directory / "core", "not a core at all, though it has the name of one and is longer than a header of ELF is");
  fs::copy_file("/bin/sleep", directory / "core.1");
  fs::create_symlink("/proc/self/exe", directory / "core.2");
  fs::create_directory(directory / "core.3");
  ASSERT_EQ(::mkfifo((directory / "core.4").c_str(), 0600), 0);
  EXPECT_THAT(*name_core_dumps(open_it(directory.path()), directory.path(), "core", Time()), IsEmpty());
}

TEST(CoreDump, PatternsMatchTheNamesTheyMake) {
  EXPECT_TRUE(matches_core_pattern("core", "core"));
  EXPECT_TRUE(matches_core_pattern("core.123", "core"));
  EXPECT_FALSE(matches_core_pattern("core.c", "core"));
  EXPECT_FALSE(matches_core_pattern("cores", "core"));
  EXPECT_TRUE(matches_core_pattern("core.54.!root!project!dump", "/var/crash/core.%p.%E"));
  EXPECT_FALSE(matches_core_pattern("core", "core.%p"));
  EXPECT_TRUE(matches_core_pattern("a[b]-x-7", "a[b]-%e-%p"));
  EXPECT_TRUE(matches_core_pattern("100%", "100%%"));
}

TEST(CoreDump, ALongExecutableIsCut) {
  EXPECT_EQ(core_dump_name({.process = 54, .executable = "/root/project/dump", .started_as = ""}),
            "core.54.!root!project!dump");
  EXPECT_EQ(core_dump_name({.process = 1, .executable = std::string(400, '/'), .started_as = ""}).size(), 255u);
}

}  // namespace
}  // namespace kist::task::test
