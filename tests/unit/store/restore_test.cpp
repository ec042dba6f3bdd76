// Restoring into directories where something is already, friendly or not.
#include <unistd.h>

#include "store/fixture.hpp"

namespace kist::store {
namespace {

class RestoreTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    fs::create_directories(path("work/tree/d"));
    write(path("work/tree/d/f"), "new");
    write(path("work/tree/e"), "new");
    fs::create_symlink("e", path("work/tree/link"));
    id_ = save(path("work/tree")).id;
    fs::create_directories(path("work/target/d"));
  }
  fs::path target() const { return path("work/target"); }
  ArtifactId id_;
};

TEST_F(RestoreTest, MergesIntoADirectory) {
  write(target() / "mine", "mine");
  fs::permissions(target(), fs::perms(0750));
  set_time(target(), 1000);
  ASSERT_OK(store_->restore(id_, "", target()));
  EXPECT_EQ(contents(target() / "mine"), "mine");
  EXPECT_EQ(contents(target() / "d/f"), "new");
  EXPECT_EQ(status_of(target()).st_mode & 07777, 0750U) << "a directory that was there keeps its mode";
  EXPECT_ERROR(store_->restore(id_, "", target(), {.merge = false}), ErrorKind::conflict);
  fs::current_path(target());
  fs::remove_all(target() / "d");
  fs::remove(target() / "e");
  fs::remove(target() / "link");
  ASSERT_OK(store_->restore(id_, "", "."));
  EXPECT_EQ(contents(target() / "d/f"), "new");
  fs::current_path(scratch_->path().parent_path());
}

TEST_F(RestoreTest, ReplacesOnlyWhenToldTo) {
  write(target() / "d/f", "old");
  write(target() / "link", "old");
  fs::create_hard_link(target() / "d/f", target() / "other name");
  auto refused = store_->restore(id_, "", target());
  EXPECT_ERROR(refused, ErrorKind::conflict);
  EXPECT_NE(refused.error().text.find("d/f exists already"), std::string::npos) << refused.error().text;
  EXPECT_EQ(contents(target() / "d/f"), "old");
  fs::remove(target() / "e");
  ASSERT_OK(store_->restore(id_, "", target(), {.overwrite = true}));
  EXPECT_EQ(contents(target() / "d/f"), "new");
  EXPECT_EQ(contents(target() / "other name"), "old") << "what shared the file's inode is not touched";
  EXPECT_EQ(fs::read_symlink(target() / "link"), "e");
}

TEST_F(RestoreTest, NeverReplacesADirectoryByAFile) {
  fs::create_directories(target() / "e/precious");
  EXPECT_ERROR(store_->restore(id_, "", target(), {.overwrite = true}), ErrorKind::conflict);
  EXPECT_TRUE(fs::exists(target() / "e/precious"));
  fs::remove_all(target());
  write(target(), "a file where the top should be");
  EXPECT_ERROR(store_->restore(id_, "", target()), ErrorKind::conflict);
  ASSERT_OK(store_->restore(id_, "", target(), {.overwrite = true}));
  EXPECT_EQ(contents(target() / "e"), "new");
}

TEST_F(RestoreTest, NeverWritesThroughALink) {
  fs::create_directory(path("work/outside"));
  write(path("work/outside/e"), "outside");
  fs::remove(target() / "d");
  fs::create_symlink("../outside", target() / "d");
  fs::create_symlink("../outside/e", target() / "e");
  EXPECT_ERROR(store_->restore(id_, "", target()), ErrorKind::conflict);
  EXPECT_FALSE(fs::exists(path("work/outside/f")));
  ASSERT_OK(store_->restore(id_, "", target(), {.overwrite = true}));
  EXPECT_FALSE(fs::exists(path("work/outside/f")));
  EXPECT_EQ(contents(path("work/outside/e")), "outside");
  EXPECT_FALSE(fs::is_symlink(target() / "d"));

  fs::create_symlink("outside", path("work/to-outside"));
  EXPECT_ERROR(store_->restore(id_, "", path("work/to-outside")), ErrorKind::conflict);
  FileDescriptor given(::open(path("work/outside").c_str(), O_PATH | O_CLOEXEC));
  ASSERT_OK(store_->restore(id_, "", fmt::format("/proc/self/fd/{}", given.get()), {.overwrite = true}));
  EXPECT_EQ(contents(path("work/outside/e")), "new") << "a descriptor is what the caller means";
}

TEST_F(RestoreTest, DirectoriesThatCannotBeWrittenArriveThus) {
  fs::permissions(path("work/tree/d"), fs::perms(0555));
  set_time(path("work/tree/d"), 12345);
  ArtifactId id = save(path("work/tree")).id;
  ASSERT_OK(store_->restore(id, "", path("work/back")));
  EXPECT_EQ(picture(path("work/tree")), picture(path("work/back")));
}

}  // namespace
}  // namespace kist::store
