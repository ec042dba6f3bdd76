// Steps that loop, and how many run at a time.
#include "engine/house.hpp"
#include "engine/loops.hpp"
#include "expression/item.hpp"

namespace kist::engine::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class Loops : public EngineTest {
 protected:
  Loops() {
    define("main", {});
    define("ok", task({"succeed"}));
    model::Definition say = task({"print", "{{inputs.parameters.x}}"});
    say.parameters.push_back({.name = "x", .fallback = {}, .allowed = {}});
    define("say", say);
    model::Definition set = task({"set", "p", "{{inputs.parameters.x}}"});
    set.parameters.push_back({.name = "x", .fallback = {}, .allowed = {}});
    define("set", set);
  }

  static model::Step looping(const char* definition, const char* argument, model::Loop loop) {
    model::Step result = step("loop", definition);
    result.call.arguments.parameters = {{"x", text(argument)}};
    result.loop = std::move(loop);
    return result;
  }
  static model::Step saying(const char* argument) {
    model::Step result = step("then", "say", is("loop"));
    result.call.arguments.parameters = {{"x", text(argument)}};
    return result;
  }
};

TEST_F(Loops, AStepBecomesANodeAnItem) {
  define("main", graph({looping("say", "{{item}}", over({"1", R"x("two (2)")x", R"({"k": [3], "l": "v"})"}))}));
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::succeeded);
  EXPECT_EQ(node(run, "wf.loop").kind, model::NodeKind::loop);
  EXPECT_EQ(status(run, "wf.loop"), "succeeded");
  EXPECT_EQ(node(run, "wf.loop(0:1)").parent, "wf.loop");
  EXPECT_EQ(node(run, "wf.loop(1:\"two (2)\")").index, 1);
  EXPECT_THAT(watcher.lines, UnorderedElementsAre("wf.loop(0:1): 1", "wf.loop(1:\"two (2)\"): two (2)",
                                                  R"(wf.loop(2:{"k":[3],"l":"v"}): {"k":[3],"l":"v"})"));
}

TEST_F(Loops, ConditionsAndKeysAreOfTheItem) {
  model::Step loop = looping("say", "{{item.name}}", over_list("{{inputs.parameters.list}}"));
  loop.condition = text("{{item.n}} > 1");
  define("main", sequence({{loop}}));
  dialect.workflow.definitions["main"].parameters.push_back(
      {.name = "list", .fallback = text(R"([{"name":"a","n":1},{"name":"b","n":2}])"), .allowed = {}});
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::succeeded);
  EXPECT_EQ(status(run, R"(wf[0].loop(0:{"name":"a","n":1}))"), "skipped: when '1 > 1' evaluated false");
  EXPECT_THAT(watcher.lines, ElementsAre(R"(wf[0].loop(1:{"name":"b","n":2}): b)"));
}

TEST_F(Loops, WithoutItemsAreSkipped) {
  define("main", graph({looping("say", "{{item}}", over_list("[]")), saying("{{steps.loop.outputs.result}}")}));
  group_of(dialect.workflow.definitions["main"]).steps[1].depends = is("loop", Dependency::Test::skipped);
  model::RunRecord run = this->run();
  EXPECT_EQ(status(run, "wf.loop"), "skipped: there are no items");
  EXPECT_THAT(watcher.lines, ElementsAre("wf.then: []"));
}

TEST_F(Loops, WhatIsNoListIsAnError) {
  define("main", graph({looping("say", "{{item}}", over_list("{\"a\": 1}"))}));
  EXPECT_EQ(status(this->run(), "wf.loop"), "error: withParam value could not be parsed as a JSON list: {\"a\": 1}");
}

TEST_F(Loops, OutputsOfAllItemsAreLists) {
  define("main", graph({looping("say", "{{item}}", over({"3", "1", "2"})), saying("{{tasks.loop.outputs.result}}")}));
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_EQ(watcher.lines.back(), "wf.then: [3,1,2]");

  dialect.workflow.naming.stem = "b";
  define("main", graph({looping("set", "{{item}}", over({R"("x")", "{}"})),
                        saying("{{tasks.loop.outputs.parameters}} {{tasks.loop.outputs.parameters.p}}")}));
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_EQ(watcher.lines.back(), R"(b.then: [{"p":"x"},{"p":"{}"}] ["x","{}"])");

  // Where each is a list or a map, they are what they are.
  dialect.workflow.naming.stem = "c";
  define("main",
         graph({looping("set", "{{item}}", over({"[1]", "{}"})), saying("{{tasks.loop.outputs.parameters.p}}")}));
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_EQ(watcher.lines.back(), "c.then: [[1],{}]");

  dialect.workflow.naming.stem = "d";
  define("main", graph({looping("say", "{{item}}", over({R"("plain")"})), saying("{{tasks.loop.outputs.result}}")}));
  EXPECT_TRUE(status(run(), "d.then").contains("is not JSON")) << status(run(), "d.then");
}

TEST_F(Loops, WhatMakesNoListIsTheErrorOfASequence) {
  model::Step loop = looping("say", "{{item}}", over({R"("plain")"}));
  define("main", sequence({{loop}, {saying("nothing of it")}}));
  EXPECT_EQ(run().state, State::succeeded);
  dialect.workflow.naming.stem = "b";
  loop.loop->lists_results = true;
  define("main", sequence({{loop}, {saying("nothing of it")}}));
  const model::RunRecord failed = run();
  EXPECT_TRUE(status(failed, "b").starts_with("error: the result of 'loop' is not JSON")) << status(failed, "b");
  EXPECT_EQ(watcher.lines.back(), "b[0].loop(0:\"plain\"): plain");
}

TEST_F(Loops, ArtifactsOfAllItemsArePutTogetherWhenOneAsks) {
  define("make", task({"make", "out"}));
  model::Definition take = task({"succeed"});
  take.artifacts.push_back({.name = "in", .optional = false, .fallback = {}, .path = "/in"});
  define("take", take);
  model::Step loop = step("loop", "make");
  loop.loop = over({"1", "2"});
  auto taking = [&](const char* name, const char* after) {
    model::Step result = step(name, "take", is(after));
    result.call.arguments.artifacts = {{"in", model::ArtifactReference{text("tasks.loop.outputs.artifacts.out")}}};
    return result;
  };
  define("main", graph({loop}));
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_EQ(store.combined, 0);

  dialect.workflow.naming.stem = "b";
  define("main", graph({loop, taking("x", "loop"), taking("y", "x")}));
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::succeeded);
  EXPECT_EQ(store.combined, 1);
  const Digest whole =
      sha256(fmt::format("0_1={}\n1_2={}\n", sha256("b.loop(0:1)/out").hex(), sha256("b.loop(1:2)/out").hex()));
  ASSERT_EQ(node(run, "b.loop").output_artifacts.size(), 1U);
  EXPECT_EQ(node(run, "b.loop").output_artifacts[0].tree, whole);
  EXPECT_EQ(node(run, "b.y").input_artifacts.at(0).tree, whole);

  // Also where the loop has ended under an earlier owner.
  dialect.workflow.naming.stem = "c";
  define("gate", task({"fail"}));
  define("main", graph({loop, step("gate", "gate", is("loop")), taking("x", "gate")}));
  EXPECT_EQ(this->run().state, State::failed);
  EXPECT_EQ(store.combined, 1);
  define("gate", task({"succeed"}));
  ASSERT_TRUE(engine.retry("c", {}, [](const model::Notice&) {}));
  ASSERT_TRUE(engine.own("c", place, watcher));
  run = catalog->run("c").value();
  EXPECT_EQ(run.state, State::succeeded);
  EXPECT_EQ(node(run, "c.x").input_artifacts.at(0).tree,
            sha256(fmt::format("0_1={}\n1_2={}\n", sha256("c.loop(0:1)/out").hex(), sha256("c.loop(1:2)/out").hex())));
}

TEST_F(Loops, SequencesCountUpAndDown) {
  auto items = [](model::Loop::Sequence sequence) -> std::vector<std::string> {
    class Nothing : public expression::Scope {
      Result<std::optional<std::string>> find(std::string_view) const override { return std::nullopt; }
    };
    auto expanded = expand({.items = std::move(sequence)}, Nothing());
    if (!expanded) return {expanded.error().text};
    std::vector<std::string> texts;
    for (const auto& item : *expanded) texts.push_back(expression::item_text(*item));
    return texts;
  };
  EXPECT_THAT(items({.count = text("3"), .start = {}, .end = {}, .format = {}}), ElementsAre("0", "1", "2"));
  EXPECT_THAT(items({.count = text("2"), .start = text("5"), .end = {}, .format = {}}), ElementsAre("5", "6"));
  EXPECT_THAT(items({.count = text("0"), .start = {}, .end = {}, .format = {}}), IsEmpty());
  EXPECT_THAT(items({.count = {}, .start = text("2"), .end = text("0"), .format = {}}), ElementsAre("2", "1", "0"));
  EXPECT_THAT(items({.count = text("1"), .start = text("26"), .end = {}, .format = text("user%04X")}),
              ElementsAre("user001A"));
  EXPECT_THAT(items({.count = text("x"), .start = {}, .end = {}, .format = {}}),
              ElementsAre("count of the sequence is not a whole number: 'x'"));
}

TEST_F(Loops, OneThatFailedFailsItsStep) {
  model::Definition picky = task({"{{inputs.parameters.x}}", "no such file"});
  picky.parameters.push_back({.name = "x", .fallback = {}, .allowed = {}});
  define("picky", picky);
  model::Step after = step("after", "ok", is("loop", Dependency::Test::any_succeeded));
  model::Step never = step("never", "ok", is("loop", Dependency::Test::all_failed));
  model::Step loop = looping("picky", "{{item}}", over({R"("succeed")", R"("fail")", R"("error")"}));
  define("main", graph({loop, after, never}));
  model::RunRecord run = this->run();
  EXPECT_EQ(status(run, "wf.loop"), R"(error: child 'wf.loop(2:"error")' failed)");
  EXPECT_EQ(status(run, "wf.after"), "succeeded");
  EXPECT_EQ(status(run, "wf.never"), "omitted: omitted");

  // The items of a loop stand in the stage themselves.
  dialect.workflow.naming.stem = "b";
  loop.tolerate_failed = true;
  define("main", sequence({{loop}}));
  run = this->run();
  EXPECT_EQ(run.message, R"(child 'b[0].loop(2:"error")' failed)");
  dialect.workflow.naming.stem = "c";
  loop.tolerate_error = true;
  define("main", sequence({{loop}}));
  EXPECT_EQ(this->run().state, State::succeeded);
}

TEST_F(Loops, ParallelismHoldsItemsAndStepsBack) {
  // With room for one, they run in their order.
  define("main", graph({looping("say", "{{item}}", over({"1", "2", "3", "4", "5"})), step("b", "ok")}));
  group_of(dialect.workflow.definitions["main"]).parallelism = text("1");
  std::set<std::string> running;
  std::size_t most = 0;
  watcher.on_node = [&](const model::NodeRecord& node) {
    if (node.kind != model::NodeKind::task) return;
    if (node.state == State::running) running.insert(node.names.name);
    if (model::is_final(node.state)) running.erase(node.names.name);
    most = std::max(most, running.size());
  };
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_LE(most, 1U);
  EXPECT_EQ(place.began_nodes().size(), 6U);

  // Of the whole run.
  dialect.workflow.naming.stem = "b";
  group_of(dialect.workflow.definitions["main"]).parallelism.reset();
  dialect.workflow.parallelism = text("1");
  most = 0;
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_LE(most, 1U);
}

TEST_F(Loops, InLoopsSeeTheirOwnItem) {
  model::Step inner = looping("say", "{{item}} of {{inputs.parameters.x}}", over({"8", "9"}));
  model::Definition group = graph({inner});
  group.parameters.push_back({.name = "x", .fallback = {}, .allowed = {}});
  define("inner", group);
  define("main", graph({looping("inner", "{{item}}", over({"1", "2"}))}));
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_THAT(watcher.lines, UnorderedElementsAre("wf.loop(0:1).loop(0:8): 8 of 1", "wf.loop(0:1).loop(1:9): 9 of 1",
                                                  "wf.loop(1:2).loop(0:8): 8 of 2", "wf.loop(1:2).loop(1:9): 9 of 2"));
}

TEST_F(Loops, ThousandsOfItemsRun) {
  model::Loop loop{.items = model::Loop::Sequence{.count = text("3000"), .start = {}, .end = {}, .format = {}}};
  define("main", graph({looping("say", "{{item}}", loop), saying("{{tasks.loop.outputs.result}}")}));
  place.keep_documents = false;
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::succeeded);
  EXPECT_EQ(run.nodes.size(), 3003U);
  EXPECT_TRUE(watcher.lines.back().ends_with(",2998,2999]"));
}

}  // namespace
}  // namespace kist::engine::testing
