#include "sandbox/skeleton.hpp"

#include <gtest/gtest.h>

#include "sandbox/sandbox_fixture.hpp"

namespace kist::sandbox {
namespace {

// A machine that keeps data in a hundred thousand directories of /opt would have each home begin with as many.
TEST(Skeleton, HasTheDirectoriesNearestToTheTopAndNoMoreThanToldTo) {
  auto area = ScratchDirectory::make(test_area(), "kist-sandbox-test-");
  ASSERT_TRUE(area);
  constexpr std::size_t kMost = 200;
  auto skeleton = open_skeleton(area->path(), kMost);
  ASSERT_TRUE(skeleton);
  std::size_t count = 0;
  for (const auto& top : fs::directory_iterator(skeleton->path))
    for ([[maybe_unused]] const auto& each : fs::recursive_directory_iterator(top)) ++count;
  EXPECT_EQ(count, kMost);
  for (const char* path : {"usr/bin", "usr/lib", "var/lib"})
    EXPECT_TRUE(fs::is_directory(skeleton->path / path)) << path;
}

}  // namespace
}  // namespace kist::sandbox
