// A file that is as it was is not read again, and nothing else is taken for one.
#include <sys/mman.h>
#include <sys/vfs.h>

#include "store/chunker.hpp"
#include "store/observers.hpp"

namespace kist::store {
namespace {

class StatCacheTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    struct statfs system{};
    ASSERT_EQ(::statfs(scratch_->path().c_str(), &system), 0);
    if (system.f_type == 0x01021994) GTEST_SKIP() << "a tmpfs is never believed";
    fs::create_directory(tree());
  }

  fs::path tree() const { return path("work/tree"); }

  // Lets what is below the tree grow old enough to be believed: on disk, and its times out of reach of the clock's
  // coarseness.
  void age() const {
    FileDescriptor directory(::open(tree().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_EQ(::syncfs(directory.get()), 0);
    ::usleep(2'200'000);
  }

  struct SavedWithReads {
    ArtifactId id;
    int opened = 0;
  };
  SavedWithReads save_counting() {
    Watching watching;
    auto transaction = store_->begin();
    EXPECT_TRUE(transaction) << transaction.error().text;
    int before = watching.count(os::Operation::open);
    auto saved = (*transaction)->save(tree());
    EXPECT_TRUE(saved) << saved.error().text;
    int opened = watching.count(os::Operation::open) - before;
    EXPECT_TRUE((*transaction)->commit());
    return {saved.value_or(Saved{}).id, opened};
  }

  // Takes what the tree held out of the store, so that only its bytes can bring it back.
  void forget_content() {
    store_.reset();
    for (const auto& entry : fs::directory_iterator(home() / "containers")) fs::remove(entry.path());
    for (const auto& entry : fs::directory_iterator(home() / "index")) fs::remove(entry.path());
    reopen();
  }
};

TEST_F(StatCacheTest, WhatIsUnchangedIsNotOpened) {
  constexpr int kFiles = 300;
  for (int i = 0; i < kFiles; ++i) write(tree() / std::to_string(i), prose(static_cast<std::size_t>(i) * 10, 1));
  write(tree() / "several chunks", noise(1 << 20, 2));
  write(tree() / "many chunks", noise(5 << 20, 3));
  age();
  auto first = save_counting();
  EXPECT_GT(first.opened, kFiles);
  reopen();
  auto second = save_counting();
  EXPECT_EQ(second.id, first.id);
  EXPECT_LT(second.opened, 20) << "another process knows it too";

  // A new mode or time is no new content, but a new ctime: it is read, and the artifact says so.
  fs::permissions(tree() / "17", fs::perms(0600));
  set_time(tree() / "18", 5);
  auto third = save_counting();
  EXPECT_EQ(store_->find(third.id, "17")->mode, 0600U);
  EXPECT_EQ(store_->find(third.id, "18")->modified, Time(std::chrono::seconds(5)));
  EXPECT_EQ(third.opened - second.opened, 2);

  // Nothing is believed to be in the store because it once was.
  forget_content();
  auto again = save_counting();
  EXPECT_EQ(again.id, third.id);
  EXPECT_GT(again.opened, kFiles);
  ASSERT_OK(store_->restore(again.id, "", path("work/back")));
  EXPECT_EQ(picture(tree()), picture(path("work/back")));

  // Nor is a file that somebody else wrote to.
  std::string damage = noise(static_cast<std::size_t>(fs::file_size(home() / "stat-cache")), 4);
  write(home() / "stat-cache", "kiststat" + std::string("\1\0\0\0\0\0\0\0", 8) + damage.substr(16));
  reopen();
  EXPECT_EQ(save_counting().id, third.id);
}

TEST_F(StatCacheTest, WhatChangedIsReadWhateverItsSizeAndTime) {
  write(tree() / "rewritten", "one");
  write(tree() / "replaced", "one");
  write(tree() / "mapped", std::string(4096, '1'));
  for (const char* name : {"rewritten", "replaced"}) set_time(tree() / name, 1'000'000'000);
  age();
  // A program that has the file mapped: its first write to a page gives a new ctime, those after it do not.
  FileDescriptor file(::open((tree() / "mapped").c_str(), O_RDWR | O_CLOEXEC));
  auto* mapped = static_cast<char*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
  ASSERT_NE(mapped, MAP_FAILED);
  mapped[0] = '2';
  ::usleep(2'200'000);
  save_counting();
  mapped[0] = '3';
  write(tree() / "rewritten", "two");
  write(path("work/other"), "two");
  fs::rename(path("work/other"), tree() / "replaced");
  for (const char* name : {"rewritten", "replaced"}) set_time(tree() / name, 1'000'000'000);
  auto second = save_counting();
  EXPECT_EQ(read(second.id, "rewritten"), "two");
  EXPECT_EQ(read(second.id, "replaced"), "two");
  EXPECT_EQ(read(second.id, "mapped", 0, 1), "3");
  ::munmap(mapped, 4096);
}

// Of a long file the list of its chunks is a chunk too, and may go while the chunks stay: they lie in another pack,
// which is needed.
TEST_F(StatCacheTest, AListThatIsToBeCollectedIsNotCountedOn) {
  const std::string whole = noise(4 << 20, 5);
  fs::create_directory(path("work/parts"));
  for (std::size_t at = 0, length = 0; at < whole.size(); at += length) {
    const std::string_view rest = std::string_view(whole).substr(at);
    length = first_chunk(std::as_bytes(std::span(rest)));
    write(path("work/parts") / std::to_string(at), rest.substr(0, length));
  }
  write(tree() / "long", whole);
  age();
  const ArtifactId parts = save(path("work/parts")).id;
  save(tree());
  ::usleep(50'000);  // what came in the tick of the clock in which it is condemned is not taken for the same file
  auto maintenance = Maintenance::open(home());
  ASSERT_OK(maintenance);
  auto collect = [&](const std::optional<ArtifactId>& also) {
    auto collected = (*maintenance)
                         ->collect(
                             [&](const TakeRoot& take) -> Status {
                               KIST_TRY(take({"the parts", parts}));
                               return also ? take({"the tree", *also}) : Status();
                             },
                             {});
    EXPECT_TRUE(collected) << collected.error().text;
    return collected.value_or(Collected{});
  };
  auto holding = store_->hold();
  ASSERT_OK(holding);
  EXPECT_EQ(collect({}).waiting, 1U) << "the pack of the list and the tree";

  auto transaction = store_->begin();
  ASSERT_OK(transaction);
  auto saved = (*transaction)->save(tree());
  ASSERT_OK(saved);
  holding->reset();
  EXPECT_EQ(collect({}).containers, 1U) << "the pack is older than the transaction, which was told of it";
  ASSERT_OK((*transaction)->commit());
  transaction->reset();
  collect(saved->id);
  reopen();
  auto read_back = read(saved->id, "long");
  ASSERT_OK(read_back);
  EXPECT_EQ(*read_back, whole);
}

TEST_F(StatCacheTest, AFileOfThisMomentIsNotBelieved) {
  for (int i = 0; i < 20; ++i) {
    write(tree() / "f", std::to_string(100 + i));
    set_time(tree() / "f", 1'000'000'000);
    EXPECT_EQ(read(save_counting().id, "f"), std::to_string(100 + i));
  }
}

}  // namespace
}  // namespace kist::store
