#include "store/remote.hpp"

#include <array>
#include <set>
#include <thread>

#include <sys/xattr.h>

#include "net/directory_objects.hpp"
#include "store/bytes.hpp"
#include "store/observers.hpp"
#include "store/place.hpp"

namespace kist::store {
namespace {

// Passes requests on, counts what is sent and read, and stops working after so many requests of a kind, as if the
// machine had been switched off.
struct Wire {
  std::atomic<std::uint64_t> sent = 0;
  std::atomic<std::uint64_t> received = 0;
  std::atomic<int> puts = 0;
  std::atomic<int> gets = 0;
  std::atomic<int> puts_left = INT_MAX;
  std::atomic<int> gets_left = INT_MAX;
};

class Wired final : public net::ObjectStore {
 public:
  Wired(std::unique_ptr<net::ObjectStore> objects, Wire& wire) : objects_(std::move(objects)), wire_(wire) {}
  const std::string& address() const override { return objects_->address(); }
  Result<bool> obeys_conditions() override { return obeys; }
  Result<std::string> put(std::string_view name, const net::Body& body, const net::PutCondition& condition,
                          const net::Moved& moved) override {
    if (wire_.puts_left-- <= 0) return fail(ErrorKind::unavailable, "switched off");
    ++wire_.puts;
    return objects_->put(name, body, condition, [&](std::uint64_t bytes) {
      wire_.sent += bytes;
      if (moved) moved(bytes);
    });
  }
  Result<net::ObjectInfo> get(std::string_view name, const Sink& sink, std::uint64_t offset,
                              std::uint64_t length) override {
    if (wire_.gets_left-- <= 0) return fail(ErrorKind::unavailable, "switched off");
    ++wire_.gets;
    return objects_->get(
        name,
        [&](std::span<const std::byte> bytes) {
          wire_.received += bytes.size();
          return sink(bytes);
        },
        offset, length);
  }
  Result<net::ObjectInfo> head(std::string_view name) override { return objects_->head(name); }
  Status list(std::string_view prefix, const std::function<bool(const net::ObjectInfo&)>& each) override {
    return objects_->list(prefix, each);
  }
  Status remove(std::string_view name) override { return objects_->remove(name); }

  bool obeys = true;

 private:
  std::unique_ptr<net::ObjectStore> objects_;
  Wire& wire_;
};

class RemoteTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    auto objects = net::open_directory_objects(path("remote"), true);
    ASSERT_OK(objects);
    ASSERT_OK(RemoteStore::create(**objects));
  }

  // Opened anew for each use, as by another process.
  std::unique_ptr<RemoteStore> remote(std::string_view store = "store") {
    auto objects = net::open_directory_objects(path("remote"), false);
    EXPECT_TRUE(objects);
    auto opened = RemoteStore::open(path(store), std::make_unique<Wired>(std::move(*objects), wire_));
    EXPECT_TRUE(opened) << opened.error().text;
    return std::move(*opened);
  }

  Digest finish(const model::RunRecord& run) {
    auto transaction = store_->begin();
    EXPECT_TRUE(transaction);
    auto record = (*transaction)->put_object(to_text(to_json(run)));
    EXPECT_TRUE(record);
    EXPECT_TRUE((*transaction)->commit());
    return *record;
  }

  // The record of a run that made this.
  Digest run_of(const Saved& saved, std::string_view name = "r") {
    model::RunRecord run;
    run.name = name;
    run.id = fmt::format("id of {}", name);
    run.state = model::State::succeeded;
    model::NodeRecord node;
    node.names.name = "n";
    node.state = model::State::succeeded;
    model::ArtifactRecord artifact;
    artifact.name = "out";
    artifact.tree = saved.id.tree;
    artifact.times = saved.id.times;
    node.output_artifacts.push_back(artifact);
    run.nodes.push_back(node);
    return finish(run);
  }

  Status push(const Digest& record) {
    Transfer transfer;
    return remote()->push(std::span(&record, 1), transfer);
  }
  Status pull(const Digest& record, std::string_view store) {
    Transfer transfer;
    return remote(store)->pull(record, transfer);
  }

  // What a second machine makes of the artifact after pulling.
  std::map<std::string, std::string> restored(const ArtifactId& id, std::string_view store) {
    auto other = Store::open(path(store));
    EXPECT_TRUE(other);
    const fs::path target = path(fmt::format("restored-{}", store));
    fs::remove_all(target);
    auto done = (*other)->restore(id, "", target, {});
    EXPECT_TRUE(done) << done.error().text;
    return picture(target);
  }

  std::size_t remote_objects(std::string_view folder) {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(path("remote") / folder))
      count += entry.is_regular_file();
    return count;
  }

  Wire wire_;
};

// A tree with everything: many small files, one that is adopted (chunk lists outside), prose, links, empty directories.
void make_tree(const fs::path& top, unsigned seed) {
  fs::create_directories(top / "many");
  for (int i = 0; i < 4000; ++i) write(top / "many" / std::to_string(i), fmt::format("{} {}", seed, i));
  write(top / "noise", noise(20 << 20, seed));
  write(top / "prose", prose(3 << 20, seed));
  fs::create_directory(top / "empty");
  fs::create_symlink("prose", top / "link");
}

TEST_F(RemoteTest, WhatIsPushedIsPulledWholeAndOnlyOnce) {
  make_tree(path("work/a"), 1);
  const auto before = picture(path("work/a"));
  const Saved saved = save(path("work/a"), {.adopt = true});
  const Digest record = run_of(saved);

  ASSERT_OK(push(record));
  EXPECT_LE(remote_objects("packs"), 7U);  // 4,000 files, and no request for each
  EXPECT_LE(wire_.puts, 9);
  const std::uint64_t first = wire_.sent.exchange(0);
  EXPECT_LT(first, 22U << 20);
  ASSERT_OK(push(record));
  EXPECT_EQ(wire_.sent, 0U);

  wire_.gets = 0;
  ASSERT_OK(pull(record, "other"));
  EXPECT_LT(wire_.gets, 30);
  EXPECT_EQ(restored(saved.id, "other"), before);
  wire_.received = 0;
  ASSERT_OK(pull(record, "other"));
  EXPECT_LT(wire_.received, 100U);  // the format

  // From where it was pulled to it is pushed as from where it was made, and nothing is missing.
  Transfer transfer;
  ASSERT_OK(remote("other")->push(std::span(&record, 1), transfer));
  EXPECT_EQ(wire_.sent, 0U);
}

TEST_F(RemoteTest, WhatIsSentIsCompressedWell) {
  std::string text;
  for (int i = 0; text.size() < 20 << 20; ++i)
    text += fmt::format("{{\"id\": {}, \"value\": {}}}\n", i, i * 7919 % 10007);
  write(path("work/text"), text);
  const Digest record = run_of(save(path("work/text")));
  const std::uint64_t here = stored_bytes();
  Transfer transfer;
  ASSERT_OK(remote()->push(std::span(&record, 1), transfer));
  EXPECT_LT(wire_.sent, here * 4 / 5) << "LZ4 stays here";
  EXPECT_EQ(transfer.done, transfer.total);
  ASSERT_OK(pull(record, "other"));
}

TEST_F(RemoteTest, AnEditOfOnePercentSendsAndFetchesLittle) {
  const std::string content = noise(64 << 20, 7);
  write(path("work/big"), content);
  const Digest first = run_of(save(path("work/big")));
  ASSERT_OK(push(first));
  ASSERT_OK(pull(first, "other"));
  const std::uint64_t all = wire_.sent.exchange(0);
  wire_.received = 0;

  std::string edited = content;
  for (std::size_t at = 5 << 20; at < edited.size(); at += 16 << 20) edited.replace(at, 160 << 10, noise(161 << 10, 9));
  write(path("work/big"), edited);
  const Saved saved = save(path("work/big"));
  const Digest second = run_of(saved, "r2");
  ASSERT_OK(push(second));
  EXPECT_LT(wire_.sent, all * 3 / 100);
  ASSERT_OK(pull(second, "other"));
  EXPECT_LT(wire_.received, all * 3 / 100);
  EXPECT_EQ(restored(saved.id, "other"), picture(path("work/big")));
}

// Killed after any number of puts: the next push sends what is missing and no pack twice, but those that were under
// way.
TEST_F(RemoteTest, APushThatWasKilledGoesOn) {
  write(path("work/a"), noise(260 << 20, 3));
  const Saved saved = save(path("work/a"));
  const Digest record = run_of(saved);
  wire_.puts_left = 12;
  EXPECT_ERROR(push(record), ErrorKind::unavailable);
  const std::uint64_t arrived = wire_.sent.exchange(0);
  EXPECT_GE(arrived, 40U << 20);
  EXPECT_FALSE(fs::exists(path("remote/index")));  // nobody was told
  wire_.puts_left = INT_MAX;
  ASSERT_OK(push(record));
  EXPECT_LT(wire_.sent, (262U << 20) - arrived);
  ASSERT_OK(pull(record, "other"));
  EXPECT_EQ(restored(saved.id, "other"), picture(path("work/a")));
}

// The disk is full from the n-th call on, for every n: that of a directory which is a remote, and that of who pulls.
TEST_F(RemoteTest, ADiskMayBeFullAtAnyCall) {
  fs::create_directories(path("work/a/d"));
  write(path("work/a/noise"), noise(300'000, 3));
  write(path("work/a/d/prose"), prose(30'000));
  const auto before = picture(path("work/a"));
  const Saved saved = save(path("work/a"));
  const Digest record = run_of(saved);
  auto transfer = [&](std::string_view store, bool push) -> Status {
    KIST_TRY_ASSIGN(auto objects, net::open_directory_objects(path("remote"), false));
    KIST_TRY_ASSIGN(auto opened, RemoteStore::open(path(store), std::move(objects)));
    Transfer moved;
    return push ? opened->push(std::span(&record, 1), moved) : opened->pull(record, moved);
  };
  int told = 0;
  bool failed = true;
  for (int calls = 0; failed; ++calls) {
    for (bool pushing : {true, false}) {
      fs::remove_all(path(pushing ? "remote" : "other"));
      if (pushing) ASSERT_OK(RemoteStore::create(**net::open_directory_objects(path("remote"), true)));
      Status done;
      {
        Failing failing(calls, ENOSPC, Failing::How::from_then_on, true);
        done = transfer(pushing ? "store" : "other", pushing);
        failed = pushing ? failing.failed() : failed || failing.failed();
      }
      if (!done) {
        ++told;
        EXPECT_EQ(to_string(done.error().kind), to_string(ErrorKind::no_space)) << done.error().text;
        EXPECT_NE(done.error().text.find('/'), std::string::npos) << "names no path: " << done.error().text;
        ASSERT_OK(transfer(pushing ? "store" : "other", pushing));
      }
    }
    EXPECT_EQ(restored(saved.id, "other"), before) << calls;
  }
  EXPECT_GT(told, 10);
}

TEST_F(RemoteTest, HardLinksAndAttributesGoAlong) {
  fs::create_directories(path("work/a"));
  write(path("work/a/one"), "one");
  fs::create_hard_link(path("work/a/one"), path("work/a/two"));
  const bool attributes = ::setxattr(path("work/a/one").c_str(), "user.test", "kept", 4, 0) == 0;
  const Saved saved = save(path("work/a"), {.attributes = true});
  const Digest record = run_of(saved);
  ASSERT_OK(push(record));
  ASSERT_OK(pull(record, "other"));
  EXPECT_EQ(restored(saved.id, "other"), picture(path("work/a")));
  EXPECT_EQ(status_of(path("restored-other/one")).st_ino, status_of(path("restored-other/two")).st_ino);
  if (!attributes) return;
  std::string value(4, '\0');
  EXPECT_EQ(::getxattr(path("restored-other/two").c_str(), "user.test", value.data(), value.size()), 4);
  EXPECT_EQ(value, "kept");
}

TEST_F(RemoteTest, APullThatWasKilledGoesOn) {
  write(path("work/a"), noise(200 << 20, 3));
  const Saved saved = save(path("work/a"));
  const Digest record = run_of(saved);
  ASSERT_OK(push(record));
  wire_.gets_left = 14;
  EXPECT_ERROR(pull(record, "other"), ErrorKind::unavailable);
  wire_.received = 0;
  wire_.gets_left = INT_MAX;
  ASSERT_OK(pull(record, "other"));
  EXPECT_LT(wire_.received, 200U << 20);  // what was committed is not fetched again; a step and what was under way is
  EXPECT_EQ(restored(saved.id, "other"), picture(path("work/a")));
}

TEST_F(RemoteTest, NothingOfOtherRunsIsSent) {
  // One pack with the chunks of both.
  write(path("work/mine"), noise(30 << 20, 1));
  write(path("work/secret"), noise(30 << 20, 2));
  auto transaction = store_->begin();
  ASSERT_OK(transaction);
  auto mine = (*transaction)->save(path("work/mine"));
  auto secret = (*transaction)->save(path("work/secret"));
  ASSERT_OK((*transaction)->commit());
  ASSERT_OK(push(run_of(*mine)));
  EXPECT_LT(wire_.sent, 31U << 20);
}

TEST_F(RemoteTest, SmallRunsMakeFewIndexObjects) {
  for (unsigned i = 0; i < 40; ++i) {
    write(path("work/a"), noise(1000, i));
    set_time(path("work/a"), 1);
    ASSERT_OK(push(run_of(save(path("work/a")), fmt::format("r{}", i))));
  }
  EXPECT_LE(remote_objects("index"), 16U);
  write(path("work/a"), noise(1000, 0));
  set_time(path("work/a"), 1);
  wire_.sent = 0;
  ASSERT_OK(push(run_of(save(path("work/a")), "r0")));
  EXPECT_EQ(wire_.sent, 0U);
}

TEST_F(RemoteTest, DamageIsFoundAndMendedByPushingAgain) {
  write(path("work/a"), noise(20 << 20, 1));
  const Saved saved = save(path("work/a"));
  const Digest record = run_of(saved);
  ASSERT_OK(push(record));
  fs::path pack;
  for (const auto& entry : fs::recursive_directory_iterator(path("remote/packs")))
    if (entry.is_regular_file() && entry.file_size() > 1 << 20) pack = entry.path();
  const std::string whole = contents(pack);
  std::string damaged = whole;
  damaged[damaged.size() / 2] ^= 1;
  fs::permissions(pack, fs::perms::owner_write, fs::perm_options::add);
  write(pack, damaged);
  auto pulled = pull(record, "other");
  EXPECT_ERROR(pulled, ErrorKind::corrupt);
  EXPECT_TRUE(pulled.error().text.contains(pack.filename().string())) << pulled.error().text;

  for (const std::string& text : {std::string(), whole.substr(0, whole.size() / 2)}) {
    fs::remove(pack);
    if (!text.empty()) write(pack, text);
    EXPECT_ERROR(pull(record, "other"), ErrorKind::corrupt);
    if (!text.empty()) fs::remove(pack);
    ASSERT_OK(push(record));
    ASSERT_OK(pull(record, "other"));
    EXPECT_EQ(restored(saved.id, "other"), picture(path("work/a")));
    fs::remove_all(path("other"));
  }
}

// Two machines that push the same at the same time leave it in two packs.
TEST_F(RemoteTest, WhatIsDamagedInOnePackComesFromAnother) {
  write(path("work/a"), noise(3 << 20, 5));
  const Saved saved = save(path("work/a"));
  const Digest record = run_of(saved);
  ASSERT_OK(push(record));
  std::set<fs::path> packs;
  auto new_pack = [&] {
    fs::path found;
    for (const auto& entry : fs::recursive_directory_iterator(path("remote/packs")))
      if (entry.is_regular_file() && entry.file_size() > 1 << 20 && packs.insert(entry.path()).second)
        found = entry.path();
    return found;
  };
  const fs::path first = new_pack();
  for (const char* folder : {"packs", "index"}) fs::rename(path("remote") / folder, path("work") / folder);
  const std::array both = {record, run_of(saved, "another")};
  Transfer transfer;
  ASSERT_OK(remote()->push(both, transfer));
  const fs::path second = new_pack();
  for (const char* folder : {"packs", "index"})
    fs::copy(path("work") / folder, path("remote") / folder, fs::copy_options::recursive);
  ASSERT_FALSE(first.empty() || second.empty());

  for (const fs::path& damaged : {first, second}) {
    const std::string whole = contents(damaged);
    for (bool gone : {false, true}) {
      std::string text = whole;
      text[text.size() / 2] ^= 1;
      fs::remove(damaged);
      if (!gone) write(damaged, text);
      fs::remove_all(path("other"));
      ASSERT_OK(pull(record, "other"));
      EXPECT_EQ(restored(saved.id, "other"), picture(path("work/a")));
      fs::remove_all(path("third"));
      auto reading = remote("third");
      auto tree = TreeCursor::open(reading->source(), saved.id);
      ASSERT_OK(tree);
      auto entry = tree->next();
      ASSERT_OK(entry);
      const FileContent content = (*entry)->content;
      ASSERT_OK(each_piece(reading->source(), content, [](ByteSpan) { return Status(); }));
    }
    write(damaged, whole);
  }
}

// Collected while it was made: what the run found in the store is condemned, until the next collection sees that it is
// needed.
TEST_F(RemoteTest, WhatIsCondemnedIsSentAsLongAsItIsThere) {
  write(path("work/a"), noise(300'000, 13));
  const Saved saved = save(path("work/a"));
  const Digest record = run_of(saved);
  auto holding = store_->hold();
  ASSERT_OK(holding);
  auto maintenance = Maintenance::open(home());
  ASSERT_OK(maintenance);
  auto collected = (*maintenance)->collect([](const TakeRoot&) { return Status(); }, {});
  ASSERT_OK(collected);
  EXPECT_EQ(collected->waiting, 2U);
  ASSERT_OK(push(record));
  ASSERT_OK(pull(record, "other"));
  EXPECT_EQ(restored(saved.id, "other"), picture(path("work/a")));
}

// A newer kist may have merged the index objects of this one into one of its own format.
TEST_F(RemoteTest, AnIndexOfANewerKistStandsBeside) {
  write(path("work/a"), noise(300'000, 12));
  const Saved saved = save(path("work/a"));
  const Digest record = run_of(saved);
  ASSERT_OK(push(record));
  const fs::path ours = fs::directory_iterator(path("remote/index"))->path();
  const fs::path newer = ours.parent_path() / std::string(32, 'f');
  std::string text = contents(ours);
  text[8] = 2;  // the version
  write(newer, text);
  fs::remove(ours);

  const auto pulled = pull(record, "other");
  EXPECT_ERROR(pulled, ErrorKind::corrupt);
  EXPECT_NE(pulled.error().text.find("use the newer one"), std::string::npos) << pulled.error().text;
  ASSERT_OK(push(record));
  ASSERT_OK(pull(record, "other"));
  EXPECT_EQ(restored(saved.id, "other"), picture(path("work/a")));
  EXPECT_EQ(contents(newer), text) << "it is not ours to remove";
}

TEST_F(RemoteTest, ReadsWithoutPulling) {
  make_tree(path("work/a"), 1);
  const Saved saved = save(path("work/a"), {.adopt = true});
  ASSERT_OK(push(run_of(saved)));
  auto there = remote("other");
  Transfer transfer;
  wire_.received = 0;
  Bytes bytes;
  ASSERT_OK(there->source().read(saved.id.tree, bytes));
  EXPECT_EQ(sha256(bytes), saved.id.tree);
  ASSERT_OK(there->source().read(saved.id.times, bytes));
  EXPECT_LT(wire_.received, 4U << 20);
  EXPECT_ERROR(there->source().read(sha256("nothing"), bytes), ErrorKind::not_found);
}

// 16 machines push one tag at once: one wins, and the others are told.
TEST_F(RemoteTest, OfSixteenThatSetATagOneWins) {
  std::atomic<int> won = 0;
  std::atomic<int> told = 0;
  std::vector<std::jthread> machines;
  for (int i = 0; i < 16; ++i)
    machines.emplace_back([&, i] {
      auto there = remote(fmt::format("machine-{}", i));
      auto set = there->set_reference("tags/v1", sha256(std::to_string(i)), std::nullopt);
      (set ? won : told) += 1;
      EXPECT_TRUE(set || set.error().kind == ErrorKind::conflict) << set.error().text;
    });
  machines.clear();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(told, 15);

  auto one = remote();
  auto seen = one->reference("tags/v1");
  ASSERT_OK(seen);
  ASSERT_OK(remote("other")->set_reference("tags/v1", sha256("x"), *seen));
  EXPECT_ERROR(one->set_reference("tags/v1", sha256("y"), *seen), ErrorKind::conflict);
  ASSERT_OK(one->set_reference("tags/a b", sha256("y"), std::nullopt));
  EXPECT_EQ(one->references("tags/").value(), (std::vector<std::string>{"tags/a b", "tags/v1"}));
}

TEST_F(RemoteTest, RefusesPlacesThatAreNoRemote) {
  write(path("work/other"), "x");
  auto other = net::open_directory_objects(path("work"), false);
  ASSERT_OK(other);
  EXPECT_ERROR(RemoteStore::create(**other), ErrorKind::invalid);
  EXPECT_ERROR(RemoteStore::open(home(), std::move(*other)), ErrorKind::not_found);

  auto careless = std::make_unique<Wired>(std::move(*net::open_directory_objects(path("careless"), true)), wire_);
  careless->obeys = false;
  auto refused = RemoteStore::create(*careless);
  EXPECT_ERROR(refused, ErrorKind::unsupported);

  fs::permissions(path("remote/format"), fs::perms::owner_write, fs::perm_options::add);
  write(path("remote/format"), "kist remote 2\n");
  auto newer = RemoteStore::open(home(), std::move(*net::open_directory_objects(path("remote"), false)));
  EXPECT_ERROR(newer, ErrorKind::corrupt);
  EXPECT_TRUE(newer.error().text.contains("newer kist"));
}

}  // namespace
}  // namespace kist::store
