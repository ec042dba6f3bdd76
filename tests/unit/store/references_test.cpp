// References: compare and set between threads and processes, and names of any bytes.
#include "store/references.hpp"

#include <thread>

#include "store/fixture.hpp"

namespace kist::store {
namespace {

class ReferencesTest : public StoreTest {};

TEST_F(ReferencesTest, AreSetOnlyWhenTheyAreWhatWasSeen) {
  Digest a = sha256("a");
  Digest b = sha256("b");
  EXPECT_ERROR(store_->reference("tags/t"), ErrorKind::not_found);
  EXPECT_ERROR(store_->set_reference("tags/t", a, b), ErrorKind::conflict);
  ASSERT_OK(store_->set_reference("tags/t", a, std::nullopt));
  EXPECT_ERROR(store_->set_reference("tags/t", b, std::nullopt), ErrorKind::conflict);
  EXPECT_ERROR(store_->set_reference("tags/t", a, b), ErrorKind::conflict);
  ASSERT_OK(store_->set_reference("tags/t", b, a));
  reopen();
  EXPECT_EQ(store_->reference("tags/t"), b);
  ASSERT_OK(store_->remove_reference("tags/t"));
  EXPECT_ERROR(store_->remove_reference("tags/t"), ErrorKind::not_found);
  EXPECT_ERROR(store_->reference("tags/t"), ErrorKind::not_found);
}

TEST_F(ReferencesTest, HaveNamesOfAnyBytes) {
  std::vector<std::string> names = {"caches/v1-{{ checksum }}/\n",
                                    "runs/calm-owl-1",
                                    "runs/calm-owl-10",
                                    "tags/.hidden",
                                    "tags/100%",
                                    "tags/a/b",
                                    "tags/\xff"};
  for (const std::string& name : names) ASSERT_OK(store_->set_reference(name, sha256(name), std::nullopt));
  auto all = store_->references("");
  ASSERT_OK(all);
  ASSERT_EQ(all->size(), names.size());
  for (std::size_t i = 0; i < names.size(); ++i) EXPECT_EQ((*all)[i], std::pair(names[i], sha256(names[i])));
  EXPECT_EQ(store_->references("runs/calm-owl-1")->size(), 2U);
  EXPECT_EQ(store_->references("tags/")->size(), 4U);
  EXPECT_EQ(store_->references("missing/")->size(), 0U);
  for (const std::string& name :
       {std::string(""), std::string("tags"), std::string("tags/"), std::string("/x"), "tags/" + std::string(256, 'x')})
    EXPECT_ERROR(store_->set_reference(name, sha256(""), std::nullopt), ErrorKind::invalid);
}

TEST_F(ReferencesTest, AnotherWayToWriteANameIsNone) {
  for (const char* file : {"a", "%20", "%C3%BC", "%2E", "a.", "%25"}) EXPECT_TRUE(decode_reference_name(file)) << file;
  for (const char* file : {"", "%61", "a b", ".", "%2e", "%", "%2", "\xc3\xbc"})
    EXPECT_FALSE(decode_reference_name(file)) << file;
}

TEST_F(ReferencesTest, OneOfManyWins) {
  constexpr int kThreads = 8;
  for (int round = 0; round < 5; ++round) {
    std::optional<Digest> before;
    if (auto now = store_->reference("tags/race")) before = *now;
    std::atomic<int> winners{0};
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i)
      threads.emplace_back([&, i] {
        if (store_->set_reference("tags/race", sha256(fmt::format("{} {}", round, i)), before)) ++winners;
      });
    threads.clear();
    EXPECT_EQ(winners, 1);
  }
}

TEST_F(ReferencesTest, ADamagedOneIsSaid) {
  ASSERT_OK(store_->set_reference("tags/t", sha256("x"), std::nullopt));
  write(home() / "refs/tags/t", "sha256:abc\n");
  auto damaged = store_->reference("tags/t");
  EXPECT_ERROR(damaged, ErrorKind::corrupt);
  EXPECT_NE(damaged.error().text.find("refs/tags/t"), std::string::npos);
  EXPECT_ERROR(store_->set_reference("tags/t", sha256("y"), std::nullopt), ErrorKind::corrupt);
  ASSERT_OK(store_->remove_reference("tags/t"));
}

}  // namespace
}  // namespace kist::store
