// What an earlier run did is not done again, where that is asked for.
#include "engine/fingerprint.hpp"
#include "engine/house.hpp"
#include "engine/project_state.hpp"

namespace kist::engine::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Result<std::optional<task::SecretValues>> no_secrets(std::string_view) {
  return std::optional<task::SecretValues>();
}

class Cached : public EngineTest {
 protected:
  Cached() {
    define("main", {});
    define("make", task({"make", "out"}));
    define("say", task({"print", "{{inputs.parameters.p}}"}));
    dialect.workflow.definitions["say"].parameters.push_back({.name = "p", .fallback = {}, .allowed = {}});
    main_says("hello");
  }

  void main_says(const char* word) {
    model::Step say = step("b", "say", is("a"));
    say.call.arguments.parameters = {{"p", text(word)}};
    define("main", graph({step("a", "make"), say}));
  }

  // Runs it under another name; the nodes that began.
  std::vector<std::string> run_again(const std::string& name, bool cached = true) {
    const std::size_t before = place.began().size();
    model::RunRequest request;
    request.dialect = "small";
    request.project = "/project";
    request.name = name;
    request.cached = cached;
    EXPECT_TRUE(engine.submit(request, [](const model::Notice&) {}));
    auto state = engine.own(name, place, watcher);
    EXPECT_TRUE(state) << state.error().text;
    auto names = place.began_nodes();
    names.erase(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(before));
    return names;
  }
};

TEST_F(Cached, NothingRunsWhereNothingHasChanged) {
  run();
  EXPECT_THAT(run_again("second"), IsEmpty());
  model::RunRecord second = catalog->run("second").value();
  EXPECT_EQ(second.state, State::succeeded);
  EXPECT_EQ(status(second, "second.a"), "succeeded: taken from wf");
  EXPECT_EQ(node(second, "second.a").taken_from, "wf");
  EXPECT_EQ(node(second, "second.a").output_artifacts.at(0).tree, sha256("wf.a/out"));
  EXPECT_EQ(node(second, "second.a").output_artifacts.at(0).producer->run, "wf");
  EXPECT_EQ(node(second, "second.b").result, "hello");

  // What was taken can be taken again, and is still that run's.
  ASSERT_TRUE(remove_run({home, *catalog, store, dialects, [] { return now(); }, {}}, "wf"));
  EXPECT_THAT(run_again("third"), IsEmpty());
  EXPECT_EQ(node(catalog->run("third").value(), "third.a").output_artifacts.at(0).producer->run, "wf");
}

TEST_F(Cached, OnlyWhereItIsAskedFor) {
  run();
  EXPECT_THAT(run_again("second", false), ElementsAre("second.a", "second.b"));
}

TEST_F(Cached, WhatHasChangedRuns) {
  run();
  main_says("goodbye");
  EXPECT_THAT(run_again("second"), ElementsAre("second.b"));
  std::get<model::Run>(task_of(dialect.workflow.definitions["make"]).actions[0].what).environment = {
      {.name = "X", .value = text("1")}};
  EXPECT_THAT(run_again("third"), ElementsAre("third.a"));
}

TEST_F(Cached, WhatNamesTheRunDoesNotCount) {
  auto& environment = task_of(dialect.workflow.definitions["make"]).containers[0].environment;
  environment = {{.name = "RUN", .value = text("{{workflow.name}}"), .of_run = true}};
  run();
  EXPECT_THAT(run_again("second"), IsEmpty());
  environment[0].of_run = false;
  EXPECT_THAT(run_again("third"), ElementsAre("third.a"));
  EXPECT_THAT(run_again("fourth"), ElementsAre("fourth.a"));
}

TEST_F(Cached, OfWhatFailedNothingIsTaken) {
  define("say", task({"fail"}));
  run();
  EXPECT_THAT(run_again("second"), ElementsAre("second.b"));
}

TEST_F(Cached, WhatIsNotInTheStoreAnyMoreIsMadeAgain) {
  run();
  store.lost = sha256("wf.a/out");
  EXPECT_THAT(run_again("second"), ElementsAre("second.a"));
}

TEST_F(Cached, HandlersAreAlwaysCalled) {
  dialect.workflow.on_exit = model::Call{"make", {}};
  run();
  EXPECT_THAT(run_again("second"), ElementsAre("second@exit"));
}

TEST_F(Cached, WhatCannotBeToldRuns) {
  auto never = [] { return std::optional<Digest>(); };
  task::Document document;
  document.task = task_of(dialect.workflow.definitions["make"]);
  const auto plain = fingerprint_of(document, never, no_secrets);
  EXPECT_TRUE(plain);

  auto changed = [&](const auto& change) {
    task::Document other = document;
    change(other);
    return fingerprint_of(other, never, no_secrets);
  };
  using Kind = model::Volume::Kind;
  auto volume = [](Kind kind) { return [kind](task::Document& one) { one.task.volumes.emplace_back().kind = kind; }; };
  EXPECT_EQ(changed(volume(Kind::claim)), std::nullopt);
  EXPECT_EQ(changed(volume(Kind::run)), std::nullopt);
  EXPECT_EQ(changed(volume(Kind::host)), std::nullopt);
  EXPECT_NE(changed(volume(Kind::empty)), std::nullopt);
  EXPECT_NE(changed(volume(Kind::empty)), plain);
  EXPECT_EQ(changed([](auto& one) { one.task.daemon = true; }), std::nullopt);
  EXPECT_EQ(changed([](auto& one) { one.task.uses_project = true; }), std::nullopt);
  EXPECT_EQ(changed([](auto& one) { one.loads[0].project = true; }), std::nullopt);
  EXPECT_EQ(changed([](auto& one) { one.loads[0].external.emplace(); }), std::nullopt);
  auto action = [](auto what) {
    return [what](task::Document& one) {
      one.task.actions.push_back({.title = "", .container = "main", .when = {}, .origin = {}, .what = what});
    };
  };
  EXPECT_EQ(changed(action(model::HttpRequest{})), std::nullopt);
  EXPECT_EQ(changed(action(model::Watch{})), std::nullopt);
  model::Save save;
  EXPECT_NE(changed(action(save)), std::nullopt);
  save.to.emplace().kind = "key";
  EXPECT_NE(changed(action(save)), std::nullopt);
  save.to->kind = "s3";
  EXPECT_EQ(changed(action(save)), std::nullopt);
}

TEST_F(Cached, InputsCountByWhatTheyHold) {
  auto never = [] { return std::optional<Digest>(); };
  task::Document document;
  document.loads[0].trees.emplace_back().artifact.tree = sha256("one");
  const auto one = fingerprint_of(document, never, no_secrets);
  document.loads[0].trees[0].artifact.times = sha256("other times");
  EXPECT_EQ(fingerprint_of(document, never, no_secrets), one);
  document.loads[0].trees[0].artifact.tree = sha256("two");
  EXPECT_NE(fingerprint_of(document, never, no_secrets), one);
}

// Also where a key that is not read changes nothing, and the digest tells no value.
TEST_F(Cached, SecretsCountByTheirValues) {
  auto never = [] { return std::optional<Digest>(); };
  task::SecretValues values = {{"word", "sesame"}, {"other", "1"}};
  const FindSecret door = [&](std::string_view) { return std::optional(values); };
  task::Document of_key, of_all, of_file;
  const model::SecretReference word{text("door"), text("word"), false};
  of_key.task.containers.emplace_back().environment = {{.name = "W", .value = {}, .secret = word}};
  of_all.task.containers.emplace_back().secret_environment = {{text("door"), "", false}};
  of_file.task.volumes.emplace_back().kind = model::Volume::Kind::files;
  of_file.task.volumes[0].files = {{.path = "w", .text = {}, .secret = word}};
  const auto all = [&] {
    std::vector<std::string> digests;
    for (const auto* each : {&of_key, &of_all, &of_file})
      digests.push_back(fingerprint_of(*each, never, door).value_or("none"));
    return digests;
  };
  const auto before = all();
  values["other"] = "2";
  auto after = all();
  EXPECT_EQ(after[0], before[0]);
  EXPECT_NE(after[1], before[1]);
  EXPECT_EQ(after[2], before[2]);
  values["word"] = "mellon";
  after = all();
  for (int i = 0; i < 3; ++i) EXPECT_NE(after[i], before[i]) << i;
  EXPECT_NE(fingerprint_of(of_key, never, no_secrets), after[0]);
  const FindSecret unreadable = [](std::string_view) -> Result<std::optional<task::SecretValues>> {
    return fail(ErrorKind::denied, "");
  };
  EXPECT_EQ(fingerprint_of(of_key, never, unreadable), std::nullopt);
}

TEST_F(Cached, TheProjectCountsByItsFiles) {
  const fs::path project = scratch.path() / "project";
  fs::create_directories(project / ".git");
  std::ofstream(project / "train.py") << "1";
  std::ofstream(project / "w.yaml") << "1";
  model::RunRecord run;
  run.project = project;
  run.request.files = {{.name = "w.yaml", .text = ""}};
  const auto before = state_of_project(run, home.path());
  ASSERT_TRUE(before);
  std::ofstream(project / ".git" / "index") << "2";
  std::ofstream(project / "w.yaml") << "22";
  EXPECT_EQ(state_of_project(run, home.path()), before);
  std::ofstream(project / "train.py") << "22";
  EXPECT_NE(state_of_project(run, home.path()), before);
  run.project = project / "not there";
  EXPECT_EQ(state_of_project(run, home.path()), std::nullopt);
}

}  // namespace
}  // namespace kist::engine::testing
