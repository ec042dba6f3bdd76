// What names mean, and how parameters and artifacts reach a task.
#include "engine/house.hpp"

namespace kist::engine::testing {
namespace {

using ::testing::ElementsAre;

class Inputs : public EngineTest {
 protected:
  Inputs() { define("main", {}); }

  // A task that says what its texts become.
  void define_saying(const std::vector<std::string>& words) {
    std::vector<std::string> command{"print"};
    command.insert(command.end(), words.begin(), words.end());
    define("say", task(command));
  }
  model::Definition& say() { return dialect.workflow.definitions["say"]; }

  // One step `a` that calls `say`.
  model::Step calling(std::vector<std::pair<std::string, std::string>> parameters) {
    model::Step result = step("a", "say");
    for (auto& [name, value] : parameters) result.call.arguments.parameters.emplace_back(name, text(value));
    return result;
  }
  void input(const std::string& name, std::optional<Text> fallback = {}, std::vector<std::string> allowed = {}) {
    say().parameters.push_back({.name = name, .fallback = std::move(fallback), .allowed = std::move(allowed)});
  }
};

TEST_F(Inputs, TheRunsNamesAreKnownEverywhere) {
  define_saying({"{{workflow.name}} {{workflow.namespace}} {{workflow.parameters.p}} {{x}}", "{{workflow.parameters}}",
                 "{{workflow.uid}}"});
  dialect.workflow.parameters = {{"p", text("of {{workflow.name}}")}};
  dialect.workflow.variables = {{"x", "own"}};
  dialect.workflow.entry.definition = "say";
  model::RunRecord run = this->run();
  EXPECT_THAT(command("wf"), ElementsAre("print", "wf default of wf own", R"([{"name":"p","value":"of wf"}])", run.id));
  EXPECT_EQ(run.id.size(), 36U);

  dialect.workflow.variables = {{"workflow.namespace", "other"}};
  dialect.workflow.naming.stem = "again";
  this->run();
  EXPECT_EQ(command("again")[1], "again other of again {{x}}");
}

TEST_F(Inputs, ATaskKnowsItselfItsInputsAndItsPaths) {
  define_saying({"{{node.name}} {{pod.name}} {{steps.name}}",
                 "{{inputs.parameters.n}} {{inputs.parameters}} {{inputs.artifacts.in.path}}",
                 "{{outputs.artifacts.out.path}} {{outputs.parameters.o.path}} {{outputs.artifacts.no.path}}"});
  input("n");
  input("d", text("default of {{workflow.name}}"));
  say().artifacts.push_back({.name = "in", .optional = true, .fallback = {}, .path = "/in"});
  auto& actions = task_of(say()).actions;
  model::Save save;
  save.name = "out";
  save.path = text("/out/{{inputs.parameters.n}}");
  actions.insert(actions.begin(), {"", "main", {}, {}, save});
  actions.insert(actions.begin(), {"", "main", {}, {}, model::Read{"o", text("/o"), {}}});
  define("main", graph({calling({{"n", "1"}})}));
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_THAT(command("wf.a"), ElementsAre("print", "wf.a pod of wf.a a",
                                           R"(1 [{"name":"n","value":"1"},{"name":"d","value":"default of wf"}] /in)",
                                           "/out/1 /o {{outputs.artifacts.no.path}}"));
  std::vector<task::Document> began = place.began();
  Text path = std::get<model::Save>(began.front().task.actions[1].what).path;
  EXPECT_EQ(path.source(), "/out/1");
  EXPECT_TRUE(path.is_literal());
}

TEST_F(Inputs, StepsSeeWhatEarlierOnesGave) {
  define("set", task({"set", "p", "value"}));
  define("show", task({"print", "result"}));
  define_saying({"{{inputs.parameters.x}}"});
  input("x");
  define("main", sequence({{step("one", "set"), step("two", "show")},
                           {calling({{"x",
                                      "{{steps.one.outputs.parameters.p}} {{steps.two.outputs.result}} "
                                      "{{steps.two.status}} {{steps.two.exitCode}} {{steps.two.id}}"}})}}));
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_EQ(command("wf[1].a")[1], "value result <succeeded> 0 id of wf[0].two");
}

TEST_F(Inputs, ArgumentsMustBeKnown) {
  define("ok", task({"succeed"}));
  define_saying({"{{inputs.parameters.x}}"});
  input("x");
  auto message = [&](const std::string& value, const std::string& name) {
    model::Step asking = calling({{"x", value}});
    define("main", sequence({{step("before", "ok"), asking}, {step("later", "ok")}}));
    dialect.workflow.naming.stem = name;
    return status(this->run(), name + "[0].a");
  };
  EXPECT_EQ(message("{{steps.no.status}}", "w1"),
            "error: failed to resolve {{steps.no.status}}: there is no step 'no'");
  EXPECT_EQ(message("{{steps.later.status}}", "w2"),
            "error: failed to resolve {{steps.later.status}}: step 'later' has not ended before");
  // Steps of one stage run side by side.
  EXPECT_EQ(message("{{steps.before.status}}", "w3"),
            "error: failed to resolve {{steps.before.status}}: step 'before' has not ended before");
  EXPECT_EQ(message("{{unknown}}", "w4"), "succeeded");
  EXPECT_EQ(command("w4[0].a")[1], "{{unknown}}");
}

// In the texts of a task, names of steps mean nothing.
TEST_F(Inputs, UnknownNamesStayAsWritten) {
  define_saying({"{{steps.a.status}} {{ nothing }} {{inputs.parameters.no}}"});
  dialect.workflow.entry.definition = "say";
  run();
  EXPECT_EQ(command("wf")[1], "{{steps.a.status}} {{ nothing }} {{inputs.parameters.no}}");
}

TEST_F(Inputs, RequiredInputsMustBeSupplied) {
  define_saying({"x"});
  input("x");
  define("main", graph({calling({})}));
  EXPECT_EQ(status(run(), "wf.a"), "error: inputs.parameters.x was not supplied");

  input("y", text("2"), {"1", "2"});
  define("main", graph({calling({{"x", "1"}, {"y", "3"}})}));
  dialect.workflow.naming.stem = "again";
  EXPECT_EQ(status(run(), "again.a"), "error: inputs.parameters.y: '3' is not one of: 1, 2");
}

TEST_F(Inputs, ASkippedProducerGivesItsDefault) {
  define("give", task({"set", "p", "1"}));
  auto& actions = task_of(dialect.workflow.definitions["give"]).actions;
  actions.push_back({"", "main", {}, {}, model::Read{"p", text("/p"), text("by default")}});
  actions.push_back({"", "main", {}, {}, model::Read{"q", text("/q"), {}}});
  model::Step skipped = step("s", "give");
  skipped.condition = text("false");
  define_saying({"{{inputs.parameters.x}}"});
  input("x", text("own"));
  auto got = [&](const std::string& value, const std::string& name) {
    define("main", sequence({{skipped}, {calling({{"x", value}})}}));
    dialect.workflow.naming.stem = name;
    std::string result = status(this->run(), name + "[1].a");
    return result == "succeeded" ? command(name + "[1].a")[1] : result;
  };
  EXPECT_EQ(got("{{steps.s.outputs.parameters.p}}", "w1"), "by default");
  EXPECT_EQ(got("{{steps.s.outputs.parameters.q}}", "w2"), "own");
  EXPECT_EQ(got("-{{steps.s.outputs.parameters.q}}", "w3"),
            "error: failed to resolve {{steps.s.outputs.parameters.q}}: step 's' has no such output (it is skipped)");
}

// ---- artifacts

class Artifacts : public Inputs {
 protected:
  Artifacts() {
    define("make", task({"make", "out"}));
    define("ok", task({"succeed"}));
    define("take", task({"succeed"}));
    take().artifacts.push_back({.name = "in", .optional = false, .fallback = {}, .path = "/in"});
    auto& actions = task_of(take()).actions;
    model::Load load;
    load.source = model::ArtifactReference{text("inputs.artifacts.in")};
    load.path = text("{{inputs.artifacts.in.path}}");
    actions.insert(actions.begin(), {"in", "main", {}, {}, load});
  }
  model::Definition& take() { return dialect.workflow.definitions["take"]; }
  model::Load& load() { return std::get<model::Load>(task_of(take()).actions[0].what); }

  static model::Step taking(const std::string& reference) {
    model::Step result = step("t", "take");
    result.call.arguments.artifacts = {{"in", model::ArtifactReference{text(reference)}}};
    return result;
  }
  task::ResolvedLoad loaded(const std::string& name) {
    for (const task::Document& document : place.began())
      if (document.node.name == name) return document.loads.at(0);
    return {};
  }
};

TEST_F(Artifacts, AreHandedOnUnderTheReceiversName) {
  define("inner", sequence({{taking("inputs.artifacts.in")}}));
  dialect.workflow.definitions["inner"].artifacts.push_back(
      {.name = "in", .optional = false, .fallback = {}, .path = ""});
  model::Step outer = taking("tasks.m.outputs.artifacts.out");
  outer.call.definition = "inner";
  outer.depends = is("m");
  define("main", graph({step("m", "make"), outer}));
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::succeeded);
  ASSERT_EQ(node(run, "wf.t[0].t").input_artifacts.size(), 1U);
  EXPECT_EQ(node(run, "wf.t[0].t").input_artifacts[0].path, "/in");
  task::ResolvedLoad resolved = loaded("wf.t[0].t");
  ASSERT_EQ(resolved.trees.size(), 1U);
  EXPECT_EQ(resolved.trees[0].artifact.name, "in");
  EXPECT_EQ(resolved.trees[0].artifact.tree, sha256("wf.m/out"));
  EXPECT_EQ(resolved.trees[0].prefix, "");
}

TEST_F(Artifacts, ComeFromTheArgumentElseTheInputItselfElseNowhere) {
  define("main", sequence({{step("m", "ok")}, {taking("steps.m.outputs.artifacts.out")}}));
  EXPECT_EQ(status(run(), "wf[1].t"), "error: required artifact 'in' not supplied");

  take().artifacts[0].fallback = model::RawArtifact{text("raw of {{workflow.name}}")};
  dialect.workflow.naming.stem = "w2";
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_EQ(loaded("w2[1].t").raw, "raw of w2");

  define("main", sequence({{step("m", "make")}, {taking("steps.m.outputs.artifacts.out")}}));
  dialect.workflow.naming.stem = "w3";
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_FALSE(loaded("w3[1].t").raw);
  EXPECT_EQ(loaded("w3[1].t").trees.size(), 1U);

  take().artifacts[0].fallback.reset();
  take().artifacts[0].optional = true;
  load().optional = true;
  define("main", sequence({{step("t", "take")}}));
  dialect.workflow.naming.stem = "w4";
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_TRUE(loaded("w4[0].t").absent);
}

TEST_F(Artifacts, OfAGroupAreThoseOfItsSteps) {
  define("inner", graph({step("m", "make"), step("n", "ok")}));
  model::Group& inner = group_of(dialect.workflow.definitions["inner"]);
  inner.artifacts.push_back({"given", model::ArtifactReference{text("tasks.m.outputs.artifacts.out")}, false});
  inner.artifacts.push_back({"maybe", model::ArtifactReference{text("tasks.n.outputs.artifacts.out")}, true});
  inner.parameters.push_back({"p", text("{{tasks.m.status}}"), {}});
  define("main", sequence({{step("i", "inner")}, {taking("steps.i.outputs.artifacts.given")}}));
  model::RunRecord run = this->run();
  EXPECT_EQ(run.state, State::succeeded);
  EXPECT_EQ(node(run, "wf[0].i").output_artifacts.size(), 1U);
  EXPECT_EQ(node(run, "wf[0].i").output_parameters.at(0).value, "<succeeded>");
  EXPECT_EQ(loaded("wf[1].t").trees.at(0).artifact.tree, sha256("wf[0].i.m/out"));

  group_of(dialect.workflow.definitions["inner"]).artifacts[1].optional = false;
  dialect.workflow.naming.stem = "again";
  EXPECT_EQ(status(this->run(), "again[0].i"),
            "error: unable to resolve outputs from scope: tasks.n.outputs.artifacts.out was not produced");
}

TEST_F(Artifacts, TheProjectIsASourceToo) {
  load().source = model::ProjectFiles{};
  take().artifacts.clear();
  load().path = text(".");
  dialect.workflow.entry.definition = "take";
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_TRUE(loaded("wf").project);
  EXPECT_EQ(place.began()[0].project, "/project");
}

// ---- artifacts of earlier runs

class EarlierRuns : public Artifacts {
 protected:
  void use(model::RunArtifacts::By by, const std::string& name) {
    load().source = model::RunArtifacts{by, name};
    load().path = text(".");
    take().artifacts.clear();
    dialect.workflow.entry.definition = "take";
    dialect.workflow.naming.stem = "user";
  }
  void make(const std::string& name, const std::string& workflow, model::Definition definition) {
    define("made", std::move(definition));
    dialect.workflow.entry.definition = "made";
    dialect.workflow.naming.stem = name;
    dialect.workflow.name = workflow;
    this->run();
    dialect.workflow.name = "w";
  }
};

TEST_F(EarlierRuns, TheNewestThatSucceededIsPinned) {
  make("old", "data", task({"make", "out"}));
  make("new", "data", sequence({{step("a", "make")}, {step("b", "make")}}));
  make("bad", "data", sequence({{step("a", "make")}, {step("b", "missing")}}));
  use(model::RunArtifacts::By::workflow, "data");
  ASSERT_EQ(submit(), "user");
  EXPECT_THAT(said, ElementsAre("using the artifacts of new (the newest run of data that succeeded)"));
  ASSERT_TRUE(remove_run(Parts{home, *catalog, store, dialects, {}, {}}, "new"));
  ASSERT_TRUE(engine.own("user", place, watcher));
  task::ResolvedLoad resolved = loaded("user");
  ASSERT_EQ(resolved.trees.size(), 2U);  // of the tasks, in the order of the nodes
  EXPECT_EQ(resolved.trees[0].artifact.tree, sha256("new[0].a/out"));
  EXPECT_EQ(resolved.trees[1].artifact.tree, sha256("new[1].b/out"));
  EXPECT_EQ(resolved.trees[0].prefix, "out");
  EXPECT_EQ(node(catalog->run("user").value(), "user").input_artifacts.size(), 2U);
}

TEST_F(EarlierRuns, ATagGivesItsRunWhateverItsStateAndEvenRemoved) {
  make("bad", "data", sequence({{step("a", "make")}, {step("b", "missing")}}));
  ASSERT_TRUE(catalog->set_tag("v1", "bad", now(), false));
  ASSERT_TRUE(remove_run(Parts{home, *catalog, store, dialects, {}, {}}, "bad"));
  use(model::RunArtifacts::By::tag, "v1");
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_THAT(said, ElementsAre("using the artifacts of bad (tag v1)"));
  EXPECT_EQ(loaded("user").trees.at(0).artifact.tree, sha256("bad[0].a/out"));
}

TEST_F(EarlierRuns, OnesThatAreNotThereRefuseTheRun) {
  use(model::RunArtifacts::By::workflow, "data");
  EXPECT_TRUE(submit().starts_with("ERROR workflow 'data' has no run in /project that succeeded")) << submit();
  use(model::RunArtifacts::By::tag, "v1");
  EXPECT_EQ(submit(), "ERROR there is no tag 'v1'");
  EXPECT_TRUE(catalog->runs({})->empty());
}

TEST_F(EarlierRuns, AnOutputHidesAnInputAtItsPath) {
  make("old", "data", task({"make", "out"}));
  use(model::RunArtifacts::By::workflow, "data");
  task_of(take()).fresh_directories = {text("./out/")};
  EXPECT_EQ(run().state, State::succeeded);
  EXPECT_TRUE(loaded("user").trees.empty());
  EXPECT_FALSE(loaded("user").absent);
}

TEST_F(Inputs, ExpressionsAreToldTheTimeWhereverTheyStand) {
  Time at = parse_rfc3339("2026-03-04T05:06:07Z").value();
  Engine clocked{Parts{home, *catalog, store, dialects, [&] { return at; }, [](std::uint32_t) { return 0U; }}};
  define_saying({"{{=sprig.ago(date('2026-03-04T05:06:00Z'))}} {{=now().Year()}}", "{{inputs.parameters.n}}"});
  input("n");
  model::Step called = calling({{"n", "{{=now().Format('15:04')}} {{=sprig.ago(now())}}"}});
  called.condition = text("'{{=sprig.ago(date('2026-03-04T05:06:00Z'))}}' == '7s'");
  dialect.workflow.definitions["main"] = graph({called});
  dialect.workflow.parameters = {{"p", text("{{=now().Day()}}")}};
  model::RunRequest request;
  request.dialect = "small";
  const std::string name = clocked.submit(request, [](const model::Notice&) {}).value();
  EXPECT_EQ(clocked.own(name, place, watcher).value(), State::succeeded);
  EXPECT_THAT(command("wf.a"), ElementsAre("print", "7s 2026", "05:06 0s"));
}

TEST_F(Inputs, ARunIsMarkedWhenItBegins) {
  define_saying({"{{workflow.labels.who}} {{workflow.labels.fixed}}", "{{workflow.annotations}}"});
  dialect.workflow.parameters = {{"p", text("me")}};
  dialect.workflow.labels = {{"who", text("{{=workflow.parameters.p + '2'}}")}, {"fixed", Text::literal("x")}};
  dialect.workflow.annotations = {{"why", Text::literal("so")}};
  dialect.workflow.entry.definition = "say";
  const model::RunRecord run = this->run();
  EXPECT_THAT(command("wf"), ElementsAre("print", "me2 x", R"({"why":"so"})"));
  const std::vector<std::pair<std::string, std::string>> labels = {{"fixed", "x"}, {"who", "me2"}};
  EXPECT_EQ(run.marks.labels, labels);
  EXPECT_EQ(catalog->marks("wf")->annotations.size(), 1U);
  // What is in the store says so too.
  const auto record = store.object(catalog->summary("wf")->record.value());
  EXPECT_THAT(record.value(), ::testing::HasSubstr(R"("who":"me2")"));

  dialect.workflow.labels = {{"who", text("{{=int('x')}}")}};
  dialect.workflow.naming.stem = "wrong";
  EXPECT_THAT(status(this->run(), "wrong"), ::testing::StartsWith("error: label 'who'"));

  // What the dialect does not take.
  dialect.workflow.labels = {{"who", text("{{=workflow.parameters.p + '!'}}")}};
  dialect.workflow.naming.stem = "refused";
  EXPECT_EQ(status(this->run(), "refused"),
            "error: invalid label value \"me!\" for label \"who\" and expression "
            "\"{{=workflow.parameters.p + '!'}}\": too loud");
}

TEST_F(Inputs, ANodeMayBeShownByAnotherName) {
  define_saying({"x"});
  input("n");
  say().display = text("{{inputs.parameters.n}} of {{workflow.name}}");
  dialect.workflow.definitions["main"] = graph({calling({{"n", "first"}})});
  dialect.workflow.definitions["main"].name = "main";
  EXPECT_EQ(node(run(), "wf.a").names.display, "first of wf");
}

}  // namespace
}  // namespace kist::engine::testing
