// What the kernel would ask of mounted artifacts, without a kernel.
#include "mount/files.hpp"

#include <fstream>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "store/store.hpp"

namespace kist::mount {
namespace {

namespace fs = std::filesystem;

class MountedFiles : public testing::Test {
 protected:
  void SetUp() override {
    auto scratch = ScratchDirectory::make(fs::temp_directory_path(), "kist-files.");
    ASSERT_TRUE(scratch);
    scratch_.emplace(std::move(*scratch));
    auto store = store::Store::open(scratch_->path() / "store");
    ASSERT_TRUE(store) << store.error().text;
    store_ = std::move(*store);
  }

  void write(const std::string& name, std::string_view text) {
    const fs::path path = scratch_->path() / "source" / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }

  Shown save(const std::string& name, const std::string& shown) {
    auto transaction = store_->begin();
    EXPECT_TRUE(transaction);
    auto saved = (*transaction)->save(scratch_->path() / "source" / name);
    EXPECT_TRUE(saved) << saved.error().text;
    EXPECT_TRUE((*transaction)->commit());
    return {shown, saved->id, saved->bytes};
  }

  Result<Attributes> walk(Files& files, const fs::path& path) {
    Inode at = kRoot;
    for (const fs::path& name : path) {
      KIST_TRY_ASSIGN(const Attributes found, files.lookup(at, name.string()));
      at = found.inode;
    }
    return files.attributes(at);
  }

  // The names in a directory, listed so many at a time.
  std::vector<std::string> names(Files& files, const fs::path& path, std::size_t at_a_time) {
    std::vector<std::string> all;
    auto directory = walk(files, path);
    EXPECT_TRUE(directory) << directory.error().text;
    std::uint64_t position = 0;
    while (true) {
      std::size_t count = 0;
      auto listed = files.list(directory->inode, position,
                               [&](const std::string& name, const Attributes& attributes, std::uint64_t next) {
                                 if (count == at_a_time) return false;
                                 auto looked_up = files.lookup(directory->inode, name);
                                 EXPECT_TRUE(looked_up) << name;
                                 EXPECT_EQ(looked_up->inode, attributes.inode);
                                 all.push_back(name);
                                 ++count;
                                 position = next;
                                 return true;
                               });
      EXPECT_TRUE(listed) << listed.error().text;
      if (count == 0) return all;
    }
  }

  std::string text(Files& files, Inode inode, std::uint64_t offset, std::uint64_t length) {
    auto pieces = files.read(inode, offset, length);
    EXPECT_TRUE(pieces) << pieces.error().text;
    std::string all;
    for (const auto& piece : *pieces) all.append(reinterpret_cast<const char*>(piece.bytes.data()), piece.bytes.size());
    return all;
  }

  std::optional<ScratchDirectory> scratch_;
  std::unique_ptr<store::Store> store_;
};

TEST_F(MountedFiles, ArtifactsStandAtTheirAddresses) {
  write("model/weights", "w");
  write("model/a/c", "below");
  write("model/a-b", "between a and a/c");
  write("report.txt", "a file artifact");
  auto files = Files::make(store_->chunks(),
                           {save("model", "fit/model"), save("report.txt", "report"), save("model/a", "fit")}, Time{});
  ASSERT_TRUE(files) << files.error().text;
  EXPECT_EQ(names(**files, "", 1), (std::vector<std::string>{"fit", "report"}));
  EXPECT_EQ(names(**files, "fit", 1), (std::vector<std::string>{"model", "c"}));
  for (const std::size_t at_a_time : {1U, 2U, 100U})
    EXPECT_EQ(names(**files, "fit/model", at_a_time), (std::vector<std::string>{"a", "a-b", "weights"}));
  EXPECT_EQ(names(**files, "fit/model/a", 1), std::vector<std::string>{"c"});
  auto report = walk(**files, "report");
  ASSERT_TRUE(report);
  EXPECT_EQ(report->type, store::EntryType::file);
  EXPECT_EQ(text(**files, report->inode, 2, 4), "file");
  for (const char* missing : {"fit/model/b", "fit/model/a/cc", "report/x", "fit/none", "fit/model/weights/x"}) {
    auto found = walk(**files, missing);
    ASSERT_FALSE(found) << missing;
    EXPECT_EQ(found.error().kind, ErrorKind::not_found) << missing;
  }
  EXPECT_FALSE((*files)->attributes(0));
  EXPECT_FALSE((*files)->attributes(9ULL << 40));
  EXPECT_FALSE((*files)->attributes((1ULL << 40) | 99));
}

TEST_F(MountedFiles, ManyEntriesAreFoundAndReadByManyThreads) {
  std::string large;
  for (int i = 0; large.size() < (5 << 20); ++i) large += fmt::format("line {}\n", i);
  write("tree/large", large);
  for (int i = 0; i < 6000; ++i) write(fmt::format("tree/d{}/file-{}", i % 7, i), fmt::format("content {}", i));
  auto files = Files::make(store_->chunks(), {save("tree", "")}, Time{});
  ASSERT_TRUE(files) << files.error().text;
  EXPECT_EQ(names(**files, "", 3).size(), 8U);

  std::vector<std::thread> readers;
  std::atomic<int> wrong = 0;
  for (int reader = 0; reader < 4; ++reader) {
    readers.emplace_back([&, reader] {
      for (int i = reader; i < 6000; i += 37) {
        auto found = walk(**files, fmt::format("d{}/file-{}", i % 7, i));
        if (!found || text(**files, found->inode, 0, UINT64_MAX) != fmt::format("content {}", i)) ++wrong;
      }
      auto found = walk(**files, "large");
      for (std::uint64_t at = 100'000ULL * static_cast<unsigned>(reader); found && at < large.size(); at += 333'333)
        if (text(**files, found->inode, at, 70'000) != large.substr(at, 70'000)) ++wrong;
      if (!found || !text(**files, found->inode, large.size(), 10).empty()) ++wrong;
    });
  }
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  std::set<std::string> all;
  for (int directory = 0; directory < 7; ++directory)
    for (const auto& name : names(**files, fmt::format("d{}", directory), 500)) all.insert(name);
  EXPECT_EQ(all.size(), 6000U);
}

TEST_F(MountedFiles, WhatIsShownMayBeReplaced) {
  write("one/file", "first");
  write("two/file", "second");
  const Shown one = save("one", "runs/one");
  const Shown two = save("two", "runs/two");
  auto made = Files::make(store_->chunks(), {one}, Time{});
  ASSERT_TRUE(made) << made.error().text;
  Files& files = **made;
  const auto before = walk(files, "runs/one/file");
  ASSERT_TRUE(before);
  int looks = 0;
  files.before_looking([&] {
    if (++looks == 3) {
      EXPECT_TRUE(files.show({one, two}, Time(std::chrono::seconds(5))));
    }
  });
  EXPECT_EQ(names(files, "runs", 10), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(walk(files, "runs")->modified, Time(std::chrono::seconds(5)));
  EXPECT_FALSE(walk(files, "runs")->lasting);
  EXPECT_TRUE(walk(files, "runs/two/file")->lasting);
  EXPECT_EQ(walk(files, "runs/one/file")->inode, before->inode);

  ASSERT_TRUE(files.show({two}, Time(std::chrono::seconds(6))));
  EXPECT_FALSE(files.attributes(before->inode));
  EXPECT_FALSE(walk(files, "runs/one"));
  EXPECT_EQ(names(files, "runs", 10), std::vector<std::string>{"two"});
  ASSERT_TRUE(files.show({}, Time(std::chrono::seconds(7))));
  EXPECT_TRUE(names(files, "", 10).empty());
  ASSERT_TRUE(files.show({one}, Time(std::chrono::seconds(8))));
  const auto again = walk(files, "runs/one/file");
  ASSERT_TRUE(again);
  EXPECT_EQ(text(files, again->inode, 0, 100), "first");
}

}  // namespace
}  // namespace kist::mount
