// Stops, owners that are lost, and what is durable when.
#include <atomic>

#include <sys/wait.h>
#include <unistd.h>

#include "engine/house.hpp"

namespace kist::engine::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

class Ownership : public EngineTest {
 protected:
  Ownership() {
    define("main", {});
    define("ok", task({"succeed"}));
    define("wait", task({"wait"}));
  }

  Parts parts() {
    return {home, *catalog, store, dialects, [] { return now(); }, [](std::uint32_t) { return 0U; }};
  }

  void request(const std::string& run, catalog::Request::Kind kind) {
    ASSERT_TRUE(catalog::Catalog::open(home).value()->add_request(run, {kind}));
  }
  // Asks when the node is running.
  std::jthread ask_when_running(const std::string& node, std::vector<catalog::Request::Kind> kinds) {
    return std::jthread([this, node, kinds = std::move(kinds)] {
      place.wait_until_running(node);
      for (catalog::Request::Kind kind : kinds) request("wf", kind);
    });
  }
};

TEST_F(Ownership, AStopLetsRunningTasksEndAndStartsNothing) {
  define("main", sequence({{step("a", "wait"), step("b", "ok")}, {step("c", "ok")}}));
  auto asking = ask_when_running("wf[0].a", {catalog::Request::Kind::stop});
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::stopped);
  EXPECT_EQ(run.message, "was stopped");
  EXPECT_EQ(status(run, "wf[0].a"), "stopped: was stopped");
  EXPECT_EQ(status(run, "wf[0].b"), "succeeded");
  EXPECT_EQ(status(run, "wf[1].c"), "none");
  EXPECT_THAT(watcher.states, ElementsAre(State::running, State::stopping, State::stopped));
  EXPECT_TRUE(store.reference("runs/wf"));  // a stopped run has its record too
}

TEST_F(Ownership, AnAbortAfterAStopIsSharper) {
  place.ignore_graceful = true;
  define("main", graph({step("a", "wait"), step("b", "ok", is("a"))}));
  auto asking = ask_when_running("wf.a", {catalog::Request::Kind::stop, catalog::Request::Kind::abort});
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::aborted);
  EXPECT_EQ(status(run, "wf.a"), "aborted: was aborted");
  EXPECT_EQ(status(run, "wf.b"), "none");
}

TEST_F(Ownership, AStopThatComesTooLateChangesNothing) {
  define("slow", task({"hold"}));
  define("main", sequence({{step("a", "slow")}}));
  std::string name = submit();
  watcher.on_node = [&](const model::NodeRecord& node) {
    if (node.state == State::succeeded) request("wf", catalog::Request::Kind::stop);
  };
  place.release();
  ASSERT_TRUE(engine.own(name, place, watcher));
  EXPECT_EQ(catalog->summary("wf")->state, State::succeeded);
}

TEST_F(Ownership, AStopBeforeTheStartStartsNothing) {
  define("main", sequence({{step("a", "ok")}}));
  std::string name = submit();
  request(name, catalog::Request::Kind::stop);
  EXPECT_EQ(engine.own(name, place, watcher).value(), State::stopped);
  EXPECT_THAT(place.began(), IsEmpty());
}

TEST_F(Ownership, WhatWasPublishedStaysAfterAnAbort) {
  define("live", task({"publish", "out"}));
  define("main", sequence({{step("a", "live")}}));
  std::jthread asking([&] {
    std::atomic<bool> published = false;
    while (!published) {  // recorded while the task runs
      auto run = catalog->run("wf");
      published =
          run && std::ranges::any_of(run->nodes, [](const auto& node) { return !node.output_artifacts.empty(); });
    }
    request("wf", catalog::Request::Kind::abort);
  });
  model::RunRecord run = this->run();
  EXPECT_EQ(status(run, "wf[0].a"), "aborted: was aborted");
  EXPECT_EQ(node(run, "wf[0].a").output_artifacts.at(0).tree, sha256("wf[0].a/out"));
}

TEST_F(Ownership, ARunHasOneOwner) {
  define("main", sequence({{step("a", "wait")}}));
  std::jthread owner([&] { run(); });
  place.wait_until_running("wf[0].a");
  EXPECT_TRUE(is_owned(home, "wf"));
  EXPECT_NE(current_record(parts(), "wf")->state, State::interrupted);
  SmallPlace another_place;
  Watcher another;
  EXPECT_EQ(engine.own("wf", another_place, another).error().kind, ErrorKind::conflict);
  EXPECT_EQ(remove_run(parts(), "wf").error().kind, ErrorKind::conflict);
  request("wf", catalog::Request::Kind::stop);
  owner.join();
  EXPECT_FALSE(is_owned(home, "wf"));
  EXPECT_EQ(engine.own("wf", another_place, another).value(), State::stopped);  // it has ended: nothing is done
  EXPECT_TRUE(remove_run(parts(), "wf"));
  EXPECT_FALSE(fs::exists(home.run("wf")));
  EXPECT_EQ(remove_run(parts(), "wf").error().kind, ErrorKind::not_found);
}

// ---- a lost owner

class LostOwner : public Ownership {
 protected:
  // Owns "wf" in another process, and kills that as soon as the catalog says that `node` is running, and `ended` has
  // succeeded.
  void lose_owner_at(const std::string& node, const std::string& ended = "") {
    std::string name = submit();
    ASSERT_EQ(name, "wf");
    catalog.reset();  // SQLite's handles do not survive a fork
    pid_t child = ::fork();
    if (child == 0) {
      auto own_catalog = catalog::Catalog::open(home).value();
      Engine own_engine(Parts{home, *own_catalog, store, dialects, [] { return now(); }, {}});
      SmallPlace own_place;
      Watcher own_watcher;
      (void)own_engine.own(name, own_place, own_watcher);
      ::_exit(0);
    }
    catalog = catalog::Catalog::open(home).value();
    auto is_there = [&] {
      model::RunRecord run = catalog->run(name).value();
      return status(run, node) == "running" && (ended.empty() || status(run, ended) == "succeeded");
    };
    while (!is_there()) std::this_thread::yield();
    ASSERT_TRUE(is_owned(home, name));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  State resume() {
    Engine again(parts());
    auto state = again.own("wf", place, watcher);
    EXPECT_TRUE(state) << state.error().text;
    return state.value_or(State::interrupted);
  }
};

TEST_F(LostOwner, ShowsTheRunAsInterrupted) {
  define("main", sequence({{step("a", "wait")}}));
  lose_owner_at("wf[0].a");
  EXPECT_FALSE(is_owned(home, "wf"));
  model::RunRecord run = current_record(parts(), "wf").value();
  EXPECT_EQ(run.state, State::interrupted);
  EXPECT_EQ(status(run, "wf[0].a"), "interrupted");
}

TEST_F(LostOwner, WhatHadEndedIsNotRepeated) {
  define("make", task({"make", "out"}));
  define("take", task({"print", "{{inputs.parameters.p}}"}));
  dialect.workflow.definitions["take"].parameters.push_back({.name = "p", .fallback = {}, .allowed = {}});
  model::Step take = step("c", "take");
  take.call.arguments.parameters = {{"p", text("{{steps.a.status}} {{steps.b.status}}")}};
  define("inner", sequence({{step("x", "make")}}));
  define("held", task({"hold"}));
  define("main", sequence({{step("a", "inner"), step("b", "held")}, {take}}));
  lose_owner_at("wf[0].b", "wf[0].a");
  place.release();
  EXPECT_EQ(resume(), State::succeeded);
  EXPECT_THAT(place.began_nodes(), ElementsAre("wf[0].b", "wf[1].c"));
  model::RunRecord run = catalog->run("wf").value();
  EXPECT_EQ(node(run, "wf[0].b").attempt, 2);
  EXPECT_EQ(place.began()[0].attempt, 2);
  EXPECT_EQ(node(run, "wf[1].c").attempt, 1);
  EXPECT_EQ(node(run, "wf[0].a[0].x").output_artifacts.size(), 1U);
  EXPECT_EQ(node(run, "wf[1].c").result, "<succeeded> <succeeded>");
  std::vector<std::string> names;
  for (const model::NodeRecord& record : run.nodes) names.push_back(record.names.name);
  EXPECT_EQ(names.size(), 5U);
  EXPECT_EQ(names.front(), "wf");
}

TEST_F(LostOwner, RequestsToItAreForgotten) {
  define("main", sequence({{step("a", "wait")}}));
  lose_owner_at("wf[0].a");
  request("wf", catalog::Request::Kind::stop);
  auto asking = ask_when_running("wf[0].a", {catalog::Request::Kind::abort});
  EXPECT_EQ(resume(), State::aborted);
}

TEST_F(LostOwner, ItsTagsKeepWhatItMadeWhenItIsRemoved) {
  define("make", task({"make", "out"}));
  define("main", sequence({{step("a", "make")}, {step("b", "wait")}}));
  lose_owner_at("wf[1].b");
  ASSERT_TRUE(catalog->set_tag("t", "wf", now(), false));
  ASSERT_TRUE(remove_run(parts(), "wf"));
  ASSERT_TRUE(catalog->tag("t")->record);
  EXPECT_TRUE(store.object(*catalog->tag("t")->record)->contains(sha256("wf[0].a/out").to_string()));
}

// ---- what is durable when

// Counts transactions, and fails them when told to.
class Counting : public catalog::Catalog {
 public:
  explicit Counting(catalog::Catalog& real) : real_(real) {}
  std::atomic<int> commits = 0;
  std::atomic<int> nodes = 0;
  std::atomic<bool> full = false;

  Status apply(std::span<const catalog::Changes> changes) override {
    if (full) return fail(ErrorKind::no_space, "no space left for the catalog");
    ++commits;
    for (const catalog::Changes& one : changes) nodes += static_cast<int>(one.nodes.size());
    return real_.apply(changes);
  }
  Result<std::string> create_run(const model::RunRecord& run, const model::RunNaming& naming,
                                 const std::function<std::uint32_t(std::uint32_t)>& random) override {
    return real_.create_run(run, naming, random);
  }
  Result<model::RunRecord> run(std::string_view name) override { return real_.run(name); }
  Result<catalog::RunSummary> summary(std::string_view name) override { return real_.summary(name); }
  Result<std::vector<catalog::RunSummary>> runs(const catalog::RunFilter& filter) override {
    return real_.runs(filter);
  }
  Result<std::string> complete_run_name(std::string_view prefix) override { return real_.complete_run_name(prefix); }
  Result<std::string> newest_succeeded(std::string_view project, std::string_view workflow) override {
    return real_.newest_succeeded(project, workflow);
  }
  Result<catalog::EarlierRuns> earlier_runs(std::string_view project, std::string_view workflow) override {
    return real_.earlier_runs(project, workflow);
  }
  Status check_measurement(const catalog::Series& series) override { return real_.check_measurement(series); }
  Result<std::vector<catalog::Series>> metrics() override { return real_.metrics(); }
  Status import_run(const model::RunRecord& run, const Digest& record,
                    const std::optional<Digest>& instead_of) override {
    return real_.import_run(run, record, instead_of);
  }
  Status import_tag(const catalog::Tag& tag) override { return real_.import_tag(tag); }
  Status reopen(const model::RunRecord& run) override { return real_.reopen(run); }
  Status remove_run(std::string_view name) override { return real_.remove_run(name); }
  Status set_tag(std::string_view name, std::string_view run, Time created, bool replace) override {
    return real_.set_tag(name, run, created, replace);
  }
  Result<catalog::Tag> tag(std::string_view name) override { return real_.tag(name); }
  Result<std::vector<catalog::Tag>> tags() override { return real_.tags(); }
  Status remove_tag(std::string_view name) override { return real_.remove_tag(name); }
  Status set_key(const catalog::Key& key) override { return real_.set_key(key); }
  Result<catalog::Key> key(std::string_view key) override { return real_.key(key); }
  Result<std::vector<catalog::Key>> keys(std::string_view prefix) override { return real_.keys(prefix); }
  Status remove_key(std::string_view key, const std::optional<Digest>& tree) override {
    return real_.remove_key(key, tree);
  }
  Status mark_run(std::string_view run, const model::Marks& marks) override { return real_.mark_run(run, marks); }
  Result<model::Marks> marks(std::string_view run) override { return real_.marks(run); }
  Status add_owned(std::string_view run, const catalog::Owned& owned) override { return real_.add_owned(run, owned); }
  Result<std::vector<catalog::Owned>> owned(std::string_view run) override { return real_.owned(run); }
  Result<std::vector<std::string>> owners(const catalog::Owned& owned) override { return real_.owners(owned); }
  Status disown(const catalog::Owned& owned) override { return real_.disown(owned); }
  Status check() override { return real_.check(); }
  Status add_request(std::string_view run, const catalog::Request& request) override {
    return real_.add_request(run, request);
  }
  Result<std::vector<catalog::Request>> requests(std::string_view run) override { return real_.requests(run); }
  Result<catalog::LockAnswer> acquire(const catalog::LockSeeker& seeker, std::span<const catalog::LockWish> wishes,
                                      const std::function<bool(std::string_view)>& is_lost) override {
    return real_.acquire(seeker, wishes, is_lost);
  }
  Status release(std::string_view run, std::string_view node) override { return real_.release(run, node); }
  Status remember(std::string_view cache, std::string_view key, const catalog::Memo& memo) override {
    return real_.remember(cache, key, memo);
  }
  Result<catalog::Memo> recall(std::string_view cache, std::string_view key) override {
    return real_.recall(cache, key);
  }
  Status forget(std::string_view cache, std::string_view key) override { return real_.forget(cache, key); }
  Result<catalog::Work> find_work(std::string_view fingerprint, Time before) override {
    return real_.find_work(fingerprint, before);
  }
  Status memos(const std::function<Status(std::string_view, std::string_view, const catalog::Memo&)>& each) override {
    return real_.memos(each);
  }

 private:
  catalog::Catalog& real_;
};

class Durability : public Ownership {
 protected:
  Counting counting{*catalog};
  Engine counted{Parts{home, counting, store, dialects, [] { return now(); }, [](std::uint32_t) { return 0U; }}};
};

TEST_F(Durability, StateIsWrittenInGroupsAndShownWhenItIsWritten) {
  std::vector<model::Step> steps;
  for (int i = 0; i < 200; ++i) steps.push_back(step(fmt::format("s{}", i), "ok"));
  define("main", graph(steps));
  int shown_early = 0;
  watcher.on_node = [&](const model::NodeRecord& node) {
    auto run = catalog->run("wf").value();
    if (status(run, node.names.name) != model::to_string(node.state)) ++shown_early;
    watcher.on_node = nullptr;  // reading every run after every node takes long
  };
  ASSERT_EQ(counted.own(submit(), place, watcher).value(), State::succeeded);
  EXPECT_EQ(shown_early, 0);
  EXPECT_LT(counting.commits, 100);  // of about 600 changes
  EXPECT_LT(counting.commits, counting.nodes);
}

TEST_F(Durability, ARunHasEndedOnlyWhenItsRecordIsKept) {
  define("main", sequence({{step("a", "ok")}}));
  store.full = true;
  std::string name = submit();
  auto state = counted.own(name, place, watcher);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().kind, ErrorKind::no_space);
  EXPECT_THAT(watcher.states, Not(Contains(State::succeeded)));
  EXPECT_EQ(current_record(parts(), name)->state, State::interrupted);

  store.full = false;
  EXPECT_EQ(counted.own(name, place, watcher).value(), State::succeeded);
  EXPECT_EQ(place.began().size(), 1U);
  auto record = catalog->summary(name)->record;
  EXPECT_EQ(store.reference("runs/wf").value(), *record);
  EXPECT_TRUE(store.object(*record)->contains("wf[0].a"));
}

TEST_F(Durability, AFullDiskStopsTheTasksAndLeavesTheRunInterrupted) {
  define("main", graph({step("a", "wait"), step("b", "wait")}));
  std::string name = submit();
  std::jthread filling([&] {
    place.wait_until_running("wf.a");
    place.wait_until_running("wf.b");
    counting.full = true;
    request(name, catalog::Request::Kind::stop);  // makes the engine write
  });
  auto state = counted.own(name, place, watcher);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().text, "no space left for the catalog");
  EXPECT_EQ(current_record(parts(), name)->state, State::interrupted);
}

TEST_F(Durability, ATaskThatKistCouldNotGoOnWithIsRepeated) {
  define("full", task({"full"}));
  define("main", graph({step("a", "full"), step("b", "wait")}));
  auto state = engine.own(submit(), place, watcher);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().kind, ErrorKind::no_space);
  EXPECT_EQ(status(current_record(parts(), "wf").value(), "wf.a"), "interrupted");
}

}  // namespace
}  // namespace kist::engine::testing
