#include "sandbox/host.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kist::sandbox {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

std::vector<fs::path> paths(const std::vector<MountPoint>& mounts) {
  std::vector<fs::path> list;
  for (const MountPoint& mount : mounts) list.push_back(mount.path);
  return list;
}

TEST(MountTable, IsReadWithOddNamesAndOptions) {
  auto mounts = parse_mount_table(
      "36 35 98:0 /mnt1 /mnt/a\\040b\\134c\\012d ro,noatime shared:1 master:2 - ext3 /dev/root rw,errors=continue\n"
      "37 35 98:1 / /data rw - ext4 /dev/sd\\040a ro\n"
      "not a mount\n"
      "38 35 0:5 / /last rw - tmpfs none rw");
  ASSERT_EQ(mounts.size(), 3U);
  EXPECT_EQ(mounts[0].path, "/mnt/a b\\c\nd");
  EXPECT_EQ(mounts[0].root, "/mnt1");
  EXPECT_EQ(mounts[0].type, "ext3");
  EXPECT_TRUE(mounts[0].read_only);
  EXPECT_TRUE(mounts[1].read_only) << "its file system is";
  EXPECT_FALSE(mounts[2].read_only);
}

TEST(MountTable, LeavesOutWhatIsCovered) {
  auto mounts =
      reachable_mounts(parse_mount_table("1 0 8:1 / / rw - ext4 a rw\n"
                                         "2 1 0:2 / /dev rw - tmpfs b rw\n"
                                         "3 2 0:3 / /dev/pts rw - devpts c rw\n"
                                         "4 3 0:4 / /dev/pts rw - devpts d rw\n"  // over the other one
                                         "5 1 0:5 / /home/u/inner rw - tmpfs e rw\n"
                                         "6 1 0:6 / /home rw - tmpfs f rw\n"  // over what was mounted deeper before
                                         "7 6 0:7 / /home/v rw - tmpfs g rw\n"));
  EXPECT_THAT(paths(mounts), ElementsAre("/", "/dev", "/dev/pts", "/home", "/home/v"));
  EXPECT_EQ(mounts[2].id, 4);
}

TEST(MountTable, HasEachMountOnce) {
  auto mounts =
      reachable_mounts(parse_mount_table("1 0 8:1 / / rw - ext4 a rw\n"
                                         "2 1 0:2 / /dev rw - tmpfs b rw\n"
                                         "2 1 0:2 / /dev rw - tmpfs b rw\n"
                                         "1 2 8:1 / /dev/a rw - ext4 a rw\n"));
  EXPECT_THAT(paths(mounts), ElementsAre("/", "/dev"));
}

TEST(MountTable, TellsOfAChrootWhatIsMountedInIt) {
  auto mounts =
      reachable_mounts(parse_mount_table("5 1 0:5 / /dev rw - tmpfs b rw\n"
                                         "6 5 0:6 / /dev/pts rw - devpts c rw\n"
                                         "7 1 0:7 / /home/u rw - tmpfs d rw\n"
                                         "8 1 0:8 / /home rw - tmpfs e rw\n"));
  EXPECT_THAT(paths(mounts), ElementsAre("/dev", "/dev/pts", "/home"));
}

TEST(Host, KnowsOtherNamesOfAPath) {
  Host host;
  host.mounts = parse_mount_table(
      "1 0 8:1 / / rw - ext4 a rw\n"
      "2 1 8:1 /home /mnt/home rw - ext4 a rw\n"            // a part that holds it
      "3 1 8:1 /home/u/.kist/store /pool rw - ext4 a rw\n"  // a part of it
      "4 1 8:1 /etc /etc2 rw - ext4 a rw\n"
      "5 1 8:2 / /disk rw - ext4 b rw\n");
  EXPECT_THAT(host.aliases("/home/u/.kist"), UnorderedElementsAre("/mnt/home/u/.kist", "/pool"));
  EXPECT_THAT(host.aliases("/disk/kist"), ElementsAre());
}

}  // namespace
}  // namespace kist::sandbox
