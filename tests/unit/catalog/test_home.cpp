#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/file.hpp"
#include "catalog/home.hpp"

namespace kist::catalog {
namespace {

TEST(Home, IsMadeForItsUserAlone) {
  auto scratch = ScratchDirectory::make("/tmp", "kist-home-").value();
  auto home = Home::open(scratch.path() / "a" / "home/").value();
  EXPECT_EQ(home.path(), scratch.path() / "a" / "home");
  struct stat status{};
  ASSERT_EQ(::stat(home.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U);
  EXPECT_TRUE(Home::open(home.path()));
}

TEST(Home, MustBeADirectory) {
  auto scratch = ScratchDirectory::make("/tmp", "kist-home-").value();
  std::ofstream(scratch.path() / "file") << "x";
  auto home = Home::open(scratch.path() / "file");
  ASSERT_FALSE(home);
  EXPECT_TRUE(home.error().text.contains("is no directory")) << home.error().text;
  EXPECT_FALSE(Home::open(scratch.path() / "file" / "below"));
}

}  // namespace
}  // namespace kist::catalog
