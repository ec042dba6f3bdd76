// A run that has ended runs again, in place.
#include "engine/house.hpp"

namespace kist::engine::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class Rerun : public EngineTest {
 protected:
  Rerun() {
    define("main", {});
    define("ok", task({"succeed"}));
    define("bad", task({"fail"}));
  }

  // What was wrong is mended; the nodes that then began.
  std::vector<std::string> retry(const RetryRequest& again = {}) {
    const std::size_t before = place.began().size();
    auto asked = engine.retry("wf", again, [](const model::Notice&) {});
    if (!asked) return {"ERROR " + asked.error().text};
    auto state = engine.own("wf", place, watcher);
    if (!state) return {"ERROR " + state.error().text};
    auto names = place.began_nodes();
    names.erase(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(before));
    return names;
  }
  model::RunRecord now_is() { return catalog->run("wf").value(); }
};

TEST_F(Rerun, WhatSucceededIsKeptAndTheRestRuns) {
  define("make", task({"make", "out"}));
  define("main", graph({step("a", "make"), step("b", "bad", is("a")), step("c", "ok", is("b")), step("d", "ok")}));
  EXPECT_EQ(run().state, State::failed);
  define("bad", task({"succeed"}));
  EXPECT_THAT(retry(), ElementsAre("wf.b", "wf.c"));
  model::RunRecord run = now_is();
  EXPECT_EQ(run.state, State::succeeded);
  EXPECT_EQ(run.message, "");
  EXPECT_EQ(node(run, "wf.b").attempt, 2);
  EXPECT_EQ(node(run, "wf.a").output_artifacts.at(0).tree, sha256("wf.a/out"));
  EXPECT_EQ(run.nodes.size(), 5U);
  EXPECT_TRUE(catalog->summary("wf")->record);
}

TEST_F(Rerun, WhatWentByTheFailureRunsAgainOrNotAtAll) {
  using On = Dependency::Test;
  define("main", graph({step("a", "bad"), step("mend", "ok", is("a", On::failed)), step("after", "ok", is("mend")),
                        step("other", "bad")}));
  EXPECT_EQ(run().state, State::failed);
  define("bad", task({"succeed"}));
  EXPECT_THAT(retry(), UnorderedElementsAre("wf.a", "wf.other"));
  EXPECT_EQ(now_is().state, State::succeeded);
  EXPECT_EQ(status(now_is(), "wf.mend"), "omitted: omitted");
}

TEST_F(Rerun, OfStagesThoseAfterTheFailureRunAgain) {
  model::Step tolerated = step("a", "bad");
  tolerated.tolerate_failed = true;
  define("main",
         sequence({{step("first", "ok")}, {tolerated, step("b", "ok")}, {step("c", "ok")}, {step("d", "bad")}}));
  EXPECT_EQ(run().state, State::failed);
  define("bad", task({"succeed"}));
  EXPECT_THAT(retry(), ElementsAre("wf[1].a", "wf[2].c", "wf[3].d"));
}

TEST_F(Rerun, OfALoopTheItemsThatFailed) {
  model::Step items = step("a", "odd");
  items.loop = over({"0", "1", "0"});
  items.call.arguments.parameters = {{"n", text("{{item}}")}};
  define("odd", task({"fail-until", "{{inputs.parameters.n}}", "0"}));
  dialect.workflow.definitions["odd"].parameters.push_back({.name = "n", .fallback = {}, .allowed = {}});
  define("main", sequence({{items}}));
  EXPECT_EQ(run().state, State::failed);
  std::get<model::Run>(task_of(dialect.workflow.definitions["odd"]).actions[0].what).command = {text("succeed")};
  EXPECT_THAT(retry(), ElementsAre("wf[0].a(1:1)"));
  EXPECT_EQ(now_is().state, State::succeeded);
}

TEST_F(Rerun, AttemptsAreCountedAnew) {
  define("flaky", with_retry(task({"fail-until", "3", "{{retries}}"}), "1"));
  define("main", graph({step("a", "flaky")}));
  EXPECT_EQ(run().state, State::failed);
  define("flaky", with_retry(task({"fail-until", "1", "{{retries}}"}), "1"));
  EXPECT_THAT(retry(), ElementsAre("wf.a(0)", "wf.a(1)"));
  EXPECT_EQ(now_is().state, State::succeeded);
  EXPECT_EQ(node(now_is(), "wf.a(0)").attempt, 2);
  EXPECT_EQ(node(now_is(), "wf.a(1)").attempt, 1);
}

TEST_F(Rerun, HandlersRunAgain) {
  dialect.workflow.on_exit = model::Call{"ok", {}};
  define("main", graph({step("a", "ok"), step("b", "bad")}));
  EXPECT_EQ(run().state, State::failed);
  define("bad", task({"succeed"}));
  EXPECT_THAT(retry(), ElementsAre("wf.b", "wf@exit"));

  // Only the handler failed.
  dialect.workflow.on_exit = model::Call{"bad", {}};
  define("bad", task({"fail"}));
  EXPECT_THAT(retry({.steps = {"wf@exit"}}), ElementsAre("wf@exit"));
  EXPECT_EQ(now_is().state, State::failed);
  define("bad", task({"succeed"}));
  EXPECT_THAT(retry(), ElementsAre("wf@exit"));
  EXPECT_EQ(now_is().state, State::succeeded);
}

TEST_F(Rerun, StepsMayBeNamed) {
  define("main", graph({step("a", "ok"), step("b", "ok", is("a")), step("c", "ok")}));
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_EQ(engine.retry("wf", {}, {}).error().kind, ErrorKind::conflict);
  EXPECT_EQ(engine.retry("wf", {.steps = {"x"}}, {}).error().kind, ErrorKind::not_found);
  EXPECT_THAT(retry({.steps = {"a"}}), ElementsAre("wf.a", "wf.b"));
  EXPECT_EQ(now_is().state, State::succeeded);
}

TEST_F(Rerun, WhatWasNotReachedTheFirstTimeIsReachedTheSecond) {
  define("main", sequence({{step("a", "bad")}, {step("b", "bad")}, {step("c", "ok")}}));
  dialect.workflow.definitions["main"].body = sequence({{step("a", "bad"), step("b", "ok")}, {step("c", "ok")}}).body;
  EXPECT_EQ(run().state, State::failed);
  EXPECT_THAT(retry(), ElementsAre("wf[0].a"));
  EXPECT_EQ(now_is().state, State::failed);
  EXPECT_EQ(status(now_is(), "wf[1].c"), "none");
  define("bad", task({"succeed"}));
  EXPECT_THAT(retry(), ElementsAre("wf[0].a", "wf[1].c"));
  EXPECT_EQ(node(now_is(), "wf[0].a").attempt, 3);
}

TEST_F(Rerun, ItIsARunLikeAnyOtherFromTheMomentItIsAskedFor) {
  define("say", task({"print", "hello"}));
  define("main", sequence({{step("a", "say"), step("b", "bad")}}));
  EXPECT_EQ(run().state, State::failed);
  ASSERT_TRUE(catalog->add_request("wf", {catalog::Request::Kind::stop}));  // came too late
  define("bad", task({"succeed"}));
  ASSERT_TRUE(engine.retry("wf", {}, [](const model::Notice&) {}));
  // Whoever asked is gone: nobody owns it, and it can be resumed.
  const Parts parts{home, *catalog, store, dialects, [] { return now(); }, {}};
  EXPECT_EQ(current_record(parts, "wf")->state, State::interrupted);
  EXPECT_EQ(engine.retry("wf", {}, {}).error().kind, ErrorKind::conflict);
  EXPECT_EQ(Engine(parts).own("wf", place, watcher).value(), State::succeeded);
  EXPECT_THAT(place.began_nodes(), ElementsAre("wf[0].a", "wf[0].b", "wf[0].b"));
  // What was written before is there still.
  EXPECT_TRUE(now_is().logs);
  EXPECT_EQ(now_is().logs->files, 1U);
}

TEST_F(Rerun, LimitsOfTimeBeginAnew) {
  define("held", task({"hold"}));
  dialect.workflow.deadline = text("1s");
  define("main", sequence({{step("a", "held")}}));
  EXPECT_EQ(run().state, State::failed);
  define("held", task({"succeed"}));
  EXPECT_THAT(retry(), ElementsAre("wf[0].a"));
  EXPECT_EQ(now_is().state, State::succeeded);
}

TEST_F(Rerun, ADaemonOfAGroupThatGoesOnIsThereAgain) {
  model::NodeRecord daemon;
  daemon.names.name = "wf.d";
  daemon.parent = "wf";
  daemon.step = "d";
  daemon.state = State::succeeded;
  daemon.daemoned = true;
  define("main", graph({step("d", "ok"), step("b", "ok", is("d")), step("c", "bad", is("d"))}));
  EXPECT_EQ(run().state, State::failed);
  catalog::Changes changes{.run = "wf", .nodes = {daemon}};
  ASSERT_TRUE(catalog->apply(std::span(&changes, 1)));
  define("bad", task({"succeed"}));
  EXPECT_THAT(retry(), ElementsAre("wf.d", "wf.c"));
}

}  // namespace
}  // namespace kist::engine::testing
