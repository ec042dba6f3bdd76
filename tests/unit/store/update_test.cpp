// An artifact that follows a directory by what changed in it, and what the file system says has changed.
#include <random>

#include <sys/stat.h>

#include "store/observers.hpp"

namespace kist::store {
namespace {

class UpdateTest : public StoreTest {
 protected:
  Updated update(const std::optional<ArtifactId>& base, const std::vector<Change>& changes) {
    auto transaction = store_->begin();
    EXPECT_TRUE(transaction);
    auto updated = (*transaction)->update(base, path("work"), changes);
    EXPECT_TRUE(updated) << updated.error().text;
    auto committed = (*transaction)->commit();
    EXPECT_TRUE(committed) << committed.error().text;
    return updated.value_or(Updated{});
  }

  std::vector<Change> differences(const std::optional<ArtifactId>& base) {
    std::vector<Change> changes;
    auto compared = store_->survey(base, path("work"), [&](const Surveyed& entry) {
      if (entry.differs && !entry.path.empty()) changes.push_back({.path = std::string(entry.path)});
      return true;
    });
    EXPECT_TRUE(compared) << compared.error().text;
    return changes;
  }
};

TEST_F(UpdateTest, IsTheSameAsSavingAllOfItAgain) {
  std::mt19937 random(7);
  // Names around '/', so that what lies in a directory does not follow it at once.
  const std::vector<std::string> names = {"a", "a-b", "a.", "a0", "b", "\xff\xfe"};
  auto any_path = [&] {
    std::string name = names[random() % names.size()];
    for (unsigned depth = random() % 3; depth > 0; --depth) name += "/" + names[random() % names.size()];
    return name;
  };
  std::optional<ArtifactId> followed;
  std::size_t size = 1;
  for (int round = 0; round < 120; ++round) {
    for (unsigned edits = 1 + random() % 4; edits > 0; --edits) {
      fs::path target = path("work") / any_path();
      std::error_code error;
      switch (random() % 6) {
        case 0:
          fs::remove_all(target, error);
          break;
        case 1:
          fs::rename(target, path("work") / any_path(), error);
          break;
        case 2:
          fs::create_directories(target, error);
          break;
        case 3:
          if (fs::create_directories(target.parent_path(), error); !error)
            fs::create_symlink(any_path(), target, error);
          break;
        case 4:
          if (fs::exists(fs::symlink_status(target, error)) && !fs::is_symlink(target, error))
            fs::permissions(target, fs::perms(0700 + random() % 64), error);
          break;
        default:
          fs::create_directories(target.parent_path(), error);
          if (!error && !fs::is_directory(fs::symlink_status(target, error)) && !fs::is_symlink(target, error) &&
              fs::is_directory(target.parent_path()))
            write(target, noise(++size, static_cast<unsigned>(round)));
      }
    }
    std::vector<Change> changes = differences(followed);
    if (followed && changes.empty()) continue;
    Updated updated = update(followed, changes);
    EXPECT_TRUE(updated.unsettled.empty());
    Saved whole = save(path("work"));
    ASSERT_EQ(updated.saved.id.tree, whole.id.tree) << round;
    ASSERT_EQ(updated.saved.files, whole.files);
    ASSERT_EQ(updated.saved.bytes, whole.bytes);
    followed = updated.saved.id;
    ASSERT_TRUE(differences(followed).empty()) << round;
  }
}

TEST_F(UpdateTest, ReadsWhatChangedAndNothingElse) {
  fs::create_directory(path("work/d"));
  for (int i = 0; i < 500; ++i) write(path("work/d") / std::to_string(i), noise(1000, static_cast<unsigned>(i)));
  ArtifactId before = save(path("work")).id;
  write(path("work/d/77"), "changed");
  fs::remove(path("work/d/78"));
  Saved after;
  {
    Watching watching;
    after = update(before, {{.path = "d/78"}, {.path = "d/77"}, {.path = "d/77"}, {.path = "never/was"}}).saved;
    EXPECT_LT(watching.count(os::Operation::read), 20);
  }
  EXPECT_EQ(after.id.tree, save(path("work")).id.tree);
  EXPECT_EQ(after.files, 499U);

  auto transaction = store_->begin();
  ASSERT_OK(transaction);
  EXPECT_ERROR((*transaction)->update(before, path("work"), std::vector<Change>{{.path = "../x"}}), ErrorKind::invalid);
}

TEST_F(UpdateTest, AFileThatChangesWhileItIsReadIsTakenOnlyWhereAsked) {
  for (std::size_t size : {std::size_t{1000}, std::size_t{1'000'000}}) {
    write(path("work/log"), noise(size, 1));
    write(path("work/other"), "other");
    std::string first = contents(path("work/log"));
    ArtifactId before = save(path("work")).id;
    write(path("work/log"), first + "second");
    {
      Appending appending(path("work/log"));
      Updated updated = update(before, {{.path = "log"}, {.path = "other"}});
      EXPECT_EQ(updated.unsettled, std::vector<std::string>{"log"});
      EXPECT_EQ(*read(updated.saved.id, "log"), first);
      updated = update(std::nullopt, {{.path = "log"}, {.path = "other"}});
      EXPECT_EQ(updated.unsettled, std::vector<std::string>{"log"});
      EXPECT_EQ(paths(updated.saved.id), (std::vector<std::string>{"", "other"}));
    }
    write(path("work/log"), first + "second");
    {
      Appending appending(path("work/log"));
      Updated updated = update(before, {{.path = "log", .settled = false}});
      EXPECT_TRUE(updated.unsettled.empty());
      EXPECT_EQ(*read(updated.saved.id, "log"), first + "second");
      before = updated.saved.id;
    }
    // It has the time of before it was read, so that what came meanwhile is seen.
    EXPECT_EQ(differences(before).size(), 1U);
  }
}

// A server of files that does not answer in time is no reason to take them, or those behind them, for gone.
TEST_F(UpdateTest, WhatCannotBeReadIsAnErrorAndNeverLeftOut) {
  fs::create_directories(path("work/d/e"));
  for (const char* name : {"a", "d/e/large", "d/small", "z"}) write(path("work") / name, "before");
  const ArtifactId before = save(path("work")).id;
  write(path("work/a"), "after");
  write(path("work/d/e/large"), noise(1 << 20, 1));
  write(path("work/d/small"), "after");
  const ArtifactId after = save(path("work")).id;
  const std::vector<Change> changes = {{.path = "a"}, {.path = "d/e/large"}, {.path = "d/small"}};
  for (auto [operation, error] : {std::pair(os::Operation::read, ETIMEDOUT), std::pair(os::Operation::open, EIO)}) {
    int errors = 0;
    bool failed = true;
    for (int number = 0; failed; ++number) {
      auto transaction = store_->begin();
      ASSERT_OK(transaction);
      FailingCall failing(operation, number, error);
      auto updated = (*transaction)->update(before, path("work"), changes);
      failed = failing.failed();
      if (updated)
        EXPECT_EQ(updated->saved.id.tree, after.tree) << "call " << number;
      else
        ++errors;
    }
    EXPECT_GE(errors, 3) << "one for each file at the least";
  }
}

}  // namespace
}  // namespace kist::store
