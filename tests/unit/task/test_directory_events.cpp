#include <map>

#include <gmock/gmock.h>

#include "task/directory_events.hpp"
#include "task/support.hpp"

namespace kist::task::test {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::Key;
using testing::Not;
using testing::Pair;

class Events : public testing::Test {
 protected:
  using Sign = DirectoryEvents::Sign;

  // What was noted since the last call; of each path that it was closed, if it was.
  std::map<std::string, Sign> noted() {
    std::map<std::string, Sign> found;
    all_ = events_.read([&](const std::string& path, Sign sign) {
      Sign& known = found.try_emplace(path, sign).first->second;
      if (sign == Sign::closed) known = sign;
    });
    return found;
  }

  TemporaryDirectory directory_;
  DirectoryEvents events_{directory_.path()};
  bool all_ = true;
};

TEST_F(Events, TellWhatWasClosedAndWhatMayBeOpen) {
  ASSERT_TRUE(events_.watch(""));
  write(directory_ / "closed", "x");
  std::ofstream open(directory_ / "open");
  open << "x" << std::flush;
  fs::create_symlink("closed", directory_ / "link");
  auto found = noted();
  EXPECT_THAT(found, Contains(Pair("closed", Sign::closed)));
  EXPECT_THAT(found, Contains(Pair("open", Sign::touched)));
  fs::remove(directory_ / "closed");
  fs::rename(directory_ / "open", directory_ / "moved");
  found = noted();
  EXPECT_THAT(found, Contains(Pair("closed", Sign::closed)));
  EXPECT_THAT(found, Contains(Pair("open", Sign::closed)));
  EXPECT_THAT(found, Contains(Pair("moved", Sign::closed)));
}

TEST_F(Events, FollowDirectoriesThatComeMoveAndGo) {
  ASSERT_TRUE(events_.watch(""));
  fs::create_directories(directory_ / "a/b/c");
  write(directory_ / "a/b/c/before", "made before anybody could watch");
  EXPECT_THAT(noted(), Contains(Key("a/b/c/before")));
  write(directory_ / "a/b/c/file", "x");
  EXPECT_THAT(noted(), Contains(Pair("a/b/c/file", Sign::closed)));

  fs::rename(directory_ / "a/b", directory_ / "d");
  auto found = noted();
  EXPECT_THAT(found, Contains(Pair("a/b", Sign::closed)));
  EXPECT_THAT(found, Contains(Key("d/c/file")));
  write(directory_ / "d/c/file", "changed");
  EXPECT_THAT(noted(), Contains(Pair("d/c/file", Sign::closed)));

  // A directory that left is not heard of, wherever it is now; another of its name is.
  TemporaryDirectory elsewhere;
  fs::rename(directory_ / "d/c", elsewhere / "c");
  fs::create_directory(directory_ / "d/c");
  noted();
  write(elsewhere / "c/file", "not ours");
  EXPECT_THAT(noted(), Not(Contains(Key("d/c/file"))));
  write(directory_ / "d/c/new", "x");
  EXPECT_THAT(noted(), Contains(Pair("d/c/new", Sign::closed)));
}

TEST_F(Events, SayWhenSomeWereLost) {
  std::ifstream limit("/proc/sys/fs/inotify/max_queued_events");
  int most = 0;
  if (!(limit >> most) || most > 100'000) GTEST_SKIP() << "this machine keeps too many events to lose any";
  ASSERT_TRUE(events_.watch(""));
  for (int i = 0; i <= most / 2; ++i) write(directory_ / std::to_string(i), "x");
  while (all_ && !noted().empty()) {
  }
  EXPECT_FALSE(all_);
  ASSERT_TRUE(events_.watch(""));
  write(directory_ / "after", "x");
  EXPECT_THAT(noted(), Contains(Pair("after", Sign::closed)));
  EXPECT_TRUE(all_);
}

TEST_F(Events, NeverFollowALink) {
  TemporaryDirectory host;
  fs::create_directory(host / "d");
  ASSERT_TRUE(events_.watch(""));
  fs::create_symlink(host.path(), directory_ / "link");
  EXPECT_FALSE(events_.watch("link"));
  EXPECT_FALSE(events_.watch("link/d"));
  EXPECT_FALSE(events_.watch("../" + host.path().filename().string()));
}

}  // namespace
}  // namespace kist::task::test
