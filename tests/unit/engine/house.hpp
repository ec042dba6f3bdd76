// A home with everything the engine works with, and short ways to write workflows.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/engine.hpp"
#include "engine/small_place.hpp"
#include "engine/small_store.hpp"

namespace kist::engine::testing {

using model::Dependency;
using model::State;
using model::Text;

inline Text text(std::string_view source) {
  return Text::parse(source).value();
}

// ---- workflows in few words

inline model::Definition task(std::vector<std::string> command) {
  model::Run run;
  for (const std::string& word : command) run.command.push_back(text(word));
  model::Task task;
  task.containers.emplace_back();
  task.actions.push_back({.title = "", .container = "main", .when = {}, .origin = {}, .what = std::move(run)});
  model::Definition definition;
  definition.body = std::move(task);
  return definition;
}

inline model::Step step(std::string name, std::string definition) {
  model::Step step;
  step.name = std::move(name);
  step.call.definition = std::move(definition);
  return step;
}

inline Dependency is(std::string step, Dependency::Test test = Dependency::Test::succeeded) {
  return {.op = Dependency::Operator::is, .step = std::move(step), .test = test, .operands = {}};
}
inline Dependency all(std::vector<Dependency> operands) {
  return {.op = Dependency::Operator::all, .step = "", .test = {}, .operands = std::move(operands)};
}
inline Dependency any(std::vector<Dependency> operands) {
  return {.op = Dependency::Operator::any, .step = "", .test = {}, .operands = std::move(operands)};
}

inline model::Step step(std::string name, std::string definition, Dependency depends) {
  model::Step result = step(std::move(name), std::move(definition));
  result.depends = std::move(depends);
  return result;
}

inline model::Definition graph(std::vector<model::Step> steps) {
  model::Group group;
  group.steps = std::move(steps);
  model::Definition definition;
  definition.body = std::move(group);
  return definition;
}

inline model::Definition sequence(std::vector<std::vector<model::Step>> stages) {
  model::Group group;
  group.kind = model::Group::Kind::sequence;
  group.stages = std::move(stages);
  model::Definition definition;
  definition.body = std::move(group);
  return definition;
}

inline model::Group& group_of(model::Definition& definition) {
  return std::get<model::Group>(definition.body);
}
inline model::Task& task_of(model::Definition& definition) {
  return std::get<model::Task>(definition.body);
}

inline model::Definition with_retry(model::Definition definition, const char* limit) {
  definition.retry.emplace();
  definition.retry->limit = text(limit);
  return definition;
}

inline model::Loop over(std::vector<const char*> items) {
  std::vector<Text> texts;
  for (const char* item : items) texts.push_back(text(item));
  return {.items = std::move(texts)};
}
inline model::Loop over_list(const char* list) {
  return {.items = text(list)};
}

// ---- a dialect that says what the test has written

class SmallWording : public model::Wording {
 public:
  model::NodeNames names(const model::NodePlace& place) const override {
    std::string name = place.parent == nullptr ? place.run : place.parent->name;
    if (place.kind == model::NodePlace::Kind::item) {
      name += fmt::format("({}:{})", place.index, to_text(*place.item));
    } else if (place.kind == model::NodePlace::Kind::attempt) {
      name += fmt::format("({})", place.index);
    } else if (place.kind == model::NodePlace::Kind::hook) {
      name += "@" + place.step;
    } else if (place.kind == model::NodePlace::Kind::container) {
      name += "/" + place.step;
    } else if (place.parent != nullptr) {
      if (place.group == model::Group::Kind::sequence) name += fmt::format("[{}]", place.stage);
      name += "." + place.step;
    }
    return {.name = name, .display = place.step, .id = "id of " + name, .host = "pod of " + name};
  }
  std::string process_failed(const model::ProcessEnd& end) const override {
    return fmt::format("{}: Error (exit code {})", end.container, end.exit_code);
  }
  std::string child_failed(const model::NodeNames& child) const override {
    return fmt::format("child '{}' failed", child.name);
  }
  std::string condition_false(std::string_view condition) const override {
    return fmt::format("when '{}' evaluated false", condition);
  }
  std::string omitted() const override { return "omitted"; }
  std::string wrong_in_label(std::string_view value) const override { return value.contains('!') ? "too loud" : ""; }
  std::string stopped(bool abort) const override { return abort ? "was aborted" : "was stopped"; }
  std::string state(State state) const override { return fmt::format("<{}>", model::to_string(state)); }
  std::string log_prefix(const model::NodeNames&) const override { return ""; }
};

class SmallDialect : public model::Dialect {
 public:
  model::Workflow workflow;
  std::vector<model::Notice> notices;

  std::string_view name() const override { return "small"; }
  std::vector<fs::path> project_files(const fs::path&) const override { return {}; }
  bool recognises(const fs::path&, std::string_view) const override { return false; }
  Result<std::vector<model::WorkflowSummary>> workflows(const std::vector<model::SourceText>&) const override {
    return {};
  }
  Result<model::Lowered> lower(const model::RunRequest&) const override { return model::Lowered{workflow, notices}; }
  const model::Wording& wording() const override { return wording_; }

 private:
  SmallWording wording_;
};

// ---- what was shown

class Watcher : public Observer {
 public:
  void notice(const model::Notice& notice) override { notices.push_back(notice.text); }
  void run_changed(const model::RunRecord& run) override { states.push_back(run.state); }
  void node_changed(const model::NodeRecord& node) override {
    if (on_node) on_node(node);
  }
  void output(const model::NodeNames& node, task::Stream, std::string_view line) override {
    lines.push_back(fmt::format("{}: {}", node.name, line));
  }

  std::vector<State> states;
  std::vector<std::string> lines;
  std::vector<std::string> notices;
  std::function<void(const model::NodeRecord&)> on_node;
};

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() {
    dialect.workflow.naming = {.kind = model::RunNaming::Kind::given, .stem = "wf"};
    dialect.workflow.name = "w";
  }

  void define(const std::string& name, model::Definition definition) {
    definition.name = definition.label = name;
    if (dialect.workflow.entry.definition.empty()) dialect.workflow.entry.definition = name;
    dialect.workflow.definitions.insert_or_assign(name, std::move(definition));
  }

  std::string submit() {
    model::RunRequest request;
    request.dialect = "small";
    request.project = "/project";
    auto name = engine.submit(request, [&](const model::Notice& notice) { said.push_back(notice.text); });
    return name ? *name : "ERROR " + name.error().text;
  }

  // Submits and owns it, and gives what the catalog then says.
  model::RunRecord run() {
    std::string name = submit();
    auto state = engine.own(name, place, watcher);
    if (!state) ADD_FAILURE() << state.error().text;
    return catalog->run(name).value();
  }

  // A node's state and message: "failed: main: Error (exit code 1)".
  static std::string status(const model::RunRecord& run, const std::string& node) {
    for (const model::NodeRecord& record : run.nodes)
      if (record.names.name == node)
        return std::string(model::to_string(record.state)) + (record.message.empty() ? "" : ": " + record.message);
    return "none";
  }
  static const model::NodeRecord& node(const model::RunRecord& run, const std::string& name) {
    auto found = std::ranges::find_if(run.nodes, [&](const auto& record) { return record.names.name == name; });
    if (found == run.nodes.end()) throw std::out_of_range(name);
    return *found;
  }
  // The words of the command that a node was started with.
  std::vector<std::string> command(const std::string& name) {
    std::vector<std::string> words;
    for (const task::Document& document : place.began())
      if (document.node.name == name)
        for (const Text& word : std::get<model::Run>(document.task.actions.back().what).command)
          words.push_back(word.source());
    return words;
  }

  ScratchDirectory scratch = ScratchDirectory::make("/tmp", "kist-engine-").value();
  catalog::Home home = catalog::Home::open(scratch.path() / "home").value();
  std::unique_ptr<catalog::Catalog> catalog = catalog::Catalog::open(home).value();
  SmallStore store{scratch.path() / "store"};
  SmallDialect dialect;
  Dialects dialects{&dialect};
  SmallPlace place;
  Watcher watcher;
  std::vector<std::string> said;
  Engine engine{Parts{home, *catalog, store, dialects, [] { return now(); }, [](std::uint32_t) { return 0U; }}};
};

}  // namespace kist::engine::testing
