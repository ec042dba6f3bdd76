// Restoring into directories where something is already, friendly or not.
#include <algorithm>
#include <functional>
#include <ranges>

#include <unistd.h>

#include "store/observers.hpp"

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

// A directory gets its mode and time when all that lies in it is there: what lies in "a" comes behind "a-b".
TEST_F(RestoreTest, EachDirectoryThatIsMadeGetsItsOwnModeAndTime) {
  const fs::path tree = path("work/many");
  for (const char* name : {"top/a/b/c", "top/a/d", "top/a!", "top/a-b/c", "top/a-b/d", "top/b"})
    fs::create_directories(tree / name);
  write(tree / "top/a/d/f", "content");
  write(tree / "top/a-b/f", "content");
  std::vector<fs::path> all;
  for (const auto& entry : fs::recursive_directory_iterator(tree)) all.push_back(entry.path());
  std::ranges::sort(all, std::greater());
  unsigned number = 0;
  for (const fs::path& one : all) {
    fs::permissions(one, fs::perms(0500 + number % 8));
    set_time(one, 1000 + number++);
  }
  const ArtifactId id = save(tree).id;

  ASSERT_OK(store_->restore(id, "top", path("work/back")));
  EXPECT_EQ(picture(tree / "top"), picture(path("work/back")));

  // Those that were there keep theirs, and the others get no other's.
  const fs::path merged = path("work/merged");
  fs::create_directories(merged / "a/b");
  fs::create_directories(merged / "a-b/c");
  auto expected = picture(tree / "top");
  for (const char* name : {"", "a", "a/b", "a-b", "a-b/c"}) expected.erase(name);
  ASSERT_OK(store_->restore(id, "top", merged));
  auto found = picture(merged);
  for (const char* name : {"", "a", "a/b", "a-b", "a-b/c"}) {
    EXPECT_EQ(status_of(merged / name).st_mode & 0777, 0755U) << name;
    found.erase(name);
  }
  EXPECT_EQ(found, expected);
  for (const fs::path& one : all | std::views::reverse)
    if (fs::is_directory(one)) fs::permissions(one, fs::perms(0700));
}

TEST_F(RestoreTest, ManyThreadsLeaveWhatOneWould) {
  fs::path tree = path("work/many");
  for (int i = 0; i < 120; ++i) {
    fs::path directory = tree / fmt::format("d{}", i) / "deep";
    fs::create_directories(directory);
    for (int j = 0; j <= i % 40; ++j) write(directory / std::to_string(j), prose(static_cast<std::size_t>(j) * 100, 1));
    write(tree / fmt::format("d{}", i) / "beside", "x");
    fs::permissions(directory / "0", fs::perms(i % 2 == 0 ? 0444 : 0666), fs::perm_options::add);
  }
  write(tree / "large", noise(17 << 20, 2) + std::string(3 << 20, '\0'));
  write(tree / "wide open", "x");
  fs::permissions(tree / "wide open", fs::perms(06777));
  for (int i = 0; i < 120; ++i) {
    set_time(tree / fmt::format("d{}/deep", i), 1000 + i);
    fs::permissions(tree / fmt::format("d{}/deep", i), fs::perms(0555));
    set_time(tree / fmt::format("d{}", i), 2000 + i);
  }
  ArtifactId id = save(tree).id;
  ASSERT_OK(store_->restore(id, "", path("work/back")));
  EXPECT_EQ(picture(tree), picture(path("work/back")));
  EXPECT_LT(status_of(path("work/back/large")).st_blocks * 512, (17 << 20) + (1 << 20)) << "zeros stay a hole";

  // Again over it: each file is replaced only by the whole of the new one, and nothing else is left.
  write(path("work/back/large"), "old");
  fs::permissions(path("work/back/d7/deep"), fs::perms(0755));
  ASSERT_OK(store_->restore(id, "", path("work/back"), {.overwrite = true}));
  fs::permissions(path("work/back/d7/deep"), fs::perms(0555));
  EXPECT_EQ(picture(tree, false), picture(path("work/back"), false));

  // What fails is told, and takes what is not complete with it.
  write(path("work/back/large"), "old");
  Failing failing(150, EIO, Failing::How::from_then_on, true);
  EXPECT_ERROR(store_->restore(id, "large", path("work/back/large"), {.overwrite = true}), ErrorKind::io);
  EXPECT_EQ(contents(path("work/back/large")), "old");
  for (const auto& entry : fs::directory_iterator(path("work/back")))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".kist")) << entry.path();
}

// Small files that lie side by side are read together; each is checked by itself.
TEST_F(RestoreTest, OfFilesReadTogetherTheDamagedOneIsNamed) {
  fs::create_directories(path("work/few"));
  for (int i = 0; i < 40; ++i)
    write(path(fmt::format("work/few/{:02}", i)), i % 2 == 0 ? noise(5000, i) : prose(9000, i));
  const ArtifactId id = save(path("work/few")).id;
  const std::string damaged = noise(5000, 20);
  for (const auto& entry : fs::directory_iterator(path("store/containers"))) {
    std::string pack = contents(entry.path());
    const std::size_t at = pack.find(damaged);
    if (at == std::string::npos) continue;
    pack[at + 4000] ^= 1;
    fs::permissions(entry.path(), fs::perms(0600));
    write(entry.path(), pack);
  }
  auto restored = store_->restore(id, "", path("work/back"));
  EXPECT_ERROR(restored, ErrorKind::corrupt);
  EXPECT_NE(restored.error().text.find("back/20"), std::string::npos) << restored.error().text;
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(contents(path(fmt::format("work/back/{:02}", i))), contents(path(fmt::format("work/few/{:02}", i))));
  EXPECT_NE(contents(path("work/back/20")).size(), 5000U) << "nothing wrong is served";
}

}  // namespace
}  // namespace kist::store
