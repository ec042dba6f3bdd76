#include <csignal>
#include <set>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.hpp"

namespace kist {
namespace {

namespace fs = std::filesystem;

struct File : testing::Test {
  ScratchDirectory scratch = ScratchDirectory::make(fs::temp_directory_path(), "kist-file-").value();
  fs::path at(std::string_view name) const { return scratch.path() / name; }
  std::set<std::string> names() const {
    std::set<std::string> all;
    for (const auto& entry : fs::directory_iterator(scratch.path())) all.insert(entry.path().filename());
    return all;
  }
};

TEST_F(File, ReadsWholeFilesAndFilesOfProc) {
  ASSERT_TRUE(replace_file(at("f"), std::string(100'000, 'x')));
  EXPECT_EQ(read_file(at("f"))->size(), 100'000u);
  EXPECT_EQ(read_file(at("f"), 100'000)->size(), 100'000u);
  EXPECT_EQ(read_file(at("f"), 99'999).error().kind, ErrorKind::invalid);
  EXPECT_GT(read_file("/proc/self/maps")->size(), 1000u);
  EXPECT_EQ(read_file(at("missing")).error().kind, ErrorKind::not_found);
  EXPECT_EQ(read_file(scratch.path()).error().kind, ErrorKind::invalid);
}

TEST_F(File, ReplacingSetsTheModeAndLeavesNothingElse) {
  ::umask(0077);
  ASSERT_TRUE(replace_file(at("f"), "one", 0640));
  ::umask(0022);
  ASSERT_TRUE(replace_file(at("f"), "two", 0644));
  struct stat status{};
  ASSERT_EQ(::stat(at("f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0644u);
  EXPECT_EQ(read_file(at("f")).value(), "two");
  EXPECT_EQ(names(), std::set<std::string>{"f"});
  EXPECT_EQ(replace_file(at("no/such/f"), "x").error().kind, ErrorKind::not_found);
}

// A disk that fills up, as the limit of a file's size has it.
TEST_F(File, AFailedReplacementKeepsTheOldText) {
  ASSERT_TRUE(replace_file(at("f"), "old"));
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  rlimit small = before;
  small.rlim_cur = 1000;
  ::setrlimit(RLIMIT_FSIZE, &small);
  Status replaced = replace_file(at("f"), std::string(10'000, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().kind, ErrorKind::no_space);
  EXPECT_EQ(read_file(at("f")).value(), "old");
  EXPECT_EQ(names(), std::set<std::string>{"f"});
}

TEST_F(File, AKilledReplacementLeavesOldOrNew) {
  std::set<std::string> texts{std::string(300'000, 'a'), std::string(200'000, 'b')};
  ASSERT_TRUE(replace_file(at("f"), *texts.begin()));
  for (int round = 0; round < 10; ++round) {
    pid_t child = ::fork();
    if (child == 0)
      while (true)
        for (const std::string& text : texts) (void)replace_file(at("f"), text);
    ::usleep(static_cast<useconds_t>(3000 + 1700 * round));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    EXPECT_TRUE(texts.contains(read_file(at("f")).value()));
  }
  for (const std::string& name : names()) EXPECT_TRUE(name == "f" || name.starts_with(".f.")) << name;
}

TEST_F(File, LocksExclude) {
  auto first = FileLock::try_lock(at("lock"), FileLock::Kind::shared);
  ASSERT_TRUE(first && *first);
  EXPECT_TRUE(FileLock::try_lock(at("lock"), FileLock::Kind::shared)->has_value());
  EXPECT_FALSE(FileLock::try_lock(at("lock"), FileLock::Kind::exclusive)->has_value());
  first->reset();
  EXPECT_TRUE(FileLock::try_lock(at("lock"), FileLock::Kind::exclusive)->has_value());
}

// Otherwise two could hold "the" lock: one on a file that has lost its name, one on the new file of that name.
TEST_F(File, ALockIsOnTheFileThatHasTheNameNow) {
  std::optional<FileLock> holder = FileLock::lock(at("lock"), FileLock::Kind::exclusive).value();
  std::optional<FileLock> waiter;
  std::thread waiting([&] { waiter = FileLock::lock(at("lock"), FileLock::Kind::exclusive).value(); });
  // Until the thread has the old file open: /proc/self/fd shows two.
  auto opened = [&] {
    int count = 0;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/proc/self/fd"))
      if (fs::read_symlink(entry.path(), error) == at("lock")) ++count;
    return count;
  };
  while (opened() < 2) std::this_thread::yield();
  fs::remove(at("lock"));
  holder.reset();
  waiting.join();
  EXPECT_TRUE(fs::exists(at("lock")));
  EXPECT_FALSE(FileLock::try_lock(at("lock"), FileLock::Kind::exclusive)->has_value());
}

TEST_F(File, RemovesWhatATaskMayLeaveBehind) {
  fs::create_directories(at("tree/closed/inner/empty"));
  fs::create_directories(at("tree/listed/inner"));
  ASSERT_TRUE(replace_file(at("tree/closed/inner/f"), "x"));
  ASSERT_TRUE(replace_file(at("kept"), "x"));
  fs::create_directory(at("kept-directory"));
  ASSERT_TRUE(replace_file(at("kept-directory/f"), "x"));
  fs::create_symlink(at("kept"), at("tree/link"));
  fs::create_directory_symlink(at("kept-directory"), at("tree/directory-link"));
  for (const char* name : {"tree/closed/inner", "tree/closed"}) fs::permissions(at(name), fs::perms::none);
  fs::permissions(at("tree/listed"), fs::perms::owner_read);
  // As an ordinary user: root may do everything anyway.
  fs::permissions(scratch.path(), fs::perms::all);
  pid_t child = ::fork();
  if (child == 0) {
    if (::getuid() == 0) {
      for (const char* name : {"tree", "tree/closed", "tree/closed/inner", "tree/listed"})
        (void)::chown(at(name).c_str(), 65534, 65534);
      if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(2);
    }
    ::_exit(remove_tree(at("tree")) ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(fs::exists(at("tree")));
  EXPECT_TRUE(fs::exists(at("kept-directory/f")));
  fs::create_directory_symlink(at("kept-directory"), at("link"));
  EXPECT_TRUE(remove_tree(at("link")));
  EXPECT_TRUE(fs::exists(at("kept-directory/f")));
  EXPECT_TRUE(remove_tree(at("missing")));
}

TEST_F(File, RemovesTreesDeeperThanPathsAndDescriptorsGo) {
  constexpr int depth = 500;
  fs::create_directory(at("deep"));
  FileDescriptor current = open_file(at("deep"), O_DIRECTORY).value();
  for (int i = 0; i < depth; ++i) {
    ASSERT_EQ(::mkdirat(current.get(), "directory", 0755), 0);
    current = FileDescriptor(::openat(current.get(), "directory", O_DIRECTORY | O_CLOEXEC));
  }
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit few = before;
  few.rlim_cur = 128;
  ::setrlimit(RLIMIT_NOFILE, &few);
  Status removed = remove_tree(at("deep"));
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(removed) << removed.error().text;
  EXPECT_FALSE(fs::exists(at("deep")));
}

}  // namespace
}  // namespace kist
