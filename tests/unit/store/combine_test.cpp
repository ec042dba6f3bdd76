// One artifact out of several.
#include "store/fixture.hpp"

namespace kist::store {
namespace {

class CombineTest : public StoreTest {
 protected:
  // A tree of files that hold their own names and a label.
  void make(const fs::path& top, const std::vector<std::string>& files, std::string_view label) {
    fs::create_directories(top);
    for (const std::string& file : files) {
      fs::create_directories((top / file).parent_path());
      write(top / file, fmt::format("{} {}", file, label));
    }
  }
};

TEST_F(CombineTest, LaterPartsWin) {
  make(path("work/one"), {"f", "d/x", "d/y", "becomes file/z", "becomes file-", "becomes directory"}, "one");
  make(path("work/two"), {"d/y", "becomes file", "becomes directory/w", "g"}, "two");
  write(path("work/single"), "single");

  auto transaction = store_->begin();
  ASSERT_OK(transaction);
  auto one = (*transaction)->save(path("work/one"));
  auto two = (*transaction)->save(path("work/two"));
  auto single = (*transaction)->save(path("work/single"));
  ASSERT_OK(one);
  ASSERT_OK(two);
  ASSERT_OK(single);
  // Also of what is saved in the same transaction, not committed yet.
  std::vector<Transaction::Part> parts = {
      {"", one->id}, {"", two->id}, {"deep/er/file", single->id}, {"d", two->id}, {"g", single->id}};
  auto combined = (*transaction)->combine(parts);
  ASSERT_OK(combined);
  ASSERT_OK((*transaction)->commit());

  EXPECT_EQ(paths(combined->id),
            (std::vector<std::string>{"", "becomes directory", "becomes directory/w", "becomes file", "becomes file-",
                                      "d", "d/becomes directory", "d/becomes directory/w", "d/becomes file", "d/d",
                                      "d/d/y", "d/g", "d/x", "d/y", "deep", "deep/er", "deep/er/file", "f", "g"}));
  EXPECT_EQ(read(combined->id, "d/x"), "d/x one");
  EXPECT_EQ(read(combined->id, "d/y"), "d/y two");
  EXPECT_EQ(read(combined->id, "becomes file"), "becomes file two");
  EXPECT_EQ(read(combined->id, "g"), "single");
  EXPECT_EQ(store_->find(combined->id, "deep")->mode, 0755U);
  EXPECT_EQ(store_->find(combined->id, "deep")->type, EntryType::directory);
  EXPECT_EQ(combined->files, 12U);
}

TEST_F(CombineTest, OfOnePartItIsThatPart) {
  make(path("work/one"), {"f", "d/x"}, "one");
  ArtifactId id = save(path("work/one")).id;
  auto transaction = store_->begin();
  ASSERT_OK(transaction);
  Transaction::Part part{"", id};
  auto same = (*transaction)->combine(std::span(&part, 1));
  ASSERT_OK(same);
  EXPECT_EQ(same->id, id);
  auto nothing = (*transaction)->combine({});
  ASSERT_OK(nothing);
  EXPECT_EQ(nothing->files, 0U);
}

TEST_F(CombineTest, APrefixGivesWayToALaterFileAndReplacesAnEarlierOne) {
  write(path("work/file"), "file");
  ArtifactId file = save(path("work/file")).id;
  auto transaction = store_->begin();
  ASSERT_OK(transaction);
  std::vector<Transaction::Part> parts = {{"a", file}, {"a/b", file}};
  auto below = (*transaction)->combine(parts);
  std::swap(parts[0], parts[1]);
  auto above = (*transaction)->combine(parts);
  ASSERT_OK(below);
  ASSERT_OK(above);
  ASSERT_OK((*transaction)->commit());
  EXPECT_EQ(paths(below->id), (std::vector<std::string>{"", "a", "a/b"}));
  EXPECT_EQ(paths(above->id), (std::vector<std::string>{"", "a"}));
}

TEST_F(CombineTest, RefusesPathsThatAreNone) {
  write(path("work/file"), "file");
  ArtifactId file = save(path("work/file")).id;
  auto transaction = store_->begin();
  ASSERT_OK(transaction);
  for (const char* prefix : {"/a", "a/", "a//b", ".", "..", "a/../b"}) {
    Transaction::Part part{prefix, file};
    EXPECT_ERROR((*transaction)->combine(std::span(&part, 1)), ErrorKind::invalid);
  }
  Transaction::Part missing{"", {sha256("no tree"), sha256("no times")}};
  EXPECT_ERROR((*transaction)->combine(std::span(&missing, 1)), ErrorKind::not_found);
}

}  // namespace
}  // namespace kist::store
