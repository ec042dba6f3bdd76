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
  EXPECT_EQ(status(run, "wf.a"), "failed: not tried again: often enough");
  EXPECT_EQ(run.message, "child 'wf.a' failed");
  ASSERT_EQ(node(run, "wf.a").output_parameters.size(), 1U);
  EXPECT_EQ(node(run, "wf.a").output_parameters[0].value, "1");
  EXPECT_EQ(node(run, "wf.a").exit_code, 3);
}

TEST_F(Retries, OfAGroupRepeatAllOfIt) {
  define("main", with_retry(sequence({{step("a", "bad")}}), "1"));
  define("bad", task({"fail"}));
  model::RunRecord run = this->run();
  EXPECT_EQ(status(run, "wf"), "failed: not tried again: often enough");
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
  if (const auto* no_more = std::get_if<NoMore>(&*decided))
    return no_more->why ? SmallWording().not_retried(*no_more->why) : "its own message";
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
  EXPECT_EQ(decision(rule, failed, 3, start, now), "not tried again: often enough");
  rule.limit = 0;
  EXPECT_EQ(decision(rule, failed, 1, start, now), "not tried again: often enough");
  rule.limit.reset();

  rule.policy = model::Retry::Policy::on_error;
  EXPECT_EQ(decision(rule, failed, 1, start, now), "its own message");
  rule.policy = model::Retry::Policy::on_transient_error;
  EXPECT_EQ(decision(rule, failed, 1, start, now), "its own message");
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
  EXPECT_EQ(decision(rule, failed, 2, start, now), "not tried again: it would be too late");
  EXPECT_EQ(decision(rule, failed, 1, start, start + 21s), "not tried again: for long enough");

  RetryRule asking;
  asking.expression = expression::Text::of_expression(
      "asInt(lastRetry.exitCode) > 1 && lastRetry.status == 'Failed' && lastRetry.duration == '5'");
  EXPECT_EQ(decision(asking, failed, 1, start, now), "again in 0");
  failed.exit_code = 1;
  EXPECT_EQ(decision(asking, failed, 1, start, now), "not tried again: its condition is false");

  // What never comes.
  asking = {};
  asking.backoff = asking.cap = asking.max_duration = std::chrono::nanoseconds::max();
  auto never = decide(asking, failed, 3, start, now, NoNames());
  EXPECT_EQ(std::get<Again>(never.value()).when, Time::max());
}

TEST_F(Retries, WaitWhileTheBackoffLasts) {
  define("main", with_retry(task({"fail-until", "1", "{{retries}}"}), "1"));
  dialect.workflow.definitions["main"].retry->backoff = text("1s");
  std::vector<std::string> messages;
  watcher.on_node = [&](const model::NodeRecord& node) {
    if (node.kind == model::NodeKind::retry) messages.push_back(node.message);
  };
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_THAT(messages, ::testing::Contains(::testing::HasSubstr("before it is tried again")));
}

TEST_F(Retries, AStopEndsTheWaiting) {
  define("main", graph({step("a", "bad")}));
  define("bad", with_retry(task({"fail"}), "1"));
  dialect.workflow.definitions["bad"].retry->backoff = text("1h");
  watcher.on_node = [&](const model::NodeRecord& node) {
    if (!node.message.contains("tried again")) return;
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
  EXPECT_EQ(status(run, "wf.a"), "failed: its time is over");
}

TEST_F(Limits, OfEachAttemptAndOfAllOfThem) {
  model::Definition slow = with_retry(task({"wait"}), "1");
  slow.deadline = text("30ms");
  define("main", slow);
  model::RunRecord run = this->run();
  EXPECT_EQ(status(run, "wf(0)"), "failed: its time is over");
  EXPECT_EQ(status(run, "wf(1)"), "failed: its time is over");
  EXPECT_EQ(status(run, "wf"), "failed: not tried again: often enough");

  slow.deadline.reset();
  slow.timeout = text("30ms");
  define("main", slow);
  dialect.workflow.naming.stem = "b";
  run = this->run();
  EXPECT_EQ(status(run, "b"), "failed: its time is over");
  EXPECT_EQ(status(run, "b(1)"), "none");
}

// Only an attempt that another one came before: the first is as long as it likes.
TEST_F(Limits, OfAllAttemptsTogetherEndTheLast) {
  define("main", with_retry(task({"{{=retries == '0' ? 'fail' : 'wait'}}"}), "5"));
  dialect.workflow.definitions["main"].retry->max_duration = text("80ms");
  model::RunRecord run = this->run();
  EXPECT_EQ(status(run, "wf(0)"), "failed: main: Error (exit code 1)");
  EXPECT_EQ(status(run, "wf(1)"), "failed: its time is over");
  EXPECT_EQ(status(run, "wf"), "failed: not tried again: for long enough");
}

// Each attempt may wait so long for its turn; what has begun is not concerned.
TEST_F(Limits, OfWaiting) {
  define("main", graph({step("a", "held"), step("b", "late"), step("c", "ok", is("b", Dependency::Test::failed))}));
  define("held", task({"hold"}));
  define("ok", task({"succeed"}));
  define("late", with_retry(task({"succeed"}), "1"));
  dialect.workflow.definitions["held"].pending_timeout = text("20s");
  dialect.workflow.definitions["late"].pending_timeout = text("50ms");
  dialect.workflow.parallelism = text("1");
  watcher.on_node = [&](const model::NodeRecord& node) {
    if (node.names.name == "wf.b" && model::is_final(node.state)) place.release();
  };
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::succeeded);
  EXPECT_EQ(status(run, "wf.a"), "succeeded");
  EXPECT_EQ(status(run, "wf.b(0)"), "failed: it has waited too long to begin");
  EXPECT_EQ(status(run, "wf.b(1)"), "failed: it has waited too long to begin");
  EXPECT_EQ(status(run, "wf.b"), "failed: not tried again: often enough");
}

TEST_F(Limits, OfAGroupEndAllBelowIt) {
  define("main", graph({step("a", "inner"), step("c", "ok", is("a", Dependency::Test::failed))}));
  define("ok", task({"succeed"}));
  define("slow", task({"wait"}));
  model::Definition inner = sequence({{step("x", "slow")}, {step("y", "ok")}});
  inner.deadline = text("50ms");
  define("inner", inner);
  model::RunRecord run = this->run();
  EXPECT_EQ(status(run, "wf.a[0].x"), "failed: its time is over");
  EXPECT_EQ(status(run, "wf.a"), "failed: its time is over");
  EXPECT_EQ(status(run, "wf.a[1].y"), "none");
  EXPECT_EQ(status(run, "wf.c"), "succeeded");
}

// Of a member that has ended the hook goes on, and ends with the group.
TEST_F(Limits, OfAGroupEndHooksOfItsMembersToo) {
  model::Step x = step("x", "ok");
  model::Hook hook;
  hook.name = "exit";
  hook.call.definition = "slow";
  x.hooks = {hook};
  define("main", graph({step("a", "inner"), step("b", "also-slow")}));
  define("ok", task({"succeed"}));
  define("slow", task({"wait"}));
  define("also-slow", task({"wait"}));
  dialect.workflow.definitions["also-slow"].deadline = text("300ms");
  model::Definition inner = graph({x});
  inner.deadline = text("50ms");
  define("inner", inner);
  model::RunRecord run = this->run();
  EXPECT_EQ(status(run, "wf.a"), "failed: its time is over");
  EXPECT_EQ(node(run, "wf.a.x@exit").state, State::failed);
  // What is beside it went on until its own limit.
  EXPECT_GE(node(run, "wf.b").finished, node(run, "wf.a").finished);
}

TEST_F(Limits, BeyondTheEndOfTimeNeverCome) {
  define("main", graph({step("a", "quick"), step("b", "pause", is("a"))}));
  model::Definition quick = task({"succeed"});
  quick.deadline = text("9999999999");
  quick.timeout = text("2562047h");
  define("quick", quick);
  model::Gate gate;
  gate.duration = text("9999999999");
  model::Definition pause;
  pause.body = gate;
  define("pause", pause);
  dialect.workflow.deadline = text("9999999999");
  watcher.on_node = [&](const model::NodeRecord& node) {
    if (node.step != "b" || node.state != State::running) return;
    EXPECT_TRUE(catalog::Catalog::open(home).value()->add_request("wf", {catalog::Request::Kind::stop}));
  };
  model::RunRecord run = this->run();
  EXPECT_EQ(status(run, "wf.a"), "succeeded");
  EXPECT_EQ(status(run, "wf.b"), "stopped: was stopped");
}

TEST_F(Limits, OfTheRun) {
  define("main", graph({step("a", "slow"), step("b", "slow", is("a"))}));
  define("slow", task({"wait"}));
  dialect.workflow.deadline = text("50ms");
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::failed);
  EXPECT_EQ(run.message, "its time is over");
  EXPECT_EQ(status(run, "wf.b"), "none");
}

}  // namespace
}  // namespace kist::engine::testing
