#include <fstream>
#include <limits>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.hpp"
#include "catalog/catalog.hpp"

namespace kist::catalog {
namespace {

using model::NodeRecord;
using model::RunNaming;
using model::RunRecord;
using model::State;
using testing::ElementsAre;

constexpr RunNaming::Kind kCounted = RunNaming::Kind::counted;
constexpr RunNaming::Kind kGiven = RunNaming::Kind::given;

std::uint32_t first(std::uint32_t) {
  return 0;
}

class CatalogTest : public testing::Test {
 protected:
  Result<std::string> create(RunNaming naming, std::string workflow = "w", std::optional<std::string> tag = {}) {
    RunRecord run;
    run.workflow = std::move(workflow);
    run.project = "/p";
    run.created = now();
    run.request.tag = std::move(tag);
    return catalog->create_run(run, naming, first);
  }
  std::string created(std::string name, std::string workflow = "w") {
    return create({kGiven, std::move(name)}, std::move(workflow)).value();
  }
  void finish(const std::string& run, State state, Digest record) {
    Changes changes{.run = run, .state = state, .record = record};
    ASSERT_TRUE(catalog->apply(std::span(&changes, 1)));
  }

  ScratchDirectory scratch = ScratchDirectory::make("/tmp", "kist-catalog-").value();
  Home home = Home::open(scratch.path()).value();
  std::unique_ptr<Catalog> catalog = Catalog::open(home).value();
};

NodeRecord node(std::string name, State state) {
  NodeRecord record;
  record.names.name = std::move(name);
  record.state = state;
  return record;
}

TEST_F(CatalogTest, KnowsWhatBecameOfARecurringWorkflowAlsoOfRunsThatAreGone) {
  int at = 0;
  const auto add = [&](std::string name, State state) {
    RunRecord run;
    run.workflow = "cron";
    run.project = "/p";
    run.created = Time(std::chrono::seconds(++at));
    run.history = model::History{.succeeded = 3, .failed = std::nullopt};
    ASSERT_TRUE(catalog->create_run(run, {kGiven, name}, first));
    Changes changes{.run = name, .state = state};
    ASSERT_TRUE(catalog->apply(std::span(&changes, 1)));
  };
  EXPECT_FALSE(catalog->earlier_runs("/p", "cron")->last);
  add("a", State::succeeded);
  add("b", State::error);
  add("c", State::succeeded);
  created("d", "cron");  // of another kind
  EXPECT_EQ(catalog->summary("a")->history->succeeded, 3u);
  EXPECT_FALSE(catalog->summary("a")->history->failed);
  EXPECT_FALSE(catalog->summary("d")->history);
  for (const char* gone : {"b", "c"}) ASSERT_TRUE(catalog->remove_run(gone));
  add("e", State::running);
  const EarlierRuns earlier = catalog->earlier_runs("/p", "cron").value();
  EXPECT_EQ(earlier.succeeded, 2u);
  EXPECT_EQ(earlier.failed, 1u);
  EXPECT_EQ(earlier.last, Time(std::chrono::seconds(4)));
  EXPECT_THAT(earlier.under_way, ElementsAre("e"));
  for (const char* gone : {"a", "e"}) ASSERT_TRUE(catalog->remove_run(gone));
  EXPECT_EQ(catalog->earlier_runs("/p", "cron")->last, Time(std::chrono::seconds(4)));
  EXPECT_EQ(catalog->earlier_runs("/q", "cron")->succeeded, 0u);
}

TEST_F(CatalogTest, AddsUpWhatIsMeasuredAndForgetsWhatHasNotChangedForLongest) {
  using model::Metric;
  const auto measure = [&](Series series, Metric::Operation operation = Metric::Operation::set) {
    Changes changes{.run = created("r" + std::to_string(catalog->runs({})->size()))};
    changes.measured.push_back({std::move(series), operation});
    ASSERT_TRUE(catalog->apply(std::span(&changes, 1)));
  };
  const auto find = [&](std::string_view name) {
    const auto all = catalog->metrics().value();
    for (const Series& one : all)
      if (one.name == name) return one;
    return Series{};
  };
  const auto counter = [](double value) {
    return Series{
        .name = "c", .help = "h", .kind = Metric::Kind::counter, .labels = {{"a", "x"}}, .value = value, .buckets = {}};
  };
  measure(counter(1));
  measure(counter(2.5));
  EXPECT_EQ(find("c").value, 3.5);
  EXPECT_THAT(find("c").labels, ElementsAre(testing::Pair("a", "x")));

  const auto gauge = [](double value) {
    return Series{.name = "g", .help = "h", .labels = {}, .value = value, .buckets = {}};
  };
  measure(gauge(5));
  measure(gauge(2), Metric::Operation::add);
  measure(gauge(4), Metric::Operation::subtract);
  EXPECT_EQ(find("g").value, 3);
  measure(gauge(std::numeric_limits<double>::infinity()));
  EXPECT_EQ(find("g").value, std::numeric_limits<double>::infinity());

  const auto histogram = [](double value) {
    return Series{.name = "h",
                  .help = "h",
                  .kind = Metric::Kind::histogram,
                  .labels = {},
                  .value = value,
                  .buckets = {{.bound = 1, .count = 0}, {.bound = 2, .count = 0}}};
  };
  for (const double value : {1.0, 1.5, 9.0}) measure(histogram(value));
  const Series known = find("h");
  EXPECT_EQ(known.count, 3u);
  EXPECT_EQ(known.value, 11.5);
  EXPECT_EQ(known.buckets.at(0).count, 1u);
  EXPECT_EQ(known.buckets.at(1).count, 2u);

  // One name has one kind and one help.
  Series other = gauge(7);
  other.name = "c";
  EXPECT_EQ(catalog->check_measurement(other).error().kind, ErrorKind::conflict);
  measure(other);
  EXPECT_EQ(find("c").value, 3.5);

  Changes many{.run = created("many")};
  for (std::size_t i = 0; i + 2 < Catalog::kMostSeries; ++i) {
    Series one = gauge(1);
    one.name = "m" + std::to_string(i);
    many.measured.push_back({std::move(one), {}});
  }
  measure(gauge(1));
  ASSERT_TRUE(catalog->apply(std::span(&many, 1)));
  EXPECT_EQ(catalog->metrics()->size(), Catalog::kMostSeries);
  EXPECT_EQ(find("c").name, "");  // the one that has not changed for longest
  EXPECT_EQ(find("g").name, "g");
}

TEST_F(CatalogTest, CountsEachPairOfWordsFromOne) {
  std::string name = create({kCounted, {}}).value();
  EXPECT_TRUE(name.ends_with("-1")) << name;
  std::string stem = name.substr(0, name.size() - 1);
  created(stem + "2");  // taken by hand
  EXPECT_EQ(create({kCounted, {}}).value(), stem + "3");
  ASSERT_TRUE(catalog->remove_run(stem + "3"));
  EXPECT_EQ(create({kCounted, {}}).value(), stem + "4");
}

TEST_F(CatalogTest, GivesNamesByTheirKind) {
  std::string name = create({RunNaming::Kind::random, "wf-"}).value();
  EXPECT_EQ(name.size(), 8U);
  EXPECT_TRUE(name.starts_with("wf-"));
  EXPECT_EQ(created("mine"), "mine");
  EXPECT_EQ(create({kGiven, "mine"}).error().kind, ErrorKind::conflict);
  for (const char* bad : {"", "a/b", "..", ":a", "-a", "a\nb"})
    EXPECT_EQ(create({kGiven, bad}).error().kind, ErrorKind::invalid) << bad;
}

TEST_F(CatalogTest, TakesInARunFromItsRecord) {
  std::string name = created("elsewhere");
  RunRecord run = catalog->run(name).value();
  run.state = model::State::succeeded;
  run.message = "done";
  model::NodeRecord node;
  node.names.name = "elsewhere";
  node.state = model::State::succeeded;
  run.nodes = {node};
  Digest record = sha256("a record");
  EXPECT_TRUE(catalog->import_run(run, record)) << "this very run is here already";
  ASSERT_TRUE(catalog->remove_run(name));
  ASSERT_TRUE(catalog->import_run(run, record));
  EXPECT_EQ(to_text(to_json(catalog->run(name).value())), to_text(to_json(run)));
  EXPECT_EQ(catalog->summary(name)->record, record);
  ASSERT_TRUE(catalog->import_tag({.name = "t", .run = name, .record = record, .created = now()}));
  ASSERT_TRUE(catalog->import_tag({.name = "u", .run = "gone", .record = record, .created = now()}));
  EXPECT_EQ(catalog->summary(name)->tags, std::vector<std::string>{"t"});
  EXPECT_EQ(catalog->tag("u")->record, record);
  run.id = "another";
  EXPECT_EQ(catalog->import_run(run, record).error().kind, ErrorKind::conflict);
}

TEST_F(CatalogTest, RemembersARunAsItWasWritten) {
  RunRecord run;
  run.id = "id";
  run.workflow = "train";
  run.dialect = "dstack";
  run.project = "/p";
  run.user = "me";
  run.created = Time(std::chrono::nanoseconds(1));
  run.request.files = {{"f.yaml", "text: \"1\"\n"}};
  model::ArtifactRecord artifact;
  artifact.name = "out";
  artifact.tree = sha256("t");
  artifact.times = sha256("m");
  run.used_runs = {{model::RunArtifacts::By::tag, "data", "other-1", {artifact}}};
  std::string name = catalog->create_run(run, {kGiven, "r"}, first).value();

  Changes changes{.run = name, .state = State::running, .message = "m", .started = Time(std::chrono::nanoseconds(2))};
  changes.nodes = {node("b", State::running), node("a", State::pending)};
  changes.nodes[0].output_artifacts = {artifact};
  ASSERT_TRUE(catalog->apply(std::span(&changes, 1)));
  Changes later{.run = name, .logs = artifact, .nodes = {node("c", State::pending), node("b", State::failed)}};
  ASSERT_TRUE(catalog->apply(std::span(&later, 1)));

  RunRecord read = Catalog::open(home).value()->run(name).value();
  EXPECT_EQ(read.id, "id");
  EXPECT_EQ(read.user, "me");
  EXPECT_EQ(read.dialect, "dstack");
  EXPECT_EQ(read.state, State::running);
  EXPECT_EQ(read.message, "m");
  EXPECT_EQ(read.created, run.created);
  EXPECT_EQ(read.started, *changes.started);
  EXPECT_EQ(read.request.files.at(0).text, "text: \"1\"\n");
  ASSERT_EQ(read.used_runs.size(), 1U);
  EXPECT_EQ(read.used_runs[0].by, model::RunArtifacts::By::tag);
  EXPECT_EQ(read.used_runs[0].artifacts.at(0).tree, artifact.tree);
  EXPECT_EQ(read.logs->times, artifact.times);
  ASSERT_EQ(read.nodes.size(), 3U);  // in the order they came to be
  EXPECT_EQ(read.nodes[0].names.name, "b");
  EXPECT_EQ(read.nodes[0].state, State::failed);
  EXPECT_EQ(read.nodes[1].names.name, "a");
  EXPECT_EQ(read.nodes[2].names.name, "c");
}

TEST_F(CatalogTest, ChangesAreWrittenTogetherOrNotAtAll) {
  std::string run = created("r");
  std::vector<Changes> changes{{.run = run, .state = State::running}, {.run = "missing", .state = State::running}};
  EXPECT_EQ(catalog->apply(changes).error().kind, ErrorKind::not_found);
  EXPECT_EQ(catalog->summary(run)->state, State::pending);
}

TEST_F(CatalogTest, ListsNewestFirst) {
  created("a", "one");
  created("c", "two");
  created("b", "one");
  finish("c", State::failed, sha256("c"));
  auto names = [&](const RunFilter& filter) {
    std::vector<std::string> result;
    std::vector<RunSummary> summaries = catalog->runs(filter).value();
    for (const RunSummary& summary : summaries) result.push_back(summary.name);
    return result;
  };
  EXPECT_THAT(names({}), ElementsAre("b", "c", "a"));
  EXPECT_THAT(names({.project = "/p", .workflow = "one"}), ElementsAre("b", "a"));
  EXPECT_THAT(names({.unfinished_only = true, .limit = 1}), ElementsAre("b"));
  EXPECT_THAT(names({.project = "/other"}), ElementsAre());
}

TEST_F(CatalogTest, CompletesAPrefixOfOneRunOnly) {
  for (const char* name : {"zebra-1", "zebra-10", "yak-1"}) created(name);
  EXPECT_EQ(catalog->complete_run_name("zebra-1").value(), "zebra-1");
  EXPECT_EQ(catalog->complete_run_name("y").value(), "yak-1");
  EXPECT_EQ(catalog->complete_run_name("ze").error().kind, ErrorKind::invalid);
  EXPECT_TRUE(catalog->complete_run_name("ze").error().text.contains("zebra-1, zebra-10"));
  EXPECT_EQ(catalog->complete_run_name("zebra-2").error().kind, ErrorKind::not_found);
  EXPECT_EQ(catalog->complete_run_name("zz").error().kind, ErrorKind::not_found);
}

TEST_F(CatalogTest, FindsTheNewestSucceededRun) {
  for (const char* name : {"a", "b", "c"}) created(name, "w");
  EXPECT_EQ(catalog->newest_succeeded("/p", "w").error().kind, ErrorKind::not_found);
  finish("a", State::succeeded, sha256("a"));
  finish("b", State::succeeded, sha256("b"));
  finish("c", State::failed, sha256("c"));
  EXPECT_EQ(catalog->newest_succeeded("/p", "w").value(), "b");
  ASSERT_TRUE(catalog->remove_run("b"));
  EXPECT_EQ(catalog->newest_succeeded("/p", "w").value(), "a");
}

TEST_F(CatalogTest, ARunFromElsewhereIsAsNewAsItWasThere) {
  created("here");
  const Time ended = now();
  Changes changes{.run = "here", .state = State::succeeded, .finished = ended, .record = sha256("here")};
  ASSERT_TRUE(catalog->apply(std::span(&changes, 1)));
  RunRecord run;
  run.workflow = "w";
  run.project = "/p";
  run.state = State::succeeded;
  for (auto [name, finished] :
       {std::pair("older", ended - std::chrono::hours(1)), std::pair("newer", ended + std::chrono::hours(1))}) {
    run.name = run.id = name;
    run.finished = finished;
    ASSERT_TRUE(catalog->import_run(run, sha256(name)));
    EXPECT_EQ(catalog->newest_succeeded("/p", "w").value(), run.name == "older" ? "here" : "newer");
  }
}

TEST_F(CatalogTest, ATagOutlivesItsRun) {
  create({kGiven, "r"}, "w", "early").value();
  EXPECT_FALSE(catalog->tag("early")->record);
  finish("r", State::succeeded, sha256("r"));
  EXPECT_EQ(catalog->tag("early")->record, sha256("r"));
  ASSERT_TRUE(catalog->set_tag("late", "r", now(), false));
  EXPECT_THAT(catalog->summary("r")->tags, ElementsAre("early", "late"));
  EXPECT_EQ(catalog->set_tag("late", "r", now(), false).error().kind, ErrorKind::conflict);
  EXPECT_EQ(catalog->set_tag("x", "missing", now(), false).error().kind, ErrorKind::not_found);

  ASSERT_TRUE(catalog->remove_run("r"));
  EXPECT_EQ(catalog->remove_run("r").error().kind, ErrorKind::not_found);
  EXPECT_EQ(catalog->run("r").error().kind, ErrorKind::not_found);
  EXPECT_EQ(catalog->tag("early")->record, sha256("r"));

  // Another run of the same name has nothing to do with the old tags.
  created("r");
  finish("r", State::succeeded, sha256("other"));
  EXPECT_THAT(catalog->summary("r")->tags, ElementsAre());
  EXPECT_EQ(catalog->tag("early")->record, sha256("r"));
  ASSERT_TRUE(catalog->set_tag("early", "r", now(), true));
  EXPECT_EQ(catalog->tag("early")->record, sha256("other"));
  EXPECT_EQ(catalog->tags()->front().name, "early");
  ASSERT_TRUE(catalog->remove_tag("early"));
  EXPECT_EQ(catalog->remove_tag("early").error().kind, ErrorKind::not_found);
}

TEST_F(CatalogTest, ATagGivenToANewRunIsMovedToIt) {
  create({kGiven, "a"}, "w", "t").value();
  finish("a", State::succeeded, sha256("a"));
  create({kGiven, "b"}, "w", "t").value();
  EXPECT_EQ(catalog->tag("t")->run, "b");
  EXPECT_FALSE(catalog->tag("t")->record);
  EXPECT_THAT(catalog->summary("a")->tags, ElementsAre());
}

TEST_F(CatalogTest, RequestsStayInOrderUntilTheyAreAnswered) {
  created("r");
  created("other");
  EXPECT_EQ(catalog->add_request("missing", {}).error().kind, ErrorKind::not_found);
  auto visitor = Catalog::open(home).value();
  ASSERT_TRUE(visitor->add_request("r", {Request::Kind::stop}));
  ASSERT_TRUE(visitor->add_request("r", {Request::Kind::abort}));
  EXPECT_TRUE(catalog->requests("other")->empty());
  auto there = catalog->requests("r").value();
  ASSERT_EQ(there.size(), 2U);
  EXPECT_EQ(there[0].kind, Request::Kind::stop);
  EXPECT_EQ(there[1].kind, Request::Kind::abort);
  Changes changes{.run = "r", .answered = {there[0].number}};
  ASSERT_TRUE(catalog->apply({&changes, 1}));
  there = catalog->requests("r").value();
  ASSERT_EQ(there.size(), 1U);
  EXPECT_EQ(there[0].kind, Request::Kind::abort);
}

TEST_F(CatalogTest, ReadsWhileAnotherThreadWrites) {
  std::string run = created("r");
  std::jthread writer([&](const std::stop_token& stop) {
    for (int i = 0; !stop.stop_requested(); ++i) {
      Changes changes{.run = run, .nodes = {node(fmt::format("n{}", i), State::running)}};
      ASSERT_TRUE(catalog->apply(std::span(&changes, 1)));
    }
  });
  std::size_t seen = 0;
  while (seen < 20) {
    std::size_t size = catalog->run(run)->nodes.size();
    ASSERT_GE(size, seen);
    seen = size;
  }
}

// Processes that begin at once make one database, and give every name once.
TEST(CatalogProcesses, ShareOneHome) {
  constexpr int kProcesses = 4;
  constexpr int kRuns = 10;
  auto scratch = ScratchDirectory::make("/tmp", "kist-catalog-").value();
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    pid_t child = ::fork();
    if (child == 0) {
      auto catalog = Catalog::open(Home::open(scratch.path()).value());
      bool good = catalog.has_value();
      for (int run = 0; good && run < kRuns; ++run) good = (*catalog)->create_run({}, {}, first).has_value();
      ::_exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  auto runs = Catalog::open(Home::open(scratch.path()).value()).value()->runs({}).value();
  std::set<std::string> names;
  for (const RunSummary& run : runs) names.insert(run.name);
  EXPECT_EQ(names.size(), std::size_t{kProcesses * kRuns});
  EXPECT_TRUE(std::ranges::any_of(names, [](const std::string& name) { return name.ends_with("-40"); }));
}

TEST(CatalogTrouble, RefusesANewerAndADamagedOne) {
  auto scratch = ScratchDirectory::make("/tmp", "kist-catalog-").value();
  Home home = Home::open(scratch.path()).value();
  ASSERT_TRUE(Catalog::open(home));
  std::string command =
      fmt::format("sqlite3 {} 'UPDATE schema_version SET version = 99' 2>/dev/null", home.catalog().string());
  if (std::system(command.c_str()) == 0) {
    auto newer = Catalog::open(home);
    ASSERT_FALSE(newer);
    EXPECT_EQ(newer.error().kind, ErrorKind::invalid);
    EXPECT_TRUE(newer.error().text.contains("newer kist")) << newer.error().text;
  }
  std::filesystem::remove(home.catalog().string() + "-wal");
  std::filesystem::remove(home.catalog().string() + "-shm");
  std::ofstream(home.catalog(), std::ios::trunc) << std::string(10'000, 'x');
  auto damaged = Catalog::open(home);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().kind, ErrorKind::corrupt);
}

// A small file system of its own. Needs root.
class SmallDisk {
 public:
  SmallDisk() { mounted_ = ::mount("none", scratch_.path().c_str(), "tmpfs", 0, "size=1m") == 0; }
  ~SmallDisk() {
    if (mounted_) ::umount2(scratch_.path().c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  const std::filesystem::path& path() const { return scratch_.path(); }
  bool make_read_only() { return ::mount("none", path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0; }
  void fill() {
    std::ofstream file(path() / "filler");
    std::string block(4096, 'x');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }

 private:
  ScratchDirectory scratch_ = ScratchDirectory::make("/tmp", "kist-disk-").value();
  bool mounted_ = false;
};

TEST(CatalogTrouble, AReadOnlyDiskCanBeListed) {
  SmallDisk disk;
  if (!disk.mounted()) GTEST_SKIP() << "mounting a tmpfs needs root";
  auto home = Home::open(disk.path() / "home").value();
  ASSERT_TRUE(Catalog::open(home).value()->create_run({}, {kGiven, "r"}, first));
  ASSERT_TRUE(disk.make_read_only());
  auto catalog = Catalog::open(Home::open(disk.path() / "home").value());
  ASSERT_TRUE(catalog) << catalog.error().text;
  EXPECT_EQ((*catalog)->runs({})->size(), 1U);
  auto refused = (*catalog)->create_run({}, {}, first);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::denied) << refused.error().text;
}

TEST(CatalogTrouble, AFullDiskSaysSoAndCanBeListed) {
  SmallDisk disk;
  if (!disk.mounted()) GTEST_SKIP() << "mounting a tmpfs needs root";
  auto home = Home::open(disk.path() / "home").value();
  auto catalog = Catalog::open(home).value();
  ASSERT_TRUE(catalog->create_run({}, {kGiven, "r"}, first));
  disk.fill();
  RunRecord large;
  large.request.files = {{"f", std::string(100'000, 'x')}};
  auto refused = catalog->create_run(large, {}, first);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::no_space) << refused.error().text;
  EXPECT_EQ(catalog->runs({})->size(), 1U);
  catalog.reset();
  auto again = Catalog::open(home);
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_EQ((*again)->runs({})->size(), 1U);
}

}  // namespace
}  // namespace kist::catalog
