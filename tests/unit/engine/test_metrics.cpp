// What nodes and runs leave behind for who watches many of them.
#include "engine/exposition.hpp"
#include "engine/house.hpp"

namespace kist::engine::testing {
namespace {

using catalog::Series;
using model::Metric;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MetricsTest : public EngineTest {
 protected:
  static Metric metric(std::string_view name, Metric::Kind kind, std::string_view value) {
    Metric made;
    made.name = text(name);
    made.help = text("what it counts");
    made.kind = kind;
    made.value = text(value);
    return made;
  }
  // "name{label=value,…} value" of each.
  std::vector<std::string> series() {
    std::vector<std::string> all;
    const auto kept = catalog->metrics().value();
    for (const Series& one : kept) {
      std::string labels;
      for (const auto& [name, value] : one.labels) labels += (labels.empty() ? "" : ",") + name + "=" + value;
      all.push_back(fmt::format("{}{{{}}} {}", one.name, labels, one.value));
    }
    return all;
  }
  // Runs it under a name of its own.
  State run_again(const std::string& name) {
    dialect.workflow.naming.stem = name;
    return run().state;
  }
};

TEST_F(MetricsTest, ANodeSaysHowItWentAndCountersAddUpOverRuns) {
  model::Definition failing = task({"fail"});
  failing.metrics = {metric("ended", Metric::Kind::counter, "1"), metric("code", Metric::Kind::gauge, "{{exitCode}}")};
  failing.metrics[0].labels = {{"status", text("{{status}}")}, {"of", text("{{workflow.name}}")}};
  failing.metrics[1].condition = text("{{status}} == Succeeded");
  define("failing", failing);
  EXPECT_EQ(run_again("a"), State::failed);
  EXPECT_THAT(series(), ElementsAre("ended{of=a,status=<failed>} 1"));
  dialect.workflow.definitions["failing"].metrics[0].labels.pop_back();
  dialect.workflow.definitions["failing"].metrics[1].condition.reset();
  EXPECT_EQ(run_again("b"), State::failed);
  EXPECT_EQ(run_again("c"), State::failed);
  EXPECT_THAT(series(), ElementsAre("code{} 1", "ended{of=a,status=<failed>} 1", "ended{status=<failed>} 2"));
}

TEST_F(MetricsTest, AttemptsCountOnceEachAndTheRunKnowsItsStatus) {
  model::Definition failing = with_retry(task({"fail"}), "2");
  failing.metrics = {metric("tries", Metric::Kind::counter, "1")};
  define("failing", failing);
  dialect.workflow.metrics = {metric("runs", Metric::Kind::counter, "1")};
  dialect.workflow.metrics[0].labels = {{"status", text("{{workflow.status}}")}};
  std::vector<std::string> ends;
  watcher.on_node = [&](const model::NodeRecord& record) {
    if (model::is_final(record.state)) ends.push_back(record.names.name);
  };
  EXPECT_EQ(run_again("a"), State::failed);
  EXPECT_THAT(series(), ElementsAre("runs{status=<failed>} 1", "tries{} 3"));
  EXPECT_THAT(ends, ElementsAre("a(0)", "a(1)", "a(2)", "a"));  // each is told once
}

TEST_F(MetricsTest, WhatWasCountedUnderAnEarlierOwnerIsNotCountedAgain) {
  model::Definition broken = with_retry(task({"{{=retries == '0' ? 'fail' : 'full'}}"}), "2");
  broken.metrics = {metric("tries", Metric::Kind::counter, "1")};
  define("broken", broken);
  const std::string name = submit();
  EXPECT_EQ(engine.own(name, place, watcher).error().kind, ErrorKind::no_space);
  EXPECT_THAT(series(), ElementsAre("tries{} 1"));
  dialect.workflow.definitions["broken"].body = task({"succeed"}).body;
  EXPECT_EQ(engine.own(name, place, watcher).value(), State::succeeded);
  EXPECT_THAT(series(), ElementsAre("tries{} 2"));
}

TEST_F(MetricsTest, WhatCannotBeMeasuredIsToldOnceAndTheRunGoesOn) {
  model::Definition fine = with_retry(task({"{{=retries == '0' ? 'fail' : 'ok'}}"}), "2");
  fine.metrics = {
      metric("no-name", Metric::Kind::counter, "1"),   metric("value", Metric::Kind::counter, "{{nothing}}"),
      metric("twice", Metric::Kind::counter, "1"),     metric("live", Metric::Kind::gauge, "{{status}}"),
      metric("endless", Metric::Kind::counter, "NaN"), metric("bounds", Metric::Kind::histogram, "1")};
  fine.metrics[3].live = true;
  fine.metrics[5].labels = {{"le", text("5")}};
  define("fine", fine);
  dialect.workflow.metrics = {metric("twice", Metric::Kind::gauge, "1")};
  EXPECT_EQ(run_again("a"), State::succeeded);
  EXPECT_THAT(series(), ElementsAre("twice{} 2"));
  EXPECT_THAT(watcher.notices, Contains(HasSubstr("metric 'no-name': metric name is invalid")).Times(1));
  EXPECT_THAT(watcher.notices, Contains(HasSubstr("metric 'value': '{{nothing}}' is no number")));
  EXPECT_THAT(watcher.notices, Contains(HasSubstr("'status' is not available as a real time metric")));
  EXPECT_THAT(watcher.notices, Contains(HasSubstr("metric 'endless': 'NaN' cannot be added")));
  EXPECT_THAT(watcher.notices, Contains(HasSubstr("metric 'bounds': metric label 'le' is invalid")));
  EXPECT_THAT(watcher.notices, Contains(HasSubstr("metric 'twice': there is a counter of this name already")));
}

TEST_F(MetricsTest, OneThatGrowsIsThereWhileTheNodeGoesOn) {
  model::Definition slow = task({"hold"});
  slow.metrics = {metric("took", Metric::Kind::gauge, "{{duration}}")};
  slow.metrics[0].live = true;
  define("slow", slow);
  std::vector<std::string> meanwhile;
  watcher.on_node = [&](const model::NodeRecord& record) {
    if (record.state != State::running) return;
    const auto grown = current_metrics(home, *catalog, now() + std::chrono::hours(1)).value();
    for (const Series& one : grown)
      if (one.value >= 3600 && one.run == "a") meanwhile.push_back(one.name);
    place.release();
  };
  EXPECT_EQ(run_again("a"), State::succeeded);
  EXPECT_THAT(meanwhile, Contains("took"));
  const auto after = current_metrics(home, *catalog, now() + std::chrono::hours(1)).value();
  ASSERT_EQ(after.size(), 1u);
  EXPECT_LT(after[0].value, 3600);
}

TEST_F(MetricsTest, PrometheusReadsThem) {
  const std::vector<Series> all = {
      {.name = "a", .help = "back\\slash\nline", .labels = {{"l", "\"q\"\n\\"}}, .value = 1.5, .buckets = {}},
      {.name = "a", .help = "back\\slash\nline", .labels = {}, .value = -INFINITY, .buckets = {}},
      {.name = "h",
       .help = "h",
       .kind = Metric::Kind::histogram,
       .labels = {{"l", "x"}},
       .value = 4,
       .buckets = {{.bound = 0.5, .count = 1}},
       .count = 2}};
  EXPECT_EQ(prometheus_text(all), R"(# HELP a back\\slash\nline
# TYPE a gauge
a{l="\"q\"\n\\"} 1.5
a -Inf
# HELP h h
# TYPE h histogram
h_bucket{l="x",le="0.5"} 1
h_bucket{l="x",le="+Inf"} 2
h_sum{l="x"} 4
h_count{l="x"} 2
)");
}

}  // namespace
}  // namespace kist::engine::testing
