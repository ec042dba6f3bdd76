// Power cuts, full disks, failing disks and damaged files: nothing acknowledged is lost, nothing wrong is given out.
#include <algorithm>

#include "store/disk.hpp"
#include "store/fixture.hpp"
#include "store/maintenance.hpp"
#include "store/observers.hpp"

namespace kist::store {
namespace {

class FaultsTest : public StoreTest {
 protected:
  // Thousands of stores are made and thrown away; what a disk would lose is imitated, so memory will do.
  fs::path parent() const override {
    return ::access("/dev/shm", W_OK) == 0 ? fs::path("/dev/shm") : StoreTest::parent();
  }

  // What was acknowledged: an artifact, by the tree it was saved from, with its record; and references to that.
  struct Promise {
    ArtifactId id;
    std::map<std::string, std::string> picture;
    std::map<std::string, Digest> references = {};
    Digest record = {};
  };

  static Roots roots_of(const std::vector<Promise>& promises) {
    return [&promises](const TakeRoot& take) -> Status {
      for (const Promise& promise : promises) {
        KIST_TRY(take({"a promise", promise.id}));
        KIST_TRY(take({"its record", promise.record}));
      }
      return {};
    };
  }

  void expect_kept(const fs::path& store_path, const std::vector<Promise>& promises, const std::string& when) {
    auto store = Store::open(store_path);
    ASSERT_TRUE(store) << when << ": " << store.error().text;
    int number = 0;
    for (const Promise& promise : promises) {
      fs::path target = store_path.parent_path() / fmt::format("{}-back-{}", store_path.filename().string(), number++);
      auto restored = (*store)->restore(promise.id, "", target);
      ASSERT_TRUE(restored) << when << ": " << restored.error().text;
      EXPECT_EQ(picture(target), promise.picture) << when;
      fs::remove_all(target);
      for (const auto& [name, record] : promise.references) {
        auto found = (*store)->reference(name);
        ASSERT_TRUE(found) << when << ": " << found.error().text;
        EXPECT_EQ(*found, record) << when;
        ASSERT_OK((*store)->object(record));
      }
    }
  }

  // Runs `work` on a store that stops before its n-th call, for every n, and looks at all that may be left. `work` adds
  // what it was promised; what `before` was promised counts always.
  void stop_everywhere(const std::function<void(const fs::path&, std::vector<Promise>&)>& before,
                       const std::function<Status(const fs::path&, std::vector<Promise>&)>& work, int step = 1) {
    bool ended = false;
    int stops = 0;
    for (int calls = 0; !ended; calls += step) {
      ASSERT_LT(calls, 20'000);
      fs::path place = path(fmt::format("stop-{}", calls));
      fs::create_directory(place);
      std::vector<Promise> promises;
      ASSERT_OK(Store::open(place / "store"));
      before(place / "store", promises);
      Disk disk(place / "store", calls);
      Status done = work(place / "store", promises);
      ended = !disk.stopped();
      stops += ended ? 0 : 1;
      if (ended) {
        ASSERT_OK(done);
      }
      os::observe(nullptr);
      unsigned variant = 0;
      for (Disk::Names names : {Disk::Names::synced, Disk::Names::all, Disk::Names::some, Disk::Names::some}) {
        fs::path found = place / fmt::format("found-{}", variant);
        disk.recover(found, names, variant++);
        std::string when = fmt::format("stopped before call {}, variant {}", calls, variant);
        expect_kept(found, promises, when);
        if (HasFatalFailure()) return;
        // And it works on: what nobody was promised can be collected, and saved again.
        auto maintenance = Maintenance::open(found);
        ASSERT_OK(maintenance);
        auto collected = (*maintenance)->collect(roots_of(promises), {});
        ASSERT_TRUE(collected) << when << ": " << collected.error().text;
        expect_kept(found, promises, when + ", collected");
        if (HasFatalFailure()) return;
        auto checked = (*maintenance)->check(roots_of(promises), {});
        ASSERT_TRUE(checked) << when << ": " << checked.error().text;
        for (const Finding& finding : checked->findings)
          ADD_FAILURE() << when << ", collected: " << finding.place << ": " << finding.text;
      }
      fs::remove_all(place);
    }
    EXPECT_GT(stops, 10);
  }

  static Status refer(Store& store, const std::string& name, Promise& promise) {
    KIST_TRY(store.set_reference(name, promise.record, std::nullopt));
    promise.references[name] = promise.record;
    return {};
  }

  // Saves a tree, and is promised it when its reference is set.
  static Status save_and_refer(Store& store, const fs::path& tree, const std::string& name,
                               std::vector<Promise>& promises, const SaveOptions& options = {}) {
    KIST_TRY_ASSIGN(auto transaction, store.begin());
    auto before = picture(tree);
    KIST_TRY_ASSIGN(auto saved, transaction->save(tree, options));
    KIST_TRY_ASSIGN(auto record, transaction->put_object("record of " + name));
    KIST_TRY(transaction->commit());
    promises.push_back({saved.id, std::move(before), {}, record});  // commit() said that it is durable
    return refer(store, "runs/" + name, promises.back());
  }

  fs::path tree(unsigned seed, std::size_t size = 200'000) {
    fs::path made = path(fmt::format("work/tree-{}", seed));
    fs::create_directories(made / "sub");
    write(made / "noise", noise(size, seed));
    write(made / "sub/text", prose(30'000, seed));
    write(made / "sub/empty", "");
    return made;
  }
};

TEST_F(FaultsTest, PowerCutAtEveryCallOfSaves) {
  fs::path one = tree(1);
  fs::path two = tree(2);
  stop_everywhere(
      [&](const fs::path& home, std::vector<Promise>& promises) {
        auto store = Store::open(home);
        ASSERT_OK(store);
        ASSERT_OK(save_and_refer(**store, one, "one", promises));
      },
      [&](const fs::path& home, std::vector<Promise>& promises) -> Status {
        KIST_TRY_ASSIGN(auto store, Store::open(home));
        KIST_TRY(save_and_refer(*store, two, "two", promises));
        KIST_TRY(refer(*store, "tags/t", promises.back()));
        promises.front().references.clear();
        return store->remove_reference("runs/one");
      });
}

// More than a buffer: a pack of its own, synced while the save goes on.
TEST_F(FaultsTest, PowerCutAtCallsOfALargeSave) {
  fs::path large = tree(6, 3 << 20);
  stop_everywhere([](const fs::path&, std::vector<Promise>&) {},
                  [&](const fs::path& home, std::vector<Promise>& promises) -> Status {
                    KIST_TRY_ASSIGN(auto store, Store::open(home));
                    return save_and_refer(*store, large, "large", promises);
                  },
                  2);
}

TEST_F(FaultsTest, PowerCutAtEveryCallOfAnAdoption) {
  int round = 0;
  stop_everywhere([](const fs::path&, std::vector<Promise>&) {},
                  [&](const fs::path& home, std::vector<Promise>& promises) -> Status {
                    fs::path scratch = path(fmt::format("work/scratch-{}", round++));
                    fs::create_directories(scratch);
                    write(scratch / "large", noise(5 << 20, 70));
                    write(scratch / "small", "small");
                    KIST_TRY_ASSIGN(auto store, Store::open(home));
                    auto saved = save_and_refer(*store, scratch, "adopted", promises, {.adopt = true});
                    fs::remove_all(scratch);
                    return saved;
                  });
}

TEST_F(FaultsTest, PowerCutAtEveryCallOfAnIndexMerge) {
  std::vector<fs::path> trees;
  for (unsigned i = 0; i < 18; ++i) trees.push_back(tree(100 + i, 3000));
  stop_everywhere(
      [&](const fs::path& home, std::vector<Promise>& promises) {
        auto store = Store::open(home);
        ASSERT_OK(store);
        for (int i = 0; i < 14; ++i) ASSERT_OK(save_and_refer(**store, trees[i], fmt::format("{}", i), promises));
      },
      [&](const fs::path& home, std::vector<Promise>& promises) -> Status {
        KIST_TRY_ASSIGN(auto store, Store::open(home));
        for (std::size_t i = 14; i < trees.size(); ++i)
          KIST_TRY(save_and_refer(*store, trees[i], fmt::format("{}", i), promises));
        return {};
      },
      3);
}

TEST_F(FaultsTest, PowerCutAtEveryCallOfACollection) {
  fs::path kept = tree(3);
  fs::path gone = tree(4);
  fs::path half = tree(5, 100'000);
  for (unsigned i = 0; i < 3; ++i) write(half / fmt::format("more-{}", i), noise(100'000, 200 + i));
  stop_everywhere(
      [&](const fs::path& home, std::vector<Promise>& promises) {
        auto store = Store::open(home);
        ASSERT_OK(store);
        ASSERT_OK(save_and_refer(**store, kept, "kept", promises));
        std::vector<Promise> ignored;
        ASSERT_OK(save_and_refer(**store, gone, "gone", ignored));
        // A pack of which a part is still needed.
        ASSERT_OK(save_and_refer(**store, half, "whole", ignored));
        fs::path part = path("work/part");
        fs::remove_all(part);
        fs::create_directories(part);
        fs::copy(half / "noise", part / "noise");
        ASSERT_OK(save_and_refer(**store, part, "part", promises));
      },
      [&](const fs::path& home, std::vector<Promise>& promises) -> Status {
        KIST_TRY_ASSIGN(auto maintenance, Maintenance::open(home));
        KIST_TRY_ASSIGN(auto collected, maintenance->collect(roots_of(promises), {}));
        EXPECT_EQ(collected.repacked, 1U);
        return {};
      });
}

// The n-th call fails, for every n: once, or from then on as on a full disk.
TEST_F(FaultsTest, EveryCallOfASaveMayFail) {
  fs::path kept = tree(6);
  fs::path more = tree(7);
  std::vector<Promise> promises;
  ASSERT_OK(save_and_refer(*store_, kept, "kept", promises));
  store_.reset();
  for (auto how : {Failing::How::once, Failing::How::from_then_on}) {
    bool only_writes = how == Failing::How::from_then_on;
    bool failed = true;
    for (int calls = 0; failed; calls += 2) {
      std::vector<Promise> now = promises;
      std::string name = fmt::format("more-{}-{}", calls, only_writes);
      write(more / "own", name);  // each time something to write
      Status saved;
      {
        Failing failing(calls, only_writes ? ENOSPC : EIO, how, only_writes);
        auto store = Store::open(home());
        saved = store ? save_and_refer(**store, more, name, now) : std::unexpected(store.error());
        failed = failing.failed();
      }
      if (!saved) {
        EXPECT_TRUE(saved.error().kind == (only_writes ? ErrorKind::no_space : ErrorKind::io)) << saved.error().text;
        EXPECT_NE(saved.error().text.find('/'), std::string::npos) << "names no path: " << saved.error().text;
      }
      if (!failed) {
        EXPECT_TRUE(saved) << saved.error().text;
      }
      if (calls % 8 == 0 || !failed) expect_kept(home(), now, fmt::format("call {} failed", calls));
      if (HasFatalFailure()) return;
    }
  }
  expect_kept(home(), promises, "at the end");
}

TEST_F(FaultsTest, EveryCallOfACollectionMayFail) {
  for (auto how : {Failing::How::once, Failing::How::from_then_on}) {
    bool failed = true;
    for (int calls = 0; failed; calls += 2) {
      fs::path place = path("gc");
      fs::remove_all(place);
      fs::create_directory(place);
      std::vector<Promise> promises;
      {
        auto store = Store::open(place / "store");
        ASSERT_OK(store);
        fs::path whole = tree(8);
        for (unsigned i = 0; i < 3; ++i) write(whole / fmt::format("more-{}", i), noise(200'000, 300 + i));
        std::vector<Promise> ignored;
        ASSERT_OK(save_and_refer(**store, whole, "whole", ignored));
        for (unsigned i = 0; i < 3; ++i) fs::remove(whole / fmt::format("more-{}", i));
        ASSERT_OK(save_and_refer(**store, whole, "part", promises));
      }
      {
        Failing failing(calls, how == Failing::How::once ? EIO : ENOSPC, how, how != Failing::How::once);
        if (auto maintenance = Maintenance::open(place / "store"))
          (void)(*maintenance)->collect(roots_of(promises), {});
        failed = failing.failed();
      }
      expect_kept(place / "store", promises, fmt::format("call {} failed", calls));
      if (HasFatalFailure()) return;
      auto maintenance = Maintenance::open(place / "store");
      ASSERT_OK(maintenance);
      ASSERT_OK((*maintenance)->collect(roots_of(promises), {}));
      expect_kept(place / "store", promises, fmt::format("call {} failed, collected again", calls));
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(FaultsTest, EveryCallOfARestoreMayFail) {
  fs::path source = tree(9);
  ArtifactId id = save(source).id;
  auto expected = picture(source);
  bool failed = true;
  int told = 0;
  for (int calls = 0; failed; ++calls) {
    fs::path target = path("work/target");
    fs::remove_all(target);
    Status restored;
    {
      Failing failing(calls, ENOSPC, Failing::How::once);
      restored = store_->restore(id, "", target);
      failed = failing.failed();
    }
    // A failed read may be made good from another place; what is reported as done is done.
    told += restored ? 0 : 1;
    if (restored) {
      EXPECT_EQ(picture(target), expected);
    }
  }
  EXPECT_GT(told, 10);
}

TEST_F(FaultsTest, EveryCallOfAViewMayFail) {
  fs::path source = tree(11);
  ArtifactId id = save(source).id;
  auto expected = picture(source);
  for (auto how : {Failing::How::once, Failing::How::from_then_on}) {
    const bool full = how == Failing::How::from_then_on;
    bool failed = true;
    int told = 0;
    for (int calls = 0; failed; ++calls) {
      fs::remove_all(home() / "views");
      fs::create_directory(home() / "views");
      reopen();
      Failing failing(calls, full ? ENOSPC : EIO, how, full);
      auto view = store_->view(id);
      failed = failing.failed();
      os::observe(nullptr);
      told += view ? 0 : 1;
      if (!view) {
        EXPECT_EQ(to_string(view.error().kind), to_string(full ? ErrorKind::no_space : ErrorKind::io))
            << view.error().text;
        view = store_->view(id);
        ASSERT_OK(view);
      }
      EXPECT_EQ(picture((*view)->path()), expected) << calls;
    }
    EXPECT_GT(told, 5);
  }
}

// Every file of a store, cut off and with a bit changed at several places.
TEST_F(FaultsTest, NothingWrongIsEverGivenOut) {
  std::vector<Promise> promises;
  fs::path scratch = path("work/scratch");
  fs::create_directories(scratch);
  write(scratch / "large", noise(5 << 20, 80));
  ASSERT_OK(save_and_refer(*store_, scratch, "adopted", promises, {.adopt = true}));
  fs::path packed = tree(10);
  for (int i = 0; i < 200; ++i) write(packed / fmt::format("f{}", i), fmt::format("{}", i));
  ASSERT_OK(save_and_refer(*store_, packed, "packed", promises));
  Digest record = *store_->reference("runs/packed");
  store_.reset();

  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(home()))
    if (entry.is_regular_file() && entry.file_size() > 0 && !entry.path().string().contains("/inodes/"))
      files.push_back(entry.path().lexically_relative(home()));
  ASSERT_GE(files.size(), 8U);
  int noticed = 0;
  for (const fs::path& file : files) {
    const auto size = fs::file_size(home() / file);
    const std::set<std::uint64_t> places = {9, size / 2, size - 1};
    for (bool cut : {false, true})
      for (std::uint64_t place : places) {
        if (place >= size) continue;
        std::string when = fmt::format("{} {} at {}", file.string(), cut ? "cut off" : "changed", place);
        fs::path copy = path("damaged");
        fs::remove_all(copy);
        fs::copy(home(), copy, fs::copy_options::recursive);
        fs::permissions(copy / file, fs::perms(0644));
        std::string text = contents(copy / file);
        if (cut)
          text.resize(place);
        else
          text[place] = static_cast<char>(text[place] ^ 0x10);
        write(copy / file, text);

        bool whole = true;
        auto store = Store::open(copy);
        if (!store) {
          EXPECT_NE(store.error().text.find(copy.string()), std::string::npos) << when << ": " << store.error().text;
          ++noticed;
          continue;
        }
        for (const Promise& promise : promises) {
          fs::path target = path("target");
          fs::remove_all(target);
          auto restored = (*store)->restore(promise.id, "", target);
          if (restored) {
            EXPECT_EQ(picture(target), promise.picture) << when;
          } else {
            whole = false;
            EXPECT_EQ(to_string(restored.error().kind), "corrupt") << when << ": " << restored.error().text;
            EXPECT_NE(restored.error().text.find("containers/"), std::string::npos)
                << when << ": " << restored.error().text;
          }
        }
        if (auto target = (*store)->reference("runs/packed"); target && !file.string().starts_with("refs")) {
          EXPECT_EQ(*target, record) << when;
        }
        store->reset();

        // A check finds what reading does not give, and after a repair nothing is found but what is lost.
        auto maintenance = Maintenance::open(copy);
        ASSERT_OK(maintenance);
        auto checked = (*maintenance)->check(roots_of(promises), {});
        ASSERT_TRUE(checked) << when << ": " << checked.error().text;
        if (!whole) {
          EXPECT_TRUE(checked->damaged()) << when;
        }
        noticed += checked->findings.empty() ? 0 : 1;
        auto repaired = (*maintenance)->check(roots_of(promises), {.repair = true});
        ASSERT_TRUE(repaired) << when << ": " << repaired.error().text;
        auto again = (*maintenance)->check(roots_of(promises), {});
        ASSERT_OK(again);
        for (const Finding& finding : again->findings)
          EXPECT_TRUE(finding.kind == Finding::Kind::artifact || finding.kind == Finding::Kind::object ||
                      finding.kind == Finding::Kind::reference || finding.repaired)
              << when << ": " << finding.place << ": " << finding.text;
        // What was lost is stored again when it is saved again.
        auto store_again = Store::open(copy);
        ASSERT_TRUE(store_again) << when << ": " << store_again.error().text;
        std::vector<Promise> healed;
        auto transaction = (*store_again)->begin();
        ASSERT_OK(transaction);
        for (const fs::path& source : {scratch, packed}) {
          auto saved = (*transaction)->save(source);
          ASSERT_OK(saved);
          healed.push_back({saved->id, picture(source)});
        }
        ASSERT_OK((*transaction)->commit());
        transaction->reset();
        store_again->reset();
        expect_kept(copy, healed, when + ", saved again");
        if (HasFatalFailure()) return;
      }
  }
  EXPECT_GT(noticed, static_cast<int>(files.size())) << "most damage is seen";
}

TEST_F(FaultsTest, AnEditThroughAHardLinkIsNoticed) {
  fs::path scratch = path("work/scratch");
  fs::create_directories(scratch);
  write(scratch / "large", noise(5 << 20, 90));
  ArtifactId id = save(scratch, {.adopt = true}).id;
  fs::create_hard_link(scratch / "large", path("work/link"));
  fs::remove_all(scratch);
  reopen();
  fs::permissions(path("work/link"), fs::perms(0644));
  {
    std::fstream file(path("work/link"), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(1'000'000);
    file.put('!');
  }
  EXPECT_ERROR(store_->restore(id, "", path("work/back")), ErrorKind::corrupt);
  EXPECT_ERROR(store_->view(id), ErrorKind::corrupt);
  auto maintenance = Maintenance::open(home());
  ASSERT_OK(maintenance);
  auto roots = [&](const TakeRoot& take) { return take({"the artifact", id}); };
  auto checked = (*maintenance)->check(roots, {.repair = true});
  ASSERT_OK(checked);
  ASSERT_TRUE(checked->damaged());
  EXPECT_EQ(checked->findings.back().place, "the artifact");
  EXPECT_EQ(checked->findings.back().paths, std::vector<std::string>{"large"});
}

TEST_F(FaultsTest, AnIndexThatIsGoneIsMadeAnewFromTheContainers) {
  std::vector<Promise> promises;
  const fs::path scratch = path("work/scratch");
  fs::create_directories(scratch);
  write(scratch / "large", noise(5 << 20, 81));
  ASSERT_OK(save_and_refer(*store_, scratch, "adopted", promises, {.adopt = true}));
  ASSERT_OK(save_and_refer(*store_, tree(12), "packed", promises));
  store_.reset();
  for (const auto& entry : fs::directory_iterator(home() / "index")) fs::remove(entry.path());
  expect_kept(home(), promises, "without an index");
  EXPECT_GT(count("index"), 0U) << "it is made once";
  auto maintenance = Maintenance::open(home());
  ASSERT_OK(maintenance);
  ASSERT_OK((*maintenance)->collect(roots_of(promises), {}));
  expect_kept(home(), promises, "collected");
}

// A pack and an index of a later format stand beside ours: what they hold is not guessed at, they stay, and all else is
// there.
TEST_F(FaultsTest, WhatANewerKistWroteBesideIsNotBelieved) {
  std::vector<Promise> promises;
  ASSERT_OK(save_and_refer(*store_, tree(13), "ours", promises));
  store_.reset();
  std::vector<fs::path> newer;
  for (const char* folder : {"containers", "index"}) {
    const fs::path ours = fs::directory_iterator(home() / folder)->path();
    std::string text = contents(ours);
    text[8] = 3;  // the version
    std::string name = ours.filename().string();
    name.back() = name.back() == '0' ? '1' : '0';
    newer.push_back(ours.parent_path() / name);
    write(newer.back(), text);
  }
  expect_kept(home(), promises, "with files of a newer kist");
  auto maintenance = Maintenance::open(home());
  ASSERT_OK(maintenance);
  auto checked = (*maintenance)->check(roots_of(promises), {.repair = true});
  ASSERT_OK(checked);
  const auto found = std::ranges::find(checked->findings, Finding::Kind::container, &Finding::kind);
  ASSERT_NE(found, checked->findings.end());
  EXPECT_NE(found->text.find("format version 3"), std::string::npos) << found->text;
  EXPECT_EQ(std::ranges::count(checked->findings, Finding::Kind::index, &Finding::kind), 0);
  auto collected = (*maintenance)->collect(roots_of(promises), {});
  ASSERT_OK(collected);
  EXPECT_EQ(collected->notices.size(), 1U);
  for (const fs::path& theirs : newer) EXPECT_TRUE(fs::exists(theirs)) << theirs << ": it is the newer kist's";
  expect_kept(home(), promises, "repaired and collected");
}

TEST_F(FaultsTest, AStoreOfANewerKistIsRefused) {
  store_.reset();
  write(home() / "format", "kist store 2\n");
  auto opened = Store::open(home());
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().text.find("kist store 2"), std::string::npos) << opened.error().text;
  EXPECT_NE(opened.error().text.find("newer kist"), std::string::npos) << opened.error().text;
  EXPECT_FALSE(Maintenance::open(home()));
}

}  // namespace
}  // namespace kist::store
