// Attempts, and what ends a node from outside.
#include "engine/house.hpp"
#include "engine/retries.hpp"

namespace kist::engine::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

class Retries : public EngineTest {
 protected:
  Retries() { define("main", {}); }
};

TEST_F(Retries, EachAttemptIsANode) {
  define("main", graph({step("a", "flaky")}));
  define("flaky", with_retry(task({"fail-until", "2", "{{retries}}"}), "5"));
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::succeeded);
  EXPECT_EQ(node(run, "wf.a").kind, model::NodeKind::retry);
  EXPECT_EQ(status(run, "wf.a"), "succeeded");
  EXPECT_EQ(status(run, "wf.a(0)"), "failed: main: Error (exit code 3)");
  EXPECT_EQ(status(run, "wf.a(1)"), "failed: main: Error (exit code 3)");
  EXPECT_EQ(status(run, "wf.a(2)"), "succeeded");
  EXPECT_EQ(node(run, "wf.a(2)").parent, "wf.a");
  EXPECT_EQ(node(run, "wf.a(2)").index, 2);
}

TEST_F(Retries, TheLastOnesOutputsAreTheStepsOwn) {
  define("main", graph({step("a", "bad")}));
  define("bad", with_retry(task({"fail-until", "9", "{{retries}}"}), "1"));
  model::RunRecord run = this->run();
  EXPECT_EQ(status(run, "wf.a"), "failed: No more retries left");
  EXPECT_EQ(run.message, "child 'wf.a' failed");
  ASSERT_EQ(node(run, "wf.a").output_parameters.size(), 1U);
  EXPECT_EQ(node(run, "wf.a").output_parameters[0].value, "1");
  EXPECT_EQ(node(run, "wf.a").exit_code, 3);
}

TEST_F(Retries, OfAGroupRepeatAllOfIt) {
  define("main", with_retry(sequence({{step("a", "bad")}}), "1"));
  define("bad", task({"fail"}));
  model::RunRecord run = this->run();
  EXPECT_EQ(status(run, "wf"), "failed: No more retries left");
  EXPECT_EQ(status(run, "wf(0)"), "failed: child 'wf(0)[0].a' failed");
  EXPECT_EQ(status(run, "wf(1)[0].a"), "failed: main: Error (exit code 1)");
}

TEST_F(Retries, TextsKnowTheLastAttempt) {
  define("main", with_retry(task({"error", "{{retries}} {{lastRetry.status}} {{lastRetry.exitCode}}"}), "1"));
  dialect.workflow.definitions["main"].retry->policy = model::Retry::Policy::always;
  model::RunRecord run = this->run();
  EXPECT_EQ(status(run, "wf(0)"), "error: 0  0");
  EXPECT_EQ(status(run, "wf(1)"), "error: 1 <error> 0");
}

class NoNames : public expression::Scope {
  Result<std::optional<std::string>> find(std::string_view) const override { return std::nullopt; }
};

std::string decision(const RetryRule& rule, const LastAttempt& last, int attempts, Time first, Time now) {
  auto decided = decide(rule, last, attempts, first, now, NoNames());
  if (!decided) return "ERROR " + decided.error().text;
  if (const auto* no_more = std::get_if<NoMore>(&*decided)) return no_more->message;
  return fmt::format("again in {}", (std::get<Again>(*decided).when - now) / 1s);
}

TEST_F(Retries, RulesDecideInTheirOrder) {
  const Time start = Time(1000s);
  LastAttempt failed{.state = State::failed,
                     .word = "Failed",
                     .message = "bad",
                     .exit_code = 2,
                     .started = start,
                     .finished = start + 5s};
  const Time now = start + 5s;
  RetryRule rule;
  EXPECT_EQ(decision(rule, failed, 1000, start, now), "again in 0");
  rule.limit = 2;
  EXPECT_EQ(decision(rule, failed, 2, start, now), "again in 0");
  EXPECT_EQ(decision(rule, failed, 3, start, now), "No more retries left");
  rule.limit = 0;
  EXPECT_EQ(decision(rule, failed, 1, start, now), "No more retries left");
  rule.limit.reset();

  rule.policy = model::Retry::Policy::on_error;
  EXPECT_EQ(decision(rule, failed, 1, start, now), "bad");
  rule.policy = model::Retry::Policy::on_transient_error;
  EXPECT_EQ(decision(rule, failed, 1, start, now), "bad");
  failed.message = "dial tcp: connection refused";
  EXPECT_EQ(decision(rule, failed, 1, start, now), "again in 0");
  rule.policy = model::Retry::Policy::always;

  rule.backoff = 10s;
  rule.factor = 2;
  EXPECT_EQ(decision(rule, failed, 1, start, now), "again in 10");
  EXPECT_EQ(decision(rule, failed, 3, start, now), "again in 40");
  EXPECT_EQ(decision(rule, failed, 500, start, now), "again in 31536000");
  rule.cap = 30s;
  EXPECT_EQ(decision(rule, failed, 500, start, now), "again in 30");
  rule.max_duration = 20s;
  EXPECT_EQ(decision(rule, failed, 1, start, now), "again in 10");
  EXPECT_EQ(decision(rule, failed, 2, start, now), "Backoff would exceed max duration limit");
  EXPECT_EQ(decision(rule, failed, 1, start, start + 21s), "Max duration limit exceeded");

  RetryRule asking;
  asking.expression = "asInt(lastRetry.exitCode) > 1 && lastRetry.status == 'Failed' && lastRetry.duration == '5'";
  EXPECT_EQ(decision(asking, failed, 1, start, now), "again in 0");
  failed.exit_code = 1;
  EXPECT_EQ(decision(asking, failed, 1, start, now), "retryStrategy.expression evaluated to false");
  EXPECT_EQ(backoff_message(10s), "Backoff for 10 seconds");
  EXPECT_EQ(backoff_message(61s), "Backoff for 1 minute 1 second");
}

TEST_F(Retries, WaitWhileTheBackoffLasts) {
  define("main", with_retry(task({"fail-until", "1", "{{retries}}"}), "1"));
  dialect.workflow.definitions["main"].retry->backoff = text("50ms");
  std::vector<std::string> messages;
  watcher.on_node = [&](const model::NodeRecord& node) {
    if (node.kind == model::NodeKind::retry) messages.push_back(node.message);
  };
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_THAT(messages, ::testing::Contains("Backoff for 1 second"));
}

TEST_F(Retries, AStopEndsTheWaiting) {
  define("main", graph({step("a", "bad")}));
  define("bad", with_retry(task({"fail"}), "1"));
  dialect.workflow.definitions["bad"].retry->backoff = text("1h");
  watcher.on_node = [&](const model::NodeRecord& node) {
    if (!node.message.starts_with("Backoff")) return;
    ASSERT_TRUE(catalog::Catalog::open(home).value()->add_request("wf", {catalog::Request::Kind::stop}));
  };
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::stopped);
  EXPECT_EQ(status(run, "wf.a"), "stopped: was stopped");
}

class Limits : public EngineTest {
 protected:
  Limits() { define("main", {}); }
};

TEST_F(Limits, OfATask) {
  define("main", graph({step("a", "slow"), step("b", "ok", is("a", Dependency::Test::failed))}));
  define("ok", task({"succeed"}));
  define("slow", task({"wait"}));
  dialect.workflow.definitions["slow"].deadline = text("50ms");
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::succeeded);
  EXPECT_EQ(status(run, "wf.a"), "failed: Step exceeded its deadline");
}

TEST_F(Limits, OfEachAttemptAndOfAllOfThem) {
  model::Definition slow = with_retry(task({"wait"}), "1");
  slow.deadline = text("30ms");
  define("main", slow);
  model::RunRecord run = this->run();
  EXPECT_EQ(status(run, "wf(0)"), "failed: Step exceeded its deadline");
  EXPECT_EQ(status(run, "wf(1)"), "failed: Step exceeded its deadline");
  EXPECT_EQ(status(run, "wf"), "failed: No more retries left");

  slow.deadline.reset();
  slow.timeout = text("30ms");
  define("main", slow);
  dialect.workflow.naming.stem = "b";
  run = this->run();
  EXPECT_EQ(status(run, "b"), "failed: Step exceeded its deadline");
  EXPECT_EQ(status(run, "b(1)"), "none");
}

TEST_F(Limits, OfAGroupEndAllBelowIt) {
  define("main", graph({step("a", "inner"), step("c", "ok", is("a", Dependency::Test::failed))}));
  define("ok", task({"succeed"}));
  define("slow", task({"wait"}));
  model::Definition inner = sequence({{step("x", "slow")}, {step("y", "ok")}});
  inner.deadline = text("50ms");
  define("inner", inner);
  model::RunRecord run = this->run();
  EXPECT_EQ(status(run, "wf.a[0].x"), "failed: Step exceeded its deadline");
  EXPECT_EQ(status(run, "wf.a"), "failed: Step exceeded its deadline");
  EXPECT_EQ(status(run, "wf.a[1].y"), "none");
  EXPECT_EQ(status(run, "wf.c"), "succeeded");
}

TEST_F(Limits, OfTheRun) {
  define("main", graph({step("a", "slow"), step("b", "slow", is("a"))}));
  define("slow", task({"wait"}));
  dialect.workflow.deadline = text("50ms");
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::failed);
  EXPECT_EQ(run.message, "Step exceeded its deadline");
  EXPECT_EQ(status(run, "wf.b"), "none");
}

}  // namespace
}  // namespace kist::engine::testing
