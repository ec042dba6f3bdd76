#include "net/directory_objects.hpp"

#include <atomic>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/file.hpp"
#include "base/system.hpp"
#include "net/read_object.hpp"

namespace kist::net {
namespace {

namespace fs = std::filesystem;

Body body(std::string_view text) {
  return {.bytes = std::as_bytes(std::span(text))};
}

struct DirectoryObjectsTest : testing::Test {
  ScratchDirectory scratch = ScratchDirectory::make(fs::temp_directory_path(), "kist-objects-").value();
  std::unique_ptr<ObjectStore> objects = open_directory_objects(scratch.path() / "remote", true).value();

  std::string text(std::string_view name, std::uint64_t offset = 0, std::uint64_t length = UINT64_MAX) {
    return read_object(*objects, name, offset, length);
  }
  std::vector<std::string> names(std::string_view prefix) {
    std::vector<std::string> all;
    EXPECT_TRUE(objects->list(prefix, [&](const ObjectInfo& info) {
      all.push_back(info.name);
      return true;
    }));
    return all;
  }
};

TEST_F(DirectoryObjectsTest, KeepsWholeObjectsAndGivesRanges) {
  std::string large(3'000'000, 'x');
  large += "end";
  std::uint64_t moved = 0;
  ASSERT_TRUE(objects->put("packs/ab/one", body(large), {}, [&](std::uint64_t bytes) { moved += bytes; }));
  EXPECT_EQ(moved, large.size());
  EXPECT_EQ(text("packs/ab/one"), large);
  EXPECT_EQ(text("packs/ab/one", 2'999'998, 3), "xxe");
  EXPECT_EQ(text("packs/ab/one", 3'000'001), "nd");
  EXPECT_EQ(text("packs/ab/one", 9'000'000), "");
  EXPECT_EQ(text("packs/ab"), "not found");
  EXPECT_EQ(text("packs/none"), "not found");

  auto file = open_file(scratch.path() / "remote/packs/ab/one", O_RDONLY).value();
  ASSERT_TRUE(objects->put("piece", {.bytes = {}, .file = file.get(), .offset = 2'999'999, .size = 4}));
  EXPECT_EQ(text("piece"), "xend");
  EXPECT_EQ(objects->put("long", {.bytes = {}, .file = file.get(), .offset = 0, .size = 4'000'000}).error().kind,
            ErrorKind::io);
  EXPECT_EQ(objects->head("long").error().kind, ErrorKind::not_found);

  ASSERT_TRUE(objects->remove("piece"));
  ASSERT_TRUE(objects->remove("piece"));
  EXPECT_EQ(objects->head("piece").error().kind, ErrorKind::not_found);
  EXPECT_TRUE(fs::is_empty(scratch.path() / "remote/.tmp"));
}

TEST_F(DirectoryObjectsTest, RefusesNamesThatLeadElsewhere) {
  for (std::string_view name : {"", "/a", "a/", "a//b", "..", "a/../b", ".lock", "a/.b", "a b", "a\n"}) {
    EXPECT_EQ(objects->put(name, body("x")).error().kind, ErrorKind::invalid) << name;
    EXPECT_EQ(text(name), "invalid") << name;
  }
  ASSERT_TRUE(objects->put("a", body("x")));
  EXPECT_EQ(objects->put("a/b", body("x")).error().kind, ErrorKind::conflict);
}

TEST_F(DirectoryObjectsTest, ListsInTheOrderOfWholeNames) {
  for (std::string_view name : {"a/c", "a-b", "a.b", "a0", "b/a/a", "b/a.a"})
    ASSERT_TRUE(objects->put(name, body("x")));
  EXPECT_EQ(names(""), (std::vector<std::string>{"a-b", "a.b", "a/c", "a0", "b/a.a", "b/a/a"}));
  EXPECT_EQ(names("a"), (std::vector<std::string>{"a-b", "a.b", "a/c", "a0"}));
  EXPECT_EQ(names("b/a/"), (std::vector<std::string>{"b/a/a"}));
  EXPECT_EQ(names("b/a"), (std::vector<std::string>{"b/a.a", "b/a/a"}));
  EXPECT_EQ(names("c/"), std::vector<std::string>{});
  int seen = 0;
  ASSERT_TRUE(objects->list("", [&](const ObjectInfo&) { return ++seen < 2; }));
  EXPECT_EQ(seen, 2);
}

TEST_F(DirectoryObjectsTest, ConditionsHold) {
  using Kind = PutCondition::Kind;
  EXPECT_TRUE(objects->obeys_conditions().value());
  EXPECT_EQ(objects->put("r", body("0"), {Kind::matches, "1"}).error().kind, ErrorKind::conflict);
  auto first = objects->put("r", body("1"), {Kind::absent, ""});
  ASSERT_TRUE(first);
  EXPECT_EQ(objects->head("r")->version, *first);
  EXPECT_EQ(objects->put("r", body("2"), {Kind::absent, ""}).error().kind, ErrorKind::conflict);
  auto second = objects->put("r", body("2"), {Kind::matches, *first});
  ASSERT_TRUE(second);
  EXPECT_EQ(objects->put("r", body("3"), {Kind::matches, *first}).error().kind, ErrorKind::conflict);
  EXPECT_EQ(text("r"), "2");
  // Even where it comes back to what it was, it is another version.
  std::set<std::string> versions{*first, *second};
  for (int i = 0; i < 100; ++i) versions.insert(objects->put("r", body("1")).value());
  EXPECT_EQ(versions.size(), 102u);
}

// Each of 16 writers, each with an object store of its own as in another process, counts up 20 times by
// compare-and-swap: no increment is lost. And of 16 that create one name, one does.
TEST_F(DirectoryObjectsTest, RacesHaveOneWinner) {
  ASSERT_TRUE(objects->put("count", body("0")));
  std::atomic<int> created{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 16; ++i)
    threads.emplace_back([&] {
      auto own = open_directory_objects(scratch.path() / "remote", false).value();
      if (own->put("new/name", body("x"), {PutCondition::Kind::absent, ""})) ++created;
      for (int done = 0; done < 20;) {
        std::string now;
        auto info = own->get("count", [&](std::span<const std::byte> bytes) -> Status {
          now.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
          return {};
        });
        ASSERT_TRUE(info) << info.error().text;
        auto put =
            own->put("count", body(std::to_string(std::stoi(now) + 1)), {PutCondition::Kind::matches, info->version});
        done += put ? 1 : 0;
        ASSERT_TRUE(put || put.error().kind == ErrorKind::conflict) << put.error().text;
      }
    });
  threads.clear();
  EXPECT_EQ(created, 1);
  EXPECT_EQ(text("count"), "320");
}

// Fails the n-th call that changes something, for every n: the object is the old one or the new one, and what was
// reported as put was synced before, file and directory.
class Failing : public os::Observer {
 public:
  explicit Failing(int calls) : left_(calls) { os::observe(this); }
  ~Failing() override { os::observe(nullptr); }
  int before(os::Operation operation) override {
    if (operation == os::Operation::read) return 0;
    return left_-- == 0 ? ENOSPC : 0;
  }
  void synced(int) override { ++syncs; }
  bool failed() const { return left_ < 0; }
  int syncs = 0;

 private:
  int left_;
};

TEST_F(DirectoryObjectsTest, AFailedCallLeavesTheOldObjectOrTheNewOne) {
  for (auto kind : {PutCondition::Kind::none, PutCondition::Kind::absent, PutCondition::Kind::matches}) {
    bool whole = false;
    for (int n = 0; !whole; ++n) {
      auto own = open_directory_objects(scratch.path() / "remote", false).value();
      const bool absent = kind == PutCondition::Kind::absent;
      const std::string name = fmt::format("k{}/n{}/x", static_cast<int>(kind), n);
      std::string version;
      if (!absent) version = objects->put(name, body("old")).value();
      auto failing = std::make_unique<Failing>(n);
      auto put = own->put(name, body("new"), {kind, version});
      whole = !failing->failed();
      const int syncs = failing->syncs;
      failing.reset();
      EXPECT_TRUE(put || !whole);
      EXPECT_TRUE(put || put.error().kind == ErrorKind::no_space) << put.error().text;
      EXPECT_TRUE(!put || syncs >= 2) << syncs;
      const std::string now = text(name);
      EXPECT_TRUE(now == "new" || (!put && now == (absent ? "not found" : "old"))) << n << now;
    }
  }
}

TEST_F(DirectoryObjectsTest, AMissingDirectoryIsNotMadeByWhoOnlyOpensIt) {
  EXPECT_EQ(open_directory_objects(scratch.path() / "disk/remote", false).error().kind, ErrorKind::unavailable);
  EXPECT_FALSE(fs::exists(scratch.path() / "disk"));
  ASSERT_TRUE(replace_file(scratch.path() / "file", "x"));
  EXPECT_EQ(open_directory_objects(scratch.path() / "file", false).error().kind, ErrorKind::invalid);
}

TEST_F(DirectoryObjectsTest, SweepsWhatWasLeftLongAgo) {
  const fs::path left = scratch.path() / "remote/.tmp";
  fs::create_directories(left);
  ASSERT_TRUE(replace_file(left / "old", "x"));
  ASSERT_TRUE(replace_file(left / "young", "x"));
  const timespec times[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (left / "old").c_str(), times, 0), 0);
  ASSERT_TRUE(objects->put("a", body("x")));
  EXPECT_FALSE(fs::exists(left / "old"));
  EXPECT_TRUE(fs::exists(left / "young"));
}

}  // namespace
}  // namespace kist::net
