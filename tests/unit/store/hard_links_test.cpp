// Hard links and extended attributes: kept beside the times, made again wherever files are written.
#include <sys/xattr.h>

#include "archive/unpack.hpp"
#include "archive/writer.hpp"
#include "base/system.hpp"
#include "store/compare.hpp"
#include "store/fixture.hpp"
#include "store/pack_tree.hpp"
#include "store/tree.hpp"

namespace kist::store {
namespace {

using Numbers = std::vector<std::size_t>;

class HardLinksTest : public StoreTest {
 protected:
  fs::path tree() const { return path("work/tree"); }

  void SetUp() override {
    StoreTest::SetUp();
    fs::create_directories(tree() / "d/e");
  }

  // For each of these files, as which of them it is the same inode: {0, 0, 2} where the first two are one.
  static Numbers same(const fs::path& top, const std::vector<std::string>& names) {
    std::map<ino_t, std::size_t> first;
    Numbers numbers;
    for (std::size_t i = 0; i < names.size(); ++i)
      numbers.push_back(first.try_emplace(status_of(top / names[i]).st_ino, i).first->second);
    return numbers;
  }

  Result<ArtifactId> combine(const std::vector<Transaction::Part>& parts) {
    KIST_TRY_ASSIGN(auto transaction, store_->begin());
    KIST_TRY_ASSIGN(const Saved saved, transaction->combine(parts));
    KIST_TRY(transaction->commit());
    return saved.id;
  }

  fs::path restore(const ArtifactId& id, const std::string& part = "", const RestoreOptions& options = {}) {
    const fs::path target = path(fmt::format("work/back-{}", ++restored_));
    auto done = store_->restore(id, part, target, options);
    EXPECT_TRUE(done) << done.error().text;
    return target;
  }

  int restored_ = 0;
};

TEST_F(HardLinksTest, AreMadeAgain) {
  write(tree() / "d/b", "one file");
  fs::permissions(tree() / "d/b", fs::perms(0440));
  set_time(tree() / "d/b", 1'000'000'000, 7);
  fs::create_hard_link(tree() / "d/b", tree() / "a");
  fs::create_hard_link(tree() / "d/b", tree() / "d/e/c");
  write(tree() / "other", "one file");
  fs::permissions(tree() / "other", fs::perms(0440));
  set_time(tree() / "other", 1'000'000'000, 7);
  fs::create_hard_link(tree() / "other", path("work/not in the tree"));
  const std::vector<std::string> names = {"a", "d/b", "d/e/c", "other"};
  const ArtifactId id = save(tree()).id;

  const fs::path back = restore(id);
  EXPECT_EQ(picture(back), picture(tree()));
  EXPECT_EQ(same(back, names), (Numbers{0, 0, 0, 3})) << "what only looks alike is a file of its own";
  EXPECT_EQ(status_of(back / "a").st_nlink, 3U);

  // A part has links among its own files.
  const fs::path part = restore(id, "d");
  EXPECT_EQ(picture(part), picture(tree() / "d"));
  EXPECT_EQ(same(part, {"b", "e/c"}), (Numbers{0, 0}));
  EXPECT_EQ(status_of(part / "b").st_nlink, 2U);
  EXPECT_EQ(status_of(restore(id, "d/e/c")).st_nlink, 1U);

  // Over what is there: what shared an inode with it is not touched.
  fs::remove(part / "b");
  write(part / "b", "mine");
  fs::create_hard_link(part / "b", path("work/mine"));
  ASSERT_OK(store_->restore(id, "d", part, {.overwrite = true}));
  EXPECT_EQ(picture(part, false), picture(tree() / "d", false));
  EXPECT_EQ(same(part, {"b", "e/c"}), (Numbers{0, 0}));
  EXPECT_EQ(contents(path("work/mine")), "mine");

  // A view's inodes are the cache's own affair.
  auto view = store_->view(id);
  ASSERT_OK(view);
  EXPECT_EQ(picture((*view)->path()), picture(tree()));
  EXPECT_EQ(same((*view)->path(), names), (Numbers{0, 1, 2, 3}));
  EXPECT_EQ(damage(id), std::vector<std::string>{});
}

TEST_F(HardLinksTest, AreNoPartOfTheTree) {
  write(tree() / "a", "x");
  fs::create_hard_link(tree() / "a", tree() / "b");
  set_time(tree(), 5);
  const ArtifactId linked = save(tree()).id;
  const timespec time = status_of(tree() / "a").st_mtim;
  fs::remove(tree() / "b");
  write(tree() / "b", "x");
  set_time(tree() / "b", time.tv_sec, time.tv_nsec);
  set_time(tree(), 5);
  const ArtifactId apart = save(tree()).id;
  EXPECT_EQ(linked.tree, apart.tree);
  EXPECT_NE(linked.times, apart.times);
}

// More pairs than a block holds, with entries between them.
TEST_F(HardLinksTest, AnyNumberOfThem) {
  for (int i = 0; i < 5000; ++i) {
    const std::string name = fmt::format("{:04}", i);
    write(tree() / "d" / name, name);
    if (i % 3 != 0) fs::create_hard_link(tree() / "d" / name, tree() / "d/e" / name);
  }
  const ArtifactId id = save(tree()).id;
  const fs::path back = restore(id);
  EXPECT_EQ(picture(back), picture(tree()));
  for (int i = 0; i < 5000; ++i)
    ASSERT_EQ(status_of(back / "d" / fmt::format("{:04}", i)).st_nlink, i % 3 != 0 ? 2U : 1U) << i;
  EXPECT_EQ(damage(id), std::vector<std::string>{});
}

TEST_F(HardLinksTest, GoAlongIntoOtherArtifacts) {
  write(tree() / "a", "x");
  fs::create_hard_link(tree() / "a", tree() / "d/b");
  fs::create_hard_link(tree() / "a", tree() / "d/c");
  fs::create_hard_link(tree() / "a", tree() / "d/e/f");
  const ArtifactId id = save(tree()).id;
  write(path("work/single"), "y");
  const ArtifactId single = save(path("work/single")).id;

  // Twice, and in one of them what is in the middle is replaced.
  auto combined = combine({{"first", id}, {"second", id}, {"second/d/b", single}});
  ASSERT_OK(combined);
  const fs::path back = restore(*combined);
  EXPECT_EQ(same(back, {"first/a", "first/d/b", "first/d/c", "first/d/e/f", "second/a", "second/d/b", "second/d/c",
                        "second/d/e/f"}),
            (Numbers{0, 0, 0, 0, 4, 5, 4, 4}));
  EXPECT_EQ(contents(back / "second/d/b"), "y");
  // The first of them is replaced, by what is below a directory of its name.
  combined = combine({{"", id}, {"a/below", single}});
  ASSERT_OK(combined);
  EXPECT_EQ(same(restore(*combined), {"a/below", "d/b", "d/c", "d/e/f"}), (Numbers{0, 1, 1, 1}));
  // Of one part it is that part.
  combined = combine({{"", id}});
  ASSERT_OK(combined);
  EXPECT_EQ(*combined, id);

  // A directory that is followed.
  fs::remove(tree() / "a");
  write(tree() / "a", "new");
  write(tree() / "g", "z");
  fs::create_hard_link(tree() / "g", tree() / "h");
  auto transaction = store_->begin();
  ASSERT_OK(transaction);
  const std::vector<Change> changes = {{.path = "a"}, {.path = "g"}, {.path = "h"}};
  auto updated = (*transaction)->update(id, tree(), changes);
  ASSERT_OK(updated);
  ASSERT_OK((*transaction)->commit());
  EXPECT_EQ(updated->saved.id, save(tree()).id) << "as saved at once";
  EXPECT_EQ(same(restore(updated->saved.id), {"a", "d/b", "d/c", "d/e/f", "g", "h"}), (Numbers{0, 1, 1, 1, 4, 4}));
}

// An artifact from elsewhere may say anything: no file gets another's bytes.
TEST_F(HardLinksTest, AreBelievedOnlyOfWhatIsAlike) {
  auto chunk = [](std::string_view text) { return ChunkRecord{sha256(text), static_cast<std::uint32_t>(text.size())}; };
  auto transaction = store_->begin();
  ASSERT_OK(transaction);
  ASSERT_OK((*transaction)->put_object("one"));
  ASSERT_OK((*transaction)->put_object("two"));
  TreeWriter writer([&](ByteSpan bytes) { return (*transaction)->put_object(text_of(bytes)); });
  TreeEntry entry;
  entry.type = EntryType::directory;
  entry.mode = 0755;
  ASSERT_OK(writer.add(entry));
  auto add = [&](std::string name, std::string_view text, std::uint16_t mode, int time) {
    TreeEntry file;
    file.path = std::move(name);
    file.mode = mode;
    file.modified = Time(std::chrono::seconds(time));
    file.content.size = text.size();
    file.content.chunks.push_back(chunk(text));
    if (writer.entries() > 1) file.extra.same_as = 1;
    ASSERT_OK(writer.add(file));
  };
  add("a", "one", 0644, 1);
  add("b", "two", 0644, 1);
  add("c", "one", 0600, 1);
  add("d", "one", 0644, 2);
  add("e", "one", 0644, 1);
  auto saved = writer.finish();
  ASSERT_OK(saved);
  ASSERT_OK((*transaction)->commit());
  const fs::path back = restore(saved->id);
  EXPECT_EQ(same(back, {"a", "b", "c", "d", "e"}), (Numbers{0, 1, 2, 3, 0}));
  EXPECT_EQ(contents(back / "b"), "two");
  EXPECT_EQ(status_of(back / "c").st_mode & 07777, 0600U);
  EXPECT_EQ(status_of(back / "d").st_mtim.tv_sec, 2);
}

class AttributesTest : public HardLinksTest {
 protected:
  void SetUp() override {
    HardLinksTest::SetUp();
    if (::setxattr(tree().c_str(), "user.test", "", 0, 0) != 0 && errno == EOPNOTSUPP)
      GTEST_SKIP() << "this file system has no extended attributes";
  }

  static void set(const fs::path& file, const char* name, std::string_view value) {
    ASSERT_EQ(::lsetxattr(file.c_str(), name, value.data(), value.size(), 0), 0) << file << ": " << strerror(errno);
  }
  static std::optional<std::string> get(const fs::path& file, const char* name) {
    std::string value(64 << 10, '\0');
    const ssize_t length = ::lgetxattr(file.c_str(), name, value.data(), value.size());
    if (length < 0) return std::nullopt;
    value.resize(static_cast<std::size_t>(length));
    return value;
  }

  void make() {
    write(tree() / "d/f", "x");
    set(tree(), "user.test", "the top's");
    set(tree() / "d", "user.of directory", "");
    set(tree() / "d/f", "user.one", std::string("\0\n=\xff", 4));
    set(tree() / "d/f", "user.two=", std::string(2000, 'v'));
    fs::permissions(tree() / "d/f", fs::perms(0444));
    fs::create_hard_link(tree() / "d/f", tree() / "d/g");
    set_time(tree() / "d/f", 1'000'000'000, 7);
  }
  void expect_made(const fs::path& top) {
    EXPECT_EQ(picture(top), picture(tree()));
    EXPECT_EQ(get(top, "user.test"), "the top's");
    EXPECT_EQ(get(top / "d", "user.of directory"), "");
    for (const char* name : {"d/f", "d/g"}) {
      EXPECT_EQ(get(top / name, "user.one"), std::string("\0\n=\xff", 4));
      EXPECT_EQ(get(top / name, "user.two="), std::string(2000, 'v'));
    }
  }
};

TEST_F(AttributesTest, AreKeptWhenAskedFor) {
  make();
  const ArtifactId without = save(tree()).id;
  EXPECT_FALSE(get(restore(without) / "d/f", "user.one"));
  const ArtifactId id = save(tree(), {.attributes = true}).id;
  EXPECT_EQ(id.tree, without.tree);
  std::vector<std::string> notices;
  expect_made(restore(id, "", {.notices = &notices}));
  EXPECT_EQ(notices, std::vector<std::string>{});
  EXPECT_EQ(get(restore(id, "d/f"), "user.one"), std::string("\0\n=\xff", 4));
  auto view = store_->view(id);
  ASSERT_OK(view);
  expect_made((*view)->path());
  EXPECT_EQ(damage(id), std::vector<std::string>{});

  // What is known without being read again has them too, as they are now.
  EXPECT_EQ(save(tree(), {.attributes = true}).id, id);
  set(tree() / "d", "user.of directory", "new");
  const ArtifactId changed = save(tree(), {.attributes = true}).id;
  EXPECT_EQ(get(restore(changed) / "d", "user.of directory"), "new");

  auto combined = combine({{"", id}});
  ASSERT_OK(combined);
  EXPECT_EQ(*combined, id);
}

TEST_F(AttributesTest, AreThoseOfTheFileThatWasRead) {
  for (const char* name : {"one", "two"}) {
    write(path("work") / name, name);
    set(path("work") / name, "user.test", name);
  }
  fs::rename(path("work/one"), tree() / "f");
  // Another file takes its name while it is read.
  struct Replacing : os::Observer {
    Replacing(fs::path by, fs::path what) : by_(std::move(by)), what_(std::move(what)) { os::observe(this); }
    ~Replacing() override { os::observe(nullptr); }
    int before(os::Operation operation) override {
      std::error_code error;
      if (operation == os::Operation::read) fs::rename(by_, what_, error);
      return 0;
    }
    void synced(int) override {}
    fs::path by_, what_;
  };
  auto transaction = store_->begin();
  ASSERT_OK(transaction);
  Result<Saved> saved;
  {
    Replacing replacing(path("work/two"), tree() / "f");
    saved = (*transaction)->save(tree(), {.attributes = true});
  }
  ASSERT_OK(saved);
  ASSERT_OK((*transaction)->commit());
  const fs::path back = restore(saved->id);
  EXPECT_EQ(contents(back / "f"), "one");
  EXPECT_EQ(get(back / "f", "user.test"), "one");
}

TEST_F(AttributesTest, ByTheStoresOptions) {
  make();
  auto store = Store::open(home(), {.attributes = true});
  ASSERT_OK(store);
  store_ = std::move(*store);
  expect_made(restore(save(tree()).id));
}

// Blocks of them, between entries that have none.
TEST_F(AttributesTest, AnyNumberOfThem) {
  for (int i = 0; i < 3000; ++i) {
    const fs::path file = tree() / fmt::format("{:04}", i);
    write(file, "");
    if (i % 7 != 0) set(file, "user.number", fmt::format("{} {}", i, std::string(300, '.')));
  }
  const ArtifactId id = save(tree(), {.attributes = true}).id;
  const fs::path back = restore(id);
  for (int i = 0; i < 3000; ++i) {
    const std::string name = fmt::format("{:04}", i);
    ASSERT_EQ(get(back / name, "user.number"), get(tree() / name, "user.number")) << i;
  }
  // In any order.
  auto cursor = TreeCursor::open(store_->chunks(), id);
  ASSERT_OK(cursor);
  for (int i : {2500, 3, 2501, 2501, 7, 8, 0}) {
    auto entry = cursor->find(fmt::format("{:04}", i));
    ASSERT_OK(entry);
    EXPECT_EQ((*entry)->extra.attributes.size(), i % 7 != 0 ? 1U : 0U) << i;
  }
  EXPECT_EQ(damage(id), std::vector<std::string>{});
}

TEST_F(AttributesTest, WhatMayNotBeSetIsToldOnce) {
  auto transaction = store_->begin();
  ASSERT_OK(transaction);
  TreeWriter writer([&](ByteSpan bytes) { return (*transaction)->put_object(text_of(bytes)); });
  TreeEntry entry;
  entry.type = EntryType::directory;
  entry.mode = 0755;
  ASSERT_OK(writer.add(entry));
  entry.type = EntryType::file;
  entry.extra.attributes = {{"security.selinux", "anything"}, {"user.overlay.opaque", "y"}, {"user.test", "set"}};
  for (const char* name : {"a", "b"}) {
    entry.path = name;
    ASSERT_OK(writer.add(entry));
  }
  auto saved = writer.finish();
  ASSERT_OK(saved);
  ASSERT_OK((*transaction)->commit());
  std::vector<std::string> notices;
  const fs::path back = restore(saved->id, "", {.notices = &notices});
  EXPECT_EQ(notices, (std::vector<std::string>{"4 extended attributes could not be set, the first of them "
                                               "'security.selinux' of a: Operation not permitted"}));
  EXPECT_EQ(get(back / "b", "user.test"), "set");
  EXPECT_FALSE(get(back / "b", "user.overlay.opaque"));
}

TEST_F(AttributesTest, GoIntoATarWithTheHardLinks) {
  make();
  const ArtifactId id = save(tree(), {.attributes = true}).id;
  for (const char* kind : {"tar", "zip"}) {
    const fs::path file = path(fmt::format("work/packed.{}", kind));
    std::ofstream out(file, std::ios::binary);
    const archive::Sink sink = [&](std::span<const std::byte> bytes) -> Status {
      out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
      return {};
    };
    const bool tar = std::string_view(kind) == "tar";
    Result<std::unique_ptr<archive::Writer>> writer =
        tar ? archive::make_tar_writer(sink) : archive::make_zip_writer(sink);
    ASSERT_OK(writer);
    ASSERT_OK(pack_tree({store_->chunks(), id, "d"}, "top", **writer));
    ASSERT_OK((*writer)->finish());
    out.close();
    const fs::path back = path(fmt::format("work/from-{}", kind));
    ASSERT_OK(archive::unpack(file, back));
    EXPECT_EQ(picture(back / "top", tar), picture(tree() / "d", tar));
    EXPECT_EQ(same(back / "top", {"f", "g"}), (tar ? Numbers{0, 0} : Numbers{0, 1}));
    if (!tar) continue;
    const std::string text = contents(file);
    EXPECT_NE(text.find("SCHILY.xattr.user.one=" + std::string("\0\n=\xff\n", 5)), std::string::npos);
    EXPECT_NE(text.find("SCHILY.xattr.user.two%3D=vv"), std::string::npos);
  }
}

}  // namespace
}  // namespace kist::store
