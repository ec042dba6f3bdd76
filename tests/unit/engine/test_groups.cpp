// What starts when, and how groups end.
#include "engine/house.hpp"

namespace kist::engine::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class Groups : public EngineTest {
 protected:
  Groups() {
    define("main", {});
    define("ok", task({"succeed"}));
    define("bad", task({"fail"}));
    define("broken", task({"error", "no such file"}));
  }
};

TEST_F(Groups, ATaskAloneIsAWorkflow) {
  define("main", task({"print", "hello"}));
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::succeeded);
  EXPECT_EQ(status(run, "wf"), "succeeded");
  EXPECT_EQ(node(run, "wf").result, "hello");
  EXPECT_EQ(node(run, "wf").exit_code, 0);
  EXPECT_THAT(watcher.lines, ElementsAre("wf: hello"));
  EXPECT_THAT(watcher.states, ElementsAre(State::running, State::succeeded));
}

TEST_F(Groups, StagesRunOneAfterTheOther) {
  define("main", sequence({{step("a", "ok"), step("b", "ok")}, {step("c", "ok")}, {step("d", "ok")}}));
  EXPECT_EQ(run().state, State::succeeded);
  auto began = place.began_nodes();
  ASSERT_EQ(began.size(), 4U);
  EXPECT_THAT(std::vector(began.begin(), began.begin() + 2), UnorderedElementsAre("wf[0].a", "wf[0].b"));
  EXPECT_EQ(began[2], "wf[1].c");
  EXPECT_EQ(began[3], "wf[2].d");
}

TEST_F(Groups, AStageFailsWhenAllOfItHasEnded) {
  define("main", sequence({{step("a", "bad"), step("b", "ok")}, {step("c", "ok")}}));
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::failed);
  EXPECT_EQ(run.message, "child 'wf[0].a' failed");
  EXPECT_EQ(status(run, "wf[0].a"), "failed: main: Error (exit code 1)");
  EXPECT_EQ(status(run, "wf[0].b"), "succeeded");
  EXPECT_EQ(status(run, "wf[1].c"), "none");
}

TEST_F(Groups, AToleratedFailureDoesNotFailItsStage) {
  model::Step failing = step("a", "bad");
  failing.tolerate_failed = true;
  model::Step erring = step("b", "broken");
  erring.tolerate_error = true;
  define("main", sequence({{failing, erring}, {step("c", "ok")}}));
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::succeeded);
  EXPECT_EQ(status(run, "wf[0].b"), "error: no such file");
  EXPECT_EQ(status(run, "wf[1].c"), "succeeded");

  erring.tolerate_error = false;
  erring.tolerate_failed = true;
  define("main", sequence({{erring}}));
  dialect.workflow.naming.stem = "again";
  EXPECT_EQ(this->run().state, State::failed);
}

TEST_F(Groups, AGraphWaitsForWhatItDependsOn) {
  define("main", graph({step("d", "ok", all({is("b"), is("c")})), step("b", "ok", is("a")), step("c", "ok", is("a")),
                        step("a", "ok")}));
  EXPECT_EQ(run().state, State::succeeded);
  auto began = place.began_nodes();
  ASSERT_EQ(began.size(), 4U);
  EXPECT_EQ(began.front(), "wf.a");
  EXPECT_EQ(began.back(), "wf.d");
}

TEST_F(Groups, AFailureTravelsDownToTheTargets) {
  define("main", graph({step("a", "bad"), step("b", "ok", is("a")), step("c", "ok", is("b"))}));
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::failed);
  EXPECT_EQ(run.message, "child 'wf.a' failed");
  EXPECT_EQ(status(run, "wf.b"), "omitted: omitted");
  EXPECT_EQ(status(run, "wf.c"), "omitted: omitted");

  define("main", graph({step("a", "broken"), step("b", "ok", is("a"))}));
  dialect.workflow.naming.stem = "again";
  EXPECT_EQ(this->run().state, State::error);
}

TEST_F(Groups, AFailureThatAStepHandlesEndsNothing) {
  define("main", graph({step("a", "bad"), step("b", "ok", is("a", Dependency::Test::failed)),
                        step("c", "ok", any({is("a"), is("b")}))}));
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::succeeded);
  EXPECT_EQ(status(run, "wf.c"), "succeeded");
}

TEST_F(Groups, AToleratedFailureDoesNotFailItsGraph) {
  model::Step failing = step("a", "bad");
  failing.tolerate_failed = true;
  define("main", graph({failing}));
  EXPECT_EQ(run().state, State::succeeded);
}

// Whatever a task is said to tolerate: where it did not run, what it waited for counts.
TEST_F(Groups, ASkippedTargetHandsOnAFailureThatWasTolerated) {
  model::Step failing = step("a", "bad");
  failing.tolerate_failed = true;
  model::Step skipped = step("b", "ok", any({is("a"), is("a", Dependency::Test::failed)}));
  skipped.condition = text("1 == 2");
  define("main", graph({failing, skipped}));
  EXPECT_EQ(run().message, "child 'wf.a' failed");

  skipped.tolerate_failed = true;
  dialect.workflow.naming.stem = "again";
  define("main", graph({failing, skipped}));
  EXPECT_EQ(run().state, State::succeeded);
}

TEST_F(Groups, WhatDoesNotHangOnAFailureRuns) {
  define("main", graph({step("a", "bad"), step("b", "ok"), step("c", "ok", is("b"))}));
  group_of(dialect.workflow.definitions["main"]).parallelism = text("1");
  model::RunRecord run = this->run();
  EXPECT_EQ(run.message, "child 'wf.a' failed");
  EXPECT_EQ(status(run, "wf.c"), "succeeded");
}

TEST_F(Groups, OfSeveralFailedTargetsOneDecides) {
  define("main", graph({step("a", "broken"), step("b", "bad")}));
  EXPECT_EQ(run().state, State::error);
  group_of(dialect.workflow.definitions["main"]).fail_fast = false;
  dialect.workflow.naming.stem = "again";
  EXPECT_EQ(run().state, State::failed);
}

TEST_F(Groups, ThatFailAtOnceStartNoFurtherStep) {
  define("main", sequence({{step("a", "ok"), step("b", "bad"), step("c", "ok"), step("d", "ok")}}));
  auto& group = group_of(dialect.workflow.definitions["main"]);
  group.parallelism = text("1");
  model::RunRecord run = this->run();
  EXPECT_EQ(run.message, "child 'wf[0].b' failed");
  EXPECT_EQ(status(run, "wf[0].d"), "succeeded");  // all of a stage runs where nothing else is said

  dialect.workflow.naming.stem = "again";
  group.fail_at_once = true;
  run = this->run();
  EXPECT_EQ(run.message, "child 'again[0].b' failed");
  EXPECT_EQ(status(run, "again[0].a"), "succeeded");
  EXPECT_EQ(status(run, "again[0].c"), "none");
}

TEST_F(Groups, ThatFailAtOnceStartNoFurtherItem) {
  model::Step items = step("a", "odd");
  items.loop = over({"0", "1", "0", "0"});
  items.call.arguments.parameters = {{"n", text("{{item}}")}};
  define("odd", task({"fail-until", "{{inputs.parameters.n}}", "0"}));
  dialect.workflow.definitions["odd"].parameters.push_back({.name = "n", .fallback = {}, .allowed = {}});
  define("main", sequence({{items, step("b", "ok")}}));
  auto& group = group_of(dialect.workflow.definitions["main"]);
  group.parallelism = text("1");
  group.fail_at_once = true;
  model::RunRecord run = this->run();
  EXPECT_EQ(run.message, "child 'wf[0].a(1:1)' failed");
  EXPECT_EQ(status(run, "wf[0].a(0:0)"), "succeeded");
  EXPECT_EQ(status(run, "wf[0].a(2:0)"), "none");
  EXPECT_EQ(status(run, "wf[0].a"), "failed: child 'wf[0].a(1:1)' failed");
}

TEST_F(Groups, OnlyWhatTargetsWaitForRuns) {
  define("main", graph({step("a", "ok"), step("b", "ok", is("a")), step("c", "ok"), step("d", "bad", is("a"))}));
  group_of(dialect.workflow.definitions["main"]).targets = {"b"};
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_THAT(place.began_nodes(), ElementsAre("wf.a", "wf.b"));
}

TEST_F(Groups, GraphsThatCannotRunSayWhy) {
  define("main",
         graph({step("a", "ok", is("c")), step("b", "ok", is("a")), step("c", "ok", is("b")), step("d", "ok")}));
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::error);
  EXPECT_EQ(run.message, "tasks dependency cycle detected: a->c->b->a");

  define("main", graph({step("a", "ok", is("x"))}));
  dialect.workflow.naming.stem = "again";
  EXPECT_EQ(this->run().message, "dependency 'x' is not defined");

  define("main", graph({step("a", "missing")}));
  dialect.workflow.naming.stem = "third";
  run = this->run();
  EXPECT_EQ(status(run, "third.a"), "error: there is no 'missing'");
  EXPECT_THAT(place.began(), IsEmpty());
}

TEST_F(Groups, AConditionThatIsFalseSkips) {
  model::Step skipped = step("a", "bad");
  skipped.condition = text("1 == 2");
  model::Step after = step("b", "ok", is("a", Dependency::Test::skipped));
  define("main", graph({skipped, after}));
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::succeeded);
  EXPECT_EQ(status(run, "wf.a"), "skipped: when '1 == 2' evaluated false");
  EXPECT_EQ(status(run, "wf.b"), "succeeded");

  skipped.condition = text("nonsense");
  define("main", sequence({{skipped}}));
  dialect.workflow.naming.stem = "again";
  EXPECT_TRUE(status(this->run(), "again[0].a").starts_with("error: Invalid 'when' expression 'nonsense'"));
}

TEST_F(Groups, AGroupInAGroupIsOneStepOfIt) {
  define("inner", sequence({{step("x", "bad")}}));
  define("main", graph({step("a", "inner"), step("b", "ok", is("a", Dependency::Test::failed))}));
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::succeeded);
  EXPECT_EQ(status(run, "wf.a"), "failed: child 'wf.a[0].x' failed");
  EXPECT_EQ(node(run, "wf.a[0].x").parent, "wf.a");
  EXPECT_EQ(node(run, "wf.a").kind, model::NodeKind::sequence);
}

TEST_F(Groups, GroupsWithoutStepsSucceed) {
  define("none", sequence({}));
  define("main", graph({step("a", "none"), step("b", "none", is("a"))}));
  define("empty", graph({}));
  group_of(dialect.workflow.definitions["main"]).steps.push_back(step("c", "empty"));
  EXPECT_EQ(run().state, State::succeeded);
}

// A definition that calls itself until a parameter says stop.
TEST_F(Groups, ADefinitionMayCallItself) {
  model::Definition count = sequence({{step("print", "say")}, {step("next", "count")}});
  count.parameters.push_back({.name = "n", .fallback = text("x"), .allowed = {}});
  model::Group& group = group_of(count);
  group.stages[0][0].call.arguments.parameters = {{"n", text("{{inputs.parameters.n}}")}};
  group.stages[1][0].call.arguments.parameters = {{"n", text("{{inputs.parameters.n}}x")}};
  group.stages[1][0].condition = text("{{inputs.parameters.n}} != xxxx");
  define("count", count);
  model::Definition say = task({"print", "{{inputs.parameters.n}}"});
  say.parameters.push_back({.name = "n", .fallback = {}, .allowed = {}});
  define("say", say);
  dialect.workflow.entry.definition = "count";
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::succeeded);
  EXPECT_THAT(watcher.lines,
              ElementsAre("wf[0].print: x", "wf[1].next[0].print: xx", "wf[1].next[1].next[0].print: xxx",
                          "wf[1].next[1].next[1].next[0].print: xxxx"));
  EXPECT_EQ(status(run, "wf[1].next[1].next[1].next[1].next"), "skipped: when 'xxxx != xxxx' evaluated false");
}

TEST_F(Groups, ADefinitionThatCallsItselfForEverEnds) {
  define("main", sequence({{step("s", "main")}}));
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::failed);
  EXPECT_GT(run.nodes.size(), 300U);
  EXPECT_TRUE(run.nodes.back().message.contains("deeper than 300 levels")) << run.nodes.back().message;
}

TEST_F(Groups, TargetsMayBeKnownOnlyWhenTheGroupStarts) {
  define("main", graph({step("a", "ok"), step("b", "ok", is("a")), step("c", "bad"), step("d", "ok", is("c"))}));
  define("ok", task({"succeed"}));
  define("bad", task({"fail"}));
  group_of(dialect.workflow.definitions["main"]).late_targets = text(" {{workflow.parameters.t}} ");
  dialect.workflow.parameters = {{"t", text("b")}};
  model::RunRecord done = run();
  EXPECT_EQ(done.state, State::succeeded);
  EXPECT_EQ(status(done, "wf.b"), "succeeded");
  EXPECT_EQ(status(done, "wf.c"), "none");

  dialect.workflow.parameters = {{"t", text("a\tc")}};
  dialect.workflow.naming.stem = "two";
  EXPECT_EQ(run().state, State::failed);
  EXPECT_EQ(status(catalog->run("two").value(), "two.b"), "none");

  dialect.workflow.parameters = {{"t", text("nobody")}};
  dialect.workflow.naming.stem = "three";
  EXPECT_EQ(status(run(), "three"), "error: target 'nobody' is not defined");
}

}  // namespace
}  // namespace kist::engine::testing
