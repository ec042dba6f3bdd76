// Views, and adopted files given out in them: links where they are safe, never a changed byte.
#include <fcntl.h>
#include <sys/wait.h>

#include "store/observers.hpp"
#include "store/views.hpp"

namespace kist::store {
namespace {

class ViewTest : public StoreTest {
 protected:
  // A task's scratch with a large file in it, saved for good and thrown away, as a task does it.
  ArtifactId adopt(const std::string& text, bool discard = true) {
    fs::create_directories(path("work/scratch/out"));
    write(path("work/scratch/out/large"), text);
    write(path("work/scratch/out/small"), "small");
    set_time(path("work/scratch/out/large"), 1'700'000'000, 42);
    inode_ = status_of(path("work/scratch/out/large")).st_ino;
    ArtifactId id = save(path("work/scratch"), {.adopt = true}).id;
    if (discard) fs::remove_all(path("work/scratch"));
    return id;
  }

  fs::path adopted_file() const {
    for (const auto& entry : fs::directory_iterator(home() / "containers")) {
      std::string name = entry.path().filename().string();
      if (name.starts_with("file-") && !name.ends_with(".table")) return entry.path();
    }
    return {};
  }

  ino_t inode_ = 0;
};

TEST_F(ViewTest, AnAdoptedFileIsGivenOnWithoutACopy) {
  std::string text = noise(9 << 20, 1);
  Watching watching;
  ArtifactId id = adopt(text);
  int writes = watching.count(os::Operation::write);
  int reads = watching.count(os::Operation::read);
  ASSERT_EQ(status_of(adopted_file()).st_ino, inode_);
  EXPECT_LT(writes, 20) << "its bytes were not written";
  auto view = store_->view(id);
  ASSERT_OK(view);
  EXPECT_EQ(status_of((*view)->path() / "out/large").st_ino, inode_);
  EXPECT_LT(watching.count(os::Operation::read) - reads, 20) << "nor read again";
  EXPECT_LT(watching.count(os::Operation::write) - writes, 20);

  EXPECT_EQ(read(id, "out/large"), text);
  EXPECT_EQ(read(id, "out/large", 5'000'000, 10), text.substr(5'000'000, 10));
  ASSERT_OK(store_->restore(id, "", path("work/back")));
  EXPECT_EQ(contents(path("work/back/out/large")), text);
  EXPECT_NE(status_of(path("work/back/out/large")).st_ino, inode_) << "a user gets files of his own";
  EXPECT_EQ(damage(id), std::vector<std::string>{});

  // The same bytes again cost nothing, whether they could be adopted or not.
  std::uint64_t before = stored_bytes();
  write(path("work/again"), text);
  save(path("work/again"), {.adopt = true});
  EXPECT_LT(stored_bytes() - before, 100'000U);
}

TEST_F(ViewTest, OnlyWhatIsKistsOwnAndWorthItIsAdopted) {
  std::string text = noise(5 << 20, 2);
  write(path("work/linked"), text);
  fs::create_hard_link(path("work/linked"), path("work/link"));
  save(path("work/linked"), {.adopt = true});
  write(path("work/compresses"), prose(5 << 20));
  save(path("work/compresses"), {.adopt = true});
  write(path("work/repeats"), noise(1 << 20, 3) + text);
  save(path("work/repeats"), {.adopt = true});
  write(path("work/users"), noise(5 << 20, 4));
  ArtifactId id = save(path("work/users")).id;
  EXPECT_EQ(adopted_file(), fs::path());
  EXPECT_EQ(status_of(path("work/users")).st_nlink, 1U);
  EXPECT_EQ(read(id, ""), contents(path("work/users")));
}

TEST_F(ViewTest, TheCommitDecides) {
  write(path("work/large"), noise(5 << 20, 5));
  {
    auto transaction = store_->begin();
    ASSERT_OK(transaction);
    ASSERT_OK((*transaction)->save(path("work/large"), {.adopt = true}));
    EXPECT_EQ(status_of(path("work/large")).st_nlink, 2U);
  }
  EXPECT_EQ(status_of(path("work/large")).st_nlink, 1U) << "without a commit nothing stays";
  EXPECT_EQ(count("tmp"), 0U);

  auto transaction = store_->begin();
  ASSERT_OK(transaction);
  ASSERT_OK((*transaction)->save(path("work/large"), {.adopt = true}));
  write(path("work/large"), "somebody wrote to it after all");
  EXPECT_ERROR((*transaction)->commit(), ErrorKind::unavailable);
  EXPECT_ERROR((*transaction)->commit(), ErrorKind::unavailable);
}

TEST_F(ViewTest, AnotherModeOrTimeIsNotLinked) {
  std::string text = noise(5 << 20, 6);
  ArtifactId first = adopt(text);
  fs::create_directories(path("work/scratch/out"));
  write(path("work/scratch/out/large"), text);
  set_time(path("work/scratch/out/large"), 1'700'000'001);
  ArtifactId second = save(path("work/scratch"), {.adopt = true}).id;
  auto one = store_->view(first);
  auto two = store_->view(second);
  ASSERT_OK(one);
  ASSERT_OK(two);
  EXPECT_EQ(status_of((*one)->path() / "out/large").st_ino, inode_);
  EXPECT_NE(status_of((*two)->path() / "out/large").st_ino, inode_);
  EXPECT_EQ(status_of((*two)->path() / "out/large").st_mtim.tv_sec, 1'700'000'001);
  EXPECT_EQ(contents((*two)->path() / "out/large"), text);
}

TEST_F(ViewTest, AChangedInodeIsNeverBelieved) {
  for (bool discard : {true, false}) {
    ArtifactId id = adopt(noise(5 << 20, discard ? 7 : 8), discard);
    {
      // A byte changed, and the time put back: size, mtime and links are as they were.
      FileDescriptor file(::open(adopted_file().c_str(), O_WRONLY | O_CLOEXEC));
      ASSERT_EQ(::pwrite(file.get(), "!", 1, 1'000'000), 1);
      timespec times[2] = {{1'700'000'000, 42}, {1'700'000'000, 42}};
      ASSERT_EQ(::futimens(file.get(), times), 0);
    }
    // Right after the commit the scratch's link explains a change of ctime once; a write hidden behind it has to forge
    // the time as well, and does not get past the bytes' own check.
    auto read_back = read(id, "out/large");
    EXPECT_ERROR(read_back, ErrorKind::corrupt);
    EXPECT_NE(read_back.error().text.find(adopted_file().string()), std::string::npos) << read_back.error().text;
    if (!discard) {
      EXPECT_ERROR(store_->view(id), ErrorKind::corrupt);
      fs::remove_all(path("work/scratch"));
    }
    EXPECT_EQ(damage(id).size(), 2U) << "the file, and the artifact that needs it";
    fs::remove(adopted_file());
  }
}

TEST_F(ViewTest, ItsLinksMayComeAndGo) {
  ArtifactId id = adopt(noise(5 << 20, 9));
  std::string name;
  {
    auto view = store_->view(id);
    ASSERT_OK(view);
    name = (*view)->path().parent_path().filename().string();
  }
  auto directory = StoreDirectory::open(home());
  ASSERT_OK(directory);
  Lease lease(*directory);
  auto chunks = Chunks::open(*directory, lease);
  ASSERT_OK(chunks);
  Inodes inodes(*directory);
  Views views(*directory, lease, **chunks, inodes);
  auto gone = views.evict(name);
  ASSERT_OK(gone);
  EXPECT_TRUE(*gone);
  EXPECT_EQ(count("views"), 0U);
  EXPECT_EQ(status_of(adopted_file()).st_nlink, 1U);
  Watching watching;
  auto again = views.view(id);
  ASSERT_OK(again);
  EXPECT_EQ(status_of((*again)->path() / "out/large").st_ino, inode_);
  EXPECT_LT(watching.count(os::Operation::read), 20) << "kist's own unlink is no reason to doubt";
}

TEST_F(ViewTest, IsMadeOnceAndHeldWhileItIsUsed) {
  fs::create_directory(path("work/tree"));
  write(path("work/tree/f"), "content");
  ArtifactId id = save(path("work/tree")).id;
  auto first = store_->view(id);
  ASSERT_OK(first);
  ino_t inode = status_of((*first)->path() / "f").st_ino;
  auto other_process = Store::open(home());
  ASSERT_OK(other_process);
  auto second = (*other_process)->view(id);
  ASSERT_OK(second);
  EXPECT_EQ(status_of((*second)->path() / "f").st_ino, inode);

  auto directory = StoreDirectory::open(home());
  ASSERT_OK(directory);
  Lease lease(*directory);
  auto chunks = Chunks::open(*directory, lease);
  ASSERT_OK(chunks);
  Inodes inodes(*directory);
  Views views(*directory, lease, **chunks, inodes);
  EXPECT_EQ(views.evict(Views::name_of(id)), false);
  first->reset();
  EXPECT_EQ(views.evict(Views::name_of(id)), false);
  second->reset();
  EXPECT_EQ(views.evict(Views::name_of(id)), true);
  EXPECT_EQ(count("views"), 0U);
  EXPECT_EQ(views.evict(Views::name_of(id)), true) << "a missing one is gone already";
}

TEST_F(ViewTest, AChangedViewIsMadeAgain) {
  fs::create_directory(path("work/tree"));
  write(path("work/tree/f"), "content");
  write(path("work/tree/g"), "content");
  ArtifactId id = save(path("work/tree")).id;
  auto changes = std::to_array<std::function<void(const fs::path&)>>({
      [](const fs::path& view) { write(view / "f", "CONTENT"); },
      [](const fs::path& view) { fs::remove(view / "f"); },
      [](const fs::path& view) { write(view / "more", ""); },
      [](const fs::path& view) { fs::permissions(view / "f", fs::perms(0600)); },
      [](const fs::path& view) { fs::remove(view.parent_path() / "state"); },
  });
  for (const auto& change : changes) {
    auto view = store_->view(id);
    ASSERT_OK(view);
    change((*view)->path());
    // Another process, while this one still holds the view, and after it let go.
    for (int i = 0; i < 2; ++i) {
      auto other = Store::open(home());
      ASSERT_OK(other);
      auto fresh = (*other)->view(id);
      ASSERT_OK(fresh);
      EXPECT_EQ(picture((*fresh)->path()), picture(path("work/tree")));
      if (i == 0) {
        EXPECT_NE((*fresh)->path(), (*view)->path());
      }
      view->reset();
    }
    reopen();
  }
}

TEST_F(ViewTest, ManyMakeItAtOnce) {
  fs::create_directory(path("work/tree"));
  for (int i = 0; i < 50; ++i) write(path("work/tree") / std::to_string(i), std::to_string(i));
  ArtifactId id = save(path("work/tree")).id;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      auto view = store_->view(id);
      ASSERT_OK(view);
      EXPECT_EQ(contents((*view)->path() / "17"), "17");
    });
  threads.clear();
  EXPECT_EQ(count("views"), 1U);
  EXPECT_EQ(count("tmp"), 0U);
}

}  // namespace
}  // namespace kist::store
