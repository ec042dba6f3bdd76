// What nobody needs goes, and nothing else, whoever saves meanwhile.
#include <thread>

#include "store/fixture.hpp"
#include "store/maintenance.hpp"
#include "store/observers.hpp"

namespace kist::store {
namespace {

class CollectTest : public StoreTest {
 protected:
  Roots roots() {
    return [this](const TakeRoot& take) -> Status {
      for (const auto& [name, id] : kept_) KIST_TRY(take({name, id}));
      for (const Digest& object : objects_) KIST_TRY(take({"an object", object}));
      return {};
    };
  }

  Collected collect(const CollectOptions& options = {}) {
    auto maintenance = Maintenance::open(home());
    EXPECT_TRUE(maintenance) << maintenance.error().text;
    auto collected = (*maintenance)->collect(roots(), options);
    EXPECT_TRUE(collected) << collected.error().text;
    return collected.value_or(Collected{});
  }

  void expect_whole() {
    auto maintenance = Maintenance::open(home());
    ASSERT_OK(maintenance);
    auto checked = (*maintenance)->check(roots(), {});
    ASSERT_OK(checked);
    for (const Finding& finding : checked->findings) ADD_FAILURE() << finding.place << ": " << finding.text;
  }

  // A file of noise, a pack of its own.
  ArtifactId save_noise(unsigned seed, std::size_t size = 1 << 20) {
    write(path("work/file"), noise(size, seed));
    return save(path("work/file")).id;
  }

  std::map<std::string, ArtifactId> kept_;
  std::vector<Digest> objects_;
};

TEST_F(CollectTest, WhatNoRootNeedsGoes) {
  fs::create_directories(path("work/tree/sub"));
  write(path("work/tree/large"), noise(6 << 20, 1));  // more chunks than stand in a tree
  write(path("work/tree/sub/small"), "small");
  for (int i = 0; i < 5000; ++i) write(path("work/tree/sub") / fmt::format("f{}", i), fmt::format("{}", i));
  kept_["kept"] = save(path("work/tree")).id;
  ArtifactId gone = save_noise(2);
  {
    auto transaction = store_->begin();
    ASSERT_OK(transaction);
    objects_.push_back(*(*transaction)->put_object("a record"));
    ASSERT_OK((*transaction)->commit());
  }
  reopen();
  std::uint64_t before = stored_bytes();
  Collected would = collect({.dry_run = true});
  EXPECT_EQ(stored_bytes(), before) << "a dry run changes nothing";
  EXPECT_EQ(would.containers, 1U);
  EXPECT_GT(would.bytes, 1U << 20);

  Collected collected = collect();
  EXPECT_EQ(collected.containers, would.containers);
  EXPECT_EQ(collected.bytes, would.bytes);
  EXPECT_EQ(collected.waiting, 0U);
  EXPECT_LT(stored_bytes(), before - (1 << 20));
  reopen();
  EXPECT_ERROR(read(gone, ""), ErrorKind::not_found);
  ASSERT_OK(store_->restore(kept_["kept"], "", path("work/back")));
  EXPECT_EQ(picture(path("work/tree")), picture(path("work/back")));
  EXPECT_EQ(store_->object(objects_[0]), "a record");
  expect_whole();
  EXPECT_EQ(collect().containers, 0U);
  EXPECT_EQ(count("tmp"), 0U);
}

TEST_F(CollectTest, WhatIsMostlyUnneededIsPackedAnew) {
  // One pack: a file that stays and three that do not.
  fs::create_directories(path("work/tree"));
  for (unsigned i = 0; i < 4; ++i) write(path("work/tree") / std::to_string(i), noise(1 << 20, 10 + i));
  save(path("work/tree"));
  for (unsigned i = 1; i < 4; ++i) fs::remove(path("work/tree") / std::to_string(i));
  kept_["kept"] = save(path("work/tree")).id;
  reopen();
  EXPECT_EQ(count("containers"), 2U);
  Collected collected = collect();
  EXPECT_EQ(collected.repacked, 1U);
  EXPECT_GT(collected.bytes, 4U << 20);
  EXPECT_LT(collected.written, 2U << 20);
  EXPECT_LT(stored_bytes(), 2U << 20);
  EXPECT_EQ(read(kept_["kept"], "0"), noise(1 << 20, 10)) << "by a store that was open all the time";
  reopen();
  EXPECT_EQ(read(kept_["kept"], "0"), noise(1 << 20, 10));
  expect_whole();
}

TEST_F(CollectTest, WhatWasSavedQuicklyIsCompressedAgain) {
  std::string text;
  for (int i = 0; text.size() < 3 << 20; ++i)
    text += fmt::format("{{\"id\": {}, \"loss\": {}}}\n", i, i * 7919 % 10007);
  write(path("work/file"), text);
  kept_["text"] = save(path("work/file")).id;
  kept_["noise"] = save_noise(1);  // nothing to gain
  reopen();
  const std::uint64_t before = stored_bytes();
  EXPECT_EQ(collect().containers, 0U) << "not unless asked";
  const Collected collected = collect({.compress = true});
  EXPECT_GE(collected.repacked, 1U);
  EXPECT_LT(stored_bytes(), before - text.size() / 20);
  EXPECT_EQ(collect({.compress = true}).containers, 0U) << "once is enough";
  reopen();
  EXPECT_EQ(read(kept_["text"], ""), text);
  EXPECT_EQ(read(kept_["noise"], ""), noise(1 << 20, 1));
  expect_whole();
}

TEST_F(CollectTest, ManySmallPacksBecomeOne) {
  for (int i = 0; i < 70; ++i) {
    write(path("work/file"), fmt::format("content {}", i));
    kept_[fmt::format("content {}", i)] = save(path("work/file")).id;
  }
  reopen();
  EXPECT_EQ(count("containers"), 70U);
  Collected collected = collect();
  EXPECT_EQ(collected.repacked, 70U);
  EXPECT_EQ(count("containers"), 1U);
  EXPECT_EQ(collect().repacked, 0U);
  for (const auto& [text, id] : kept_) EXPECT_EQ(read(id, ""), text);
  expect_whole();
}

TEST_F(CollectTest, AnAdoptedFileGoesWithItsTable) {
  fs::create_directories(path("work/scratch"));
  write(path("work/scratch/large"), noise(5 << 20, 20));
  save(path("work/scratch"), {.adopt = true});
  fs::remove_all(path("work/scratch"));
  write(path("work/file"), "stays");
  kept_["kept"] = save(path("work/file")).id;
  EXPECT_GE(count("containers"), 3U);
  collect();
  EXPECT_EQ(count("containers"), 1U);
  EXPECT_EQ(count("inodes"), 0U);
  expect_whole();
}

// A saver that had begun before and found the chunk in the store.
TEST_F(CollectTest, WhatASaverFoundStays) {
  save_noise(30);
  reopen();
  {
    auto transaction = store_->begin();
    ASSERT_OK(transaction);
    auto saved = (*transaction)->save(path("work/file"));
    ASSERT_OK(saved);
    Collected collected = collect();
    EXPECT_EQ(collected.containers, 0U);
    EXPECT_EQ(collected.waiting, 1U) << "condemned, and not more";
    ASSERT_OK((*transaction)->commit());
    kept_["saved"] = saved->id;
  }
  Collected collected = collect();
  EXPECT_EQ(collected.containers, 0U);
  EXPECT_EQ(collected.waiting, 0U) << "it is needed, so it is condemned no more";
  EXPECT_EQ(read(kept_["saved"], ""), noise(1 << 20, 30));
  reopen();
  EXPECT_EQ(read(kept_["saved"], ""), noise(1 << 20, 30));
  expect_whole();
}

// The roots are read again after the holds were looked at: a reference may come between the two looks.
TEST_F(CollectTest, WhatIsReferredToMeanwhileStays) {
  ArtifactId id = save_noise(31);
  auto maintenance = Maintenance::open(home());
  ASSERT_OK(maintenance);
  int asked = 0;
  auto late = [&](const TakeRoot& take) -> Status {
    if (++asked > 1) KIST_TRY(take({"late", id}));
    return {};
  };
  auto collected = (*maintenance)->collect(late, {});
  ASSERT_OK(collected);
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(collected->containers, 0U);
  EXPECT_EQ(collected->waiting, 0U);
  reopen();
  EXPECT_EQ(read(id, ""), noise(1 << 20, 31));
}

// One that begins after the condemnation does not count on what is condemned.
TEST_F(CollectTest, WhoComesLaterStoresItAnew) {
  save_noise(32);
  auto other = Store::open(home());  // has the index of before in memory
  ASSERT_OK(other);
  auto holding = store_->hold();
  ASSERT_OK(holding);
  EXPECT_EQ(collect().waiting, 1U);
  std::uint64_t before = stored_bytes();
  {
    auto transaction = (*other)->begin();
    ASSERT_OK(transaction);
    auto saved = (*transaction)->save(path("work/file"));
    ASSERT_OK(saved);
    ASSERT_OK((*transaction)->commit());
    kept_["again"] = saved->id;
  }
  // The same pack under the same name, by chance: what was condemned is the old file.
  EXPECT_LE(stored_bytes(), before * 2 + (1 << 20));
  holding->reset();
  for (int i = 0; i < 2; ++i) collect();
  EXPECT_EQ(read(kept_["again"], ""), noise(1 << 20, 32));
  expect_whole();
}

// What has the condemned file's name and inode number may be another file.
TEST_F(CollectTest, WhatCameAfterTheCondemnationIsNotCondemned) {
  save_noise(38);
  {
    auto holding = store_->hold();
    ASSERT_OK(holding);
    EXPECT_EQ(collect().waiting, 1U);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(30));  // a tick of the file system's clock
  const fs::path pack = fs::directory_iterator(home() / "containers")->path();
  fs::rename(pack, path("work/away"));
  fs::rename(path("work/away"), pack);
  {
    auto holding = store_->hold();
    ASSERT_OK(holding);
    Collected collected = collect();
    EXPECT_EQ(collected.containers, 0U);
    EXPECT_EQ(collected.waiting, 1U) << "it is condemned from now on";
  }
  EXPECT_EQ(collect().containers, 1U);
}

TEST_F(CollectTest, AProcessThatStaysOpenSeesWhatWasCollected) {
  save_noise(33);
  collect();
  // Its index in memory still names the container that is gone.
  kept_["again"] = save_noise(33);
  reopen();
  EXPECT_EQ(read(kept_["again"], ""), noise(1 << 20, 33));
  expect_whole();
}

// Anything may have been condemned by it.
TEST_F(CollectTest, ADamagedListOfTheCondemnedIsWrittenAnew) {
  kept_["kept"] = save_noise(43);
  {
    auto holding = store_->hold();
    ASSERT_OK(holding);
    auto kept = std::exchange(kept_, {});
    EXPECT_EQ(collect().waiting, 1U);
    kept_ = std::move(kept);
  }
  fs::resize_file(home() / "condemned", 70);
  reopen();
  EXPECT_EQ(read(kept_["kept"], ""), noise(1 << 20, 43));
  const auto inode = [&] { return status_of(fs::directory_iterator(home() / "containers")->path()).st_ino; };
  const ino_t before = inode();
  save(path("work/file"));
  EXPECT_NE(inode(), before) << "it was stored anew: the one that was there may go";
  collect();
  const ino_t after = inode();
  save(path("work/file"));
  EXPECT_EQ(inode(), after) << "it counts again";
  expect_whole();
}

TEST_F(CollectTest, GraceIsKept) {
  save_noise(34);
  Collected collected = collect({.grace = std::chrono::hours(1)});
  EXPECT_EQ(collected.containers, 0U);
  EXPECT_EQ(collected.waiting, 1U);
  EXPECT_EQ(collect({.grace = std::chrono::nanoseconds(1)}).containers, 1U);
}

TEST_F(CollectTest, OneThatCannotBeReadStopsItAll) {
  kept_["kept"] = save_noise(35);
  save_noise(36);
  kept_["missing"] = {sha256("nothing"), sha256("nowhere")};
  std::uint64_t before = stored_bytes();
  auto maintenance = Maintenance::open(home());
  ASSERT_OK(maintenance);
  auto collected = (*maintenance)->collect(roots(), {});
  ASSERT_FALSE(collected);
  EXPECT_NE(collected.error().text.find("missing"), std::string::npos) << collected.error().text;
  EXPECT_EQ(stored_bytes(), before);
}

TEST_F(CollectTest, UnindexedContainersGoToo) {
  save_noise(37);
  store_.reset();
  for (const auto& entry : fs::directory_iterator(home() / "index")) fs::remove(entry);
  write(home() / "containers/not-ours", "");
  // A pack that a process left that died between two renames.
  reopen();
  fs::copy_file(fs::directory_iterator(home() / "containers")->path(), path("work/x"),
                fs::copy_options::overwrite_existing);
  EXPECT_EQ(collect().containers, 1U);
  EXPECT_EQ(count("containers"), 1U) << "what kist did not make stays";
}

// Its table is damaged and no index has it, so it may hold what is found nowhere: that is for a repair, which puts it
// aside.
TEST_F(CollectTest, WhatMayHoldWhatIsMissingStays) {
  fs::create_directories(path("work/tree"));
  write(path("work/tree/a"), noise(1 << 20, 70));
  save(path("work/tree/a"));
  const fs::path damaged = fs::directory_iterator(home() / "containers")->path();
  write(path("work/tree/b"), noise(1 << 20, 71));
  kept_["kept"] = save(path("work/tree")).id;
  store_.reset();
  for (const auto& entry : fs::directory_iterator(home() / "index")) fs::remove(entry);
  fs::permissions(damaged, fs::perms(0644));
  fs::resize_file(damaged, fs::file_size(damaged) - 1);
  Collected collected = collect();
  EXPECT_EQ(collected.containers, 0U);
  EXPECT_EQ(collected.notices.size(), 1U);
  EXPECT_TRUE(fs::exists(damaged));
  kept_.clear();
  EXPECT_EQ(collect().containers, 2U) << "nothing is missing any more";
}

TEST_F(CollectTest, SaversAndCollectorsAtOnce) {
  constexpr int kRounds = 25;
  constexpr int kSavers = 3;
  std::mutex mutex;
  std::atomic<bool> done = false;
  std::vector<std::jthread> threads;
  auto locked_roots = [&](const TakeRoot& take) -> Status {
    std::map<std::string, ArtifactId> kept;
    {
      std::lock_guard lock(mutex);
      kept = kept_;
    }
    for (const auto& [name, id] : kept) KIST_TRY(take({name, id}));
    return {};
  };
  for (int saver = 0; saver < kSavers; ++saver)
    threads.emplace_back([&, saver] {
      auto store = Store::open(home());
      ASSERT_OK(store);
      fs::path work = path(fmt::format("work/saver{}", saver));
      fs::create_directories(work);
      for (int round = 0; round < kRounds; ++round) {
        // Few contents, so that savers find each other's, and what was just given up.
        write(work / "a", noise(300'000, 100 + (round + saver) % 5));
        write(work / "b", prose(50'000, round % 3));
        auto transaction = (*store)->begin();
        ASSERT_OK(transaction);
        auto saved = (*transaction)->save(work);
        ASSERT_OK(saved);
        ASSERT_OK((*transaction)->commit());
        std::lock_guard lock(mutex);
        kept_[fmt::format("saver {}", saver)] = saved->id;  // and the one before is given up
      }
    });
  std::jthread collector([&] {
    auto maintenance = Maintenance::open(home());
    ASSERT_OK(maintenance);
    while (!done) {
      auto collected = (*maintenance)->collect(locked_roots, {});
      ASSERT_OK(collected);
    }
  });
  threads.clear();
  done = true;
  collector.join();
  expect_whole();
  reopen();
  for (const auto& [name, id] : kept_) ASSERT_OK(store_->restore(id, "", path("work") / ("back " + name)));
  collect();
  expect_whole();
}

TEST_F(CollectTest, ViewsGoWithTheirArtifactsAndByTheBudget) {
  std::vector<ArtifactId> ids;
  for (unsigned i = 0; i < 3; ++i) {
    ids.push_back(save_noise(40 + i));
    kept_[std::to_string(i)] = ids.back();
    ASSERT_OK(store_->view(ids.back()));
  }
  EXPECT_EQ(count("views"), 3U);
  auto held = store_->view(ids[0]);
  ASSERT_OK(held);
  ASSERT_OK(store_->view(ids[1]));  // so 2 is the oldest now
  Collected collected = collect({.views_budget = (5 << 20) / 2});
  EXPECT_EQ(collected.views, 1U);
  EXPECT_GE(collected.view_bytes, 1U << 20);
  EXPECT_EQ(count("views"), 2U);
  collected = collect({.views_budget = 0});
  EXPECT_EQ(collected.views, 1U) << "the one that is held stays";
  EXPECT_EQ(contents((*held)->path()), noise(1 << 20, 40));
  held->reset();
  kept_.erase("0");
  EXPECT_EQ(collect().views, 1U) << "nobody needs what it shows";
  EXPECT_EQ(count("views"), 0U);
}

TEST_F(CollectTest, MakingAViewKeepsTheBudget) {
  auto small = Store::open(home(), {.views_budget = 3 << 20});
  ASSERT_OK(small);
  store_ = std::move(*small);
  for (unsigned i = 0; i < 6; ++i) ASSERT_OK(store_->view(save_noise(50 + i)));
  EXPECT_LE(count("views"), 3U);
  EXPECT_GE(count("views"), 1U);
}

TEST_F(CollectTest, WhatRunsCost) {
  fs::create_directories(path("work/tree"));
  write(path("work/tree/shared"), noise(1 << 20, 60));
  write(path("work/tree/one"), noise(2 << 20, 61));
  ArtifactId one = save(path("work/tree")).id;
  fs::remove(path("work/tree/one"));
  write(path("work/tree/two"), noise(4 << 20, 62));
  write(path("work/tree/again"), noise(1 << 20, 60));
  ArtifactId two = save(path("work/tree")).id;
  auto maintenance = Maintenance::open(home());
  ASSERT_OK(maintenance);
  auto costs = (*maintenance)->costs([&](const TakeGroup& take) -> Status {
    KIST_TRY(take({"one", {{"one", one}, {"the same again", one}}}));
    return take({"two", {{"two", two}}});
  });
  ASSERT_OK(costs);
  ASSERT_EQ(costs->size(), 2U);
  auto about = [](std::uint64_t value, std::uint64_t expected) {
    return value >= expected && value < expected + 16384;
  };
  EXPECT_EQ((*costs)[0].apparent, 3U << 20);
  EXPECT_TRUE(about((*costs)[0].stored, 3 << 20)) << (*costs)[0].stored;
  EXPECT_TRUE(about((*costs)[0].unique, 2 << 20)) << (*costs)[0].unique;
  EXPECT_EQ((*costs)[1].apparent, 6U << 20);
  EXPECT_EQ((*costs)[1].files, 3U);
  EXPECT_TRUE(about((*costs)[1].stored, 5 << 20)) << (*costs)[1].stored;
  EXPECT_TRUE(about((*costs)[1].unique, 4 << 20)) << (*costs)[1].unique;
}

}  // namespace
}  // namespace kist::store
