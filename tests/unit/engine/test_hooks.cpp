// What is called beside steps and runs, what they set for everybody, and what waits for a person.
#include "engine/house.hpp"

namespace kist::engine::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class Hooks : public EngineTest {
 protected:
  Hooks() {
    define("main", {});
    define("ok", task({"succeed"}));
    define("bad", task({"fail"}));
    define("wait", task({"wait"}));
    model::Definition say = task({"print", "{{inputs.parameters.x}}"});
    say.parameters.push_back({.name = "x", .fallback = text("-"), .allowed = {}});
    define("say", say);
  }

  static model::Hook hook(const char* name, const char* argument, std::optional<std::string> expression = {}) {
    model::Hook result;
    result.name = name;
    result.call.definition = "say";
    result.call.arguments.parameters = {{"x", text(argument)}};
    if (expression) result.expression = model::Text::of_expression(*expression);
    return result;
  }
  void request(catalog::Request request) {
    ASSERT_TRUE(catalog::Catalog::open(home).value()->add_request("wf", request));
  }
};

TEST_F(Hooks, OfAStepRunWhenItHasEndedAndSeeIt) {
  model::Step a = step("a", "bad");
  a.hooks = {hook("exit", "{{steps.a.status}} {{steps.a.exitCode}}")};
  a.tolerate_failed = true;
  define("main", sequence({{a}, {step("b", "ok")}}));
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::succeeded);
  EXPECT_THAT(watcher.lines, ElementsAre("wf[0].a@exit: <failed> 1"));
  EXPECT_EQ(node(run, "wf[0].a@exit").parent, "wf[0].a");
  EXPECT_EQ(node(run, "wf[0].a@exit").hook, "exit");
  // The stage ends when the hook has.
  EXPECT_GE(node(run, "wf[1].b").started, node(run, "wf[0].a@exit").finished);
}

TEST_F(Hooks, ByExpressionRunOnceWhileItHolds) {
  model::Step a = step("a", "ok");
  a.hooks = {hook("running", "now {{steps.a.status}}", "steps.a.status == '<running>'"),
             hook("never", "x", "steps.a.status == '<failed>'")};
  define("main", graph({a}));
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::succeeded);
  EXPECT_EQ(status(run, "wf.a@running"), "succeeded");
  EXPECT_EQ(status(run, "wf.a@never"), "none");
}

TEST_F(Hooks, AtTheEndAreMadeOnlyWhereTheirConditionHolds) {
  auto with_alert = [&](const char* name, const char* definition) {
    model::Step result = step(name, definition);
    result.hooks = {hook("exit", name)};
    result.hooks[0].condition = model::Text::of_expression(fmt::format("steps['{}'].status == '<failed>'", name));
    result.tolerate_failed = true;
    return result;
  };
  model::Step wrong = with_alert("c", "ok");
  wrong.hooks[0].condition = model::Text::of_expression("steps['nobody'].status == '<failed>'");
  define("main", sequence({{with_alert("a", "ok"), with_alert("b", "bad"), wrong}}));
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::succeeded);
  EXPECT_EQ(status(run, "wf[0].a@exit"), "none");
  EXPECT_THAT(watcher.lines, ElementsAre("wf[0].b@exit: b"));
  EXPECT_EQ(node(run, "wf[0].c@exit").state, State::error);
}

TEST_F(Hooks, OfALoopAreOfItsItems) {
  model::Step a = step("a", "ok");
  a.loop = over({"1", "2"});
  a.hooks = {hook("exit", "{{item}} {{steps.a.status}}")};
  define("main", graph({a}));
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_THAT(watcher.lines, UnorderedElementsAre("wf.a(0:1)@exit: 1 <succeeded>", "wf.a(1:2)@exit: 2 <succeeded>"));
}

TEST_F(Hooks, TheExitHandlerRunsWhateverTheResult) {
  define("main", sequence({{step("a", "bad")}}));
  dialect.workflow.on_exit = hook("", "{{workflow.status}} {{workflow.failures}}").call;
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::failed);
  EXPECT_EQ(run.message, "child 'wf[0].a' failed");
  ASSERT_EQ(watcher.lines.size(), 1U);
  EXPECT_TRUE(watcher.lines[0].starts_with("wf@exit: <failed> \"[{")) << watcher.lines[0];
  EXPECT_TRUE(watcher.lines[0].contains(R"(\"message\":\"main: Error (exit code 1)\")")) << watcher.lines[0];
  EXPECT_EQ(node(run, "wf@exit").parent, "");

  // Its own failure is the run's where that has succeeded.
  dialect.workflow.naming.stem = "b";
  define("main", sequence({{step("a", "ok")}}));
  dialect.workflow.on_exit->definition = "bad";
  run = this->run();
  EXPECT_EQ(run.state, State::failed);
  EXPECT_EQ(run.message, "main: Error (exit code 1)");
}

TEST_F(Hooks, OfTheRunSeeItsStatus) {
  define("main", sequence({{step("a", "ok")}}));
  dialect.workflow.hooks = {hook("running", "r", "workflow.status == '<running>'"),
                            hook("failed", "f", "workflow.status == '<failed>'"), hook("exit", "{{workflow.status}}")};
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_THAT(watcher.lines, UnorderedElementsAre("wf@running: r", "wf@exit: <succeeded>"));
}

TEST_F(Hooks, AfterAStopTheExitHandlerStillRunsAfterAnAbortNot) {
  define("main", sequence({{step("a", "wait")}}));
  dialect.workflow.on_exit = hook("", "{{workflow.status}}").call;
  for (auto kind : {catalog::Request::Kind::stop, catalog::Request::Kind::abort}) {
    watcher.lines.clear();
    std::string name = submit();
    watcher.on_node = [&](const model::NodeRecord& node) {
      if (node.step != "a" || node.state != State::running) return;
      EXPECT_TRUE(catalog::Catalog::open(home).value()->add_request(name, {kind}));
    };
    ASSERT_TRUE(engine.own(name, place, watcher));
    EXPECT_EQ(watcher.lines, kind == catalog::Request::Kind::stop ? std::vector<std::string>{"wf@exit: <stopped>"}
                                                                  : std::vector<std::string>{});
    dialect.workflow.naming.stem = "again";
  }
}

TEST_F(Hooks, OutputsOfTheRunAreSeenByAllThatComesLater) {
  model::Definition set = task({"set", "p", "value"});
  model::Read read;
  read.parameter = "p";
  read.path = text("/p");
  read.global = text("from-{{workflow.name}}");
  task_of(set).actions.insert(task_of(set).actions.begin(), {"", "main", {}, {}, read});
  define("set", set);
  define("inner", sequence({{step("a", "set")}}));
  model::Step b = step("b", "say", is("i"));
  b.call.arguments.parameters = {{"x", text("{{workflow.outputs.parameters.from-wf}}")}};
  define("main", graph({step("i", "inner"), b}));
  dialect.workflow.on_exit = hook("", "{{workflow.outputs.parameters.from-wf}}").call;
  model::RunRecord run = this->run();
  EXPECT_THAT(watcher.lines, ElementsAre("wf.b: value", "wf@exit: value"));
  EXPECT_EQ(node(run, "wf.i[0].a").output_parameters[0].global, "from-wf");
}

TEST_F(Hooks, SeeWhatTheirOwnHasMadeKnownToAll) {
  model::Definition inner = sequence({{step("a", "ok")}});
  model::OutputParameter output;
  output.name = "p";
  output.value = text("value");
  output.global = text("known");
  std::get<model::Group>(inner.body).parameters.push_back(output);
  define("inner", inner);
  model::Step i = step("i", "inner");
  i.hooks = {hook("exit", "{{workflow.outputs.parameters.known}}")};
  define("main", sequence({{i}}));
  EXPECT_EQ(run().state, State::succeeded);
  define("main", inner);
  dialect.workflow.naming.stem = "b";
  dialect.workflow.on_exit = hook("", "{{workflow.outputs.parameters.known}}").call;
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_THAT(watcher.lines, ElementsAre("wf[0].i@exit: value", "b@exit: value"));
}

class Gates : public Hooks {
 protected:
  static model::Definition gate(std::optional<const char*> duration, std::vector<model::Gate::Supplied> supplied = {}) {
    model::Gate what;
    if (duration) what.duration = text(*duration);
    what.supplied = std::move(supplied);
    model::Definition definition;
    definition.body = std::move(what);
    return definition;
  }
};

TEST_F(Gates, OpenAfterTheirTime) {
  define("main", sequence({{step("g", "gate")}, {step("b", "ok")}}));
  define("gate", gate("20ms"));
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::succeeded);
  EXPECT_EQ(node(run, "wf[0].g").kind, model::NodeKind::gate);
  EXPECT_GE(node(run, "wf[0].g").finished - node(run, "wf[0].g").started, std::chrono::milliseconds(20));
}

TEST_F(Gates, OpenWhenSomebodySuppliesWhatTheyLack) {
  model::Step b = step("b", "say");
  b.call.arguments.parameters = {{"x", text("{{steps.g.outputs.parameters.v}} {{steps.g.outputs.parameters.d}}")}};
  define("main", sequence({{step("g", "gate")}, {b}}));
  define("gate", gate({}, {{.name = "v", .fallback = {}, .allowed = {"yes", "no"}},
                           {.name = "d", .fallback = text("default"), .allowed = {}}}));
  std::vector<std::string> messages;
  watcher.on_node = [&](const model::NodeRecord& node) {
    if (node.kind != model::NodeKind::gate || node.state != State::running) return;
    if (messages.empty()) request({catalog::Request::Kind::approve, "", {}});
    if (messages.size() == 1) request({catalog::Request::Kind::approve, "g", {{"v", "maybe"}}});
    if (messages.size() == 2) request({catalog::Request::Kind::approve, "g", {{"v", "yes"}}});
    messages.push_back(node.message);
  };
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_THAT(messages, ElementsAre("", "raw output parameter 'v' has not been set and does not have a default value",
                                    "output parameter 'v': 'maybe' is not one of: yes, no"));
  EXPECT_THAT(watcher.lines, ElementsAre("wf[1].b: yes default"));
}

TEST_F(Gates, AStopEndsThem) {
  define("main", sequence({{step("g", "gate")}, {step("b", "ok")}}));
  define("gate", gate({}));
  watcher.on_node = [&](const model::NodeRecord& node) {
    if (node.kind == model::NodeKind::gate && node.state == State::running) request({catalog::Request::Kind::stop});
  };
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::stopped);
  EXPECT_EQ(status(run, "wf[0].g"), "stopped: was stopped");
}

TEST_F(Gates, ARunMayWaitBeforeItBegins) {
  define("main", sequence({{step("b", "ok")}}));
  dialect.workflow.suspended = true;
  std::string name = submit();
  request({catalog::Request::Kind::approve, "", {}});
  EXPECT_EQ(engine.own(name, place, watcher).value(), State::succeeded);
}

class Locks : public Hooks {};

TEST_F(Locks, AreHeldByOneAfterTheOther) {
  model::Definition locked = task({"hold"});
  locked.locks = {{.name = text("default/Mutex/m"), .limit = {}}};
  define("locked", locked);
  model::Step a = step("a", "locked");
  a.loop = over({"1", "2", "3"});
  define("main", graph({a}));
  std::set<std::string> running;
  std::size_t most = 0;
  std::vector<std::string> messages;
  watcher.on_node = [&](const model::NodeRecord& node) {
    if (node.kind != model::NodeKind::task) return;
    if (node.state == State::running) running.insert(node.names.name);
    if (model::is_final(node.state)) running.erase(node.names.name);
    most = std::max(most, running.size());
    if (node.message.empty()) return;
    messages.push_back(node.message);
    place.release();
  };
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_LE(most, 1U);
  EXPECT_THAT(messages, Contains("waits for default/Mutex/m: 0 of 1 free"));
}

TEST_F(Locks, OfALostOwnerAreFree) {
  auto nobody = [](std::string_view) { return false; };
  auto lost = [](std::string_view run) { return run == "other"; };
  catalog::LockWish one{"m", 1};
  ASSERT_TRUE(catalog->acquire({.run = "other", .node = "x"}, std::span(&one, 1), nobody)->held);
  catalog::LockAnswer answer = catalog->acquire({.run = "wf", .node = "a"}, std::span(&one, 1), nobody).value();
  EXPECT_FALSE(answer.held);
  EXPECT_EQ(answer.blocking, "m");
  EXPECT_EQ(answer.free, 0U);
  // Whoever came first gets it first.
  EXPECT_FALSE(catalog->acquire({.run = "late", .node = "b"}, std::span(&one, 1), nobody)->held);
  EXPECT_FALSE(catalog->acquire({.run = "late", .node = "b"}, std::span(&one, 1), lost)->held);
  EXPECT_TRUE(catalog->acquire({.run = "wf", .node = "a"}, std::span(&one, 1), lost)->held);
  ASSERT_TRUE(catalog->release("wf", "a"));
  EXPECT_TRUE(catalog->acquire({.run = "late", .node = "b"}, std::span(&one, 1), nobody)->held);
  catalog::LockWish two{"s", 2};
  EXPECT_TRUE(catalog->acquire({.run = "r", .node = "1"}, std::span(&two, 1), nobody)->held);
  EXPECT_TRUE(catalog->acquire({.run = "r", .node = "2"}, std::span(&two, 1), nobody)->held);
  EXPECT_FALSE(catalog->acquire({.run = "r", .node = "3"}, std::span(&two, 1), nobody)->held);
}

TEST_F(Locks, GoToWhoHasMorePriorityThenToTheOlderRun) {
  auto nobody = [](std::string_view) { return false; };
  catalog::LockWish one{"m", 1};
  auto ask = [&](std::string_view run, std::int64_t priority, int created) {
    return catalog
        ->acquire({.run = run, .node = "n", .priority = priority, .created = Time{std::chrono::seconds(created)}},
                  std::span(&one, 1), nobody)
        ->held;
  };
  ASSERT_TRUE(ask("holder", -5, 9));
  EXPECT_FALSE(ask("young", 0, 3));
  EXPECT_FALSE(ask("old", 0, 2));
  EXPECT_FALSE(ask("urgent", 7, 4));
  EXPECT_TRUE(ask("holder", -5, 9));  // nobody is put out
  ASSERT_TRUE(catalog->release("holder", ""));
  EXPECT_FALSE(ask("young", 0, 3));
  EXPECT_FALSE(ask("old", 0, 2));
  EXPECT_TRUE(ask("urgent", 7, 4));
  ASSERT_TRUE(catalog->release("urgent", ""));
  EXPECT_FALSE(ask("young", 0, 3));
  EXPECT_TRUE(ask("old", 0, 2));
}

class Memos : public Hooks {};

TEST_F(Memos, TakeTheOutputsInsteadOfRunning) {
  model::Definition set = task({"set", "p", "{{workflow.name}}"});
  set.memo = model::Memo{.key = text("k"), .cache = text("c"), .max_age = {}};
  define("set", set);
  define("main", graph({step("a", "set")}));
  EXPECT_FALSE(node(run(), "wf.a").memo->hit);
  dialect.workflow.naming.stem = "b";
  model::RunRecord run = this->run();
  EXPECT_TRUE(node(run, "b.a").memo->hit);
  EXPECT_EQ(node(run, "b.a").output_parameters[0].value, "wf");
  EXPECT_THAT(place.began_nodes(), ElementsAre("wf.a"));

  // What is too old is made anew.
  dialect.workflow.naming.stem = "c";
  dialect.workflow.definitions["set"].memo->max_age = text("0");
  EXPECT_FALSE(node(this->run(), "c.a").memo->hit);

  // What failed is not remembered.
  model::Definition bad = task({"fail"});
  bad.memo = model::Memo{.key = text("bad"), .cache = text("c"), .max_age = {}};
  define("set", bad);
  dialect.workflow.naming.stem = "d";
  EXPECT_EQ(this->run().state, State::failed);
  EXPECT_FALSE(catalog->recall("c", "bad"));
}

}  // namespace
}  // namespace kist::engine::testing
