// Templates, their programs, steps and tasks. A template of a kind that is not supported yet is read as far as its
// inputs and outputs go: others may refer to these, and are checked.
#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "dialect/argo/read.hpp"

namespace kist::dialect::argo {
namespace {

constexpr auto kTypes = std::to_array<std::pair<std::string_view, Template::Kind>>({
    {"container", Template::Kind::container},
    {"script", Template::Kind::script},
    {"steps", Template::Kind::steps},
    {"dag", Template::Kind::dag},
    {"containerSet", Template::Kind::unsupported},
    {"data", Template::Kind::unsupported},
    {"http", Template::Kind::unsupported},
    {"plugin", Template::Kind::unsupported},
    {"resource", Template::Kind::unsupported},
    {"suspend", Template::Kind::unsupported},
});

Program read_program(const yaml::Node& node, bool script, const std::string& where, Report& report) {
  Fields fields(report, node, script ? kScript : kContainer, where);
  Program program;
  program.mark = node.mark;
  program.image = fields.text("image");
  program.command = fields.texts("command");
  program.arguments = fields.texts("args");
  program.working_directory = fields.text("workingDir");
  const std::vector<yaml::Node>& variables = fields.list("env");
  for (std::size_t index = 0; index < variables.size(); ++index) {
    const std::string inner = fmt::format("{}.env[{}]", where, index);
    Fields variable(report, variables[index], kEnvironment, inner);
    const yaml::Mark mark = variables[index].mark;
    Scalar name = variable.text("name").value_or(Scalar{"", mark});
    if (name.text.empty() || name.text.contains('='))
      report.error(name.mark, fmt::format("{}.name must be the name of a variable, not '{}'", inner, name.text));
    else
      program.environment.push_back({name, variable.text("value").value_or(Scalar{"", mark})});
  }
  if (script) program.source = fields.text("source").value_or(Scalar{"", node.mark});
  return program;
}

StepSpec read_step(const yaml::Node& node, bool task, const std::string& where, Report& report) {
  Fields fields(report, node, task ? kTask : kStep, where);
  StepSpec step;
  step.mark = node.mark;
  step.name = fields.text("name").value_or(Scalar{"", node.mark});
  step.definition = fields.text("template");
  step.other_definition = fields.gives("templateRef") || fields.gives("inline");
  step.loops = fields.gives("withItems") || fields.gives("withParam") || fields.gives("withSequence");
  step.has_exit_handlers = fields.gives("onExit") || fields.gives("hooks");
  step.condition = fields.text("when");
  if (step.condition && step.condition->text.empty()) step.condition.reset();
  step.arguments = read_exchange(fields.mapping("arguments"), Side::arguments, where + ".arguments", report);
  if (const yaml::Node* go_on = fields.mapping("continueOn")) {
    Fields inner(report, *go_on, kContinueOn, where + ".continueOn");
    step.has_continue_on = true;
    step.tolerate_error = inner.boolean("error", false);
    step.tolerate_failed = inner.boolean("failed", false);
  }
  if (task) {
    step.has_dependencies = fields.gives("dependencies");
    step.dependencies = fields.texts("dependencies");
    step.depends = fields.text("depends");
    if (step.depends && step.depends->text.empty()) step.depends.reset();
  }
  return step;
}

std::string step_name(const std::string& where, const yaml::Node& node) {
  const yaml::Node* name = node.is_mapping() ? node.find("name") : nullptr;
  return name != nullptr && name->is_scalar() ? fmt::format("{}.{}", where, name->text) : where;
}

void read_stages(Fields& fields, Template& definition) {
  const std::vector<yaml::Node>& stages = fields.list("steps");
  for (std::size_t index = 0; index < stages.size(); ++index) {
    const std::string where = fmt::format("{}.steps[{}]", fields.where(), index);
    if (!stages[index].is_sequence()) {
      fields.report().error(stages[index].mark, fmt::format("{} must be a list of steps that run side by side "
                                                            "(`- - name: …`), not {}",
                                                            where, kind_of(stages[index])));
      continue;
    }
    std::vector<StepSpec>& stage = definition.stages.emplace_back();
    for (const yaml::Node& step : stages[index].items)
      stage.push_back(read_step(step, false, step_name(where, step), fields.report()));
  }
}

void read_dag(Fields& fields, Template& definition) {
  const yaml::Node* dag = fields.mapping("dag");
  if (dag == nullptr) return;
  Fields inner(fields.report(), *dag, kDag, fields.where() + ".dag");
  definition.target = inner.text("target");
  definition.fail_fast = inner.boolean("failFast", true);
  for (const yaml::Node& task : inner.list("tasks"))
    definition.tasks.push_back(read_step(task, true, step_name(fields.where() + ".tasks", task), fields.report()));
}

// Where a template keeps its outputs: only what says so about logs may be passed over.
void read_archive_location(Fields& fields) {
  if (const yaml::Node* location = fields.mapping("archiveLocation"))
    Fields(fields.report(), *location, kArchiveLocation, fields.where() + ".archiveLocation");
}

}  // namespace

Template read_template(const yaml::Node& node, std::size_t index, Report& report) {
  Template definition;
  definition.mark = definition.program.mark = node.mark;
  definition.name = Scalar{"", node.mark};
  std::string where = fmt::format("templates[{}]", index);
  if (const yaml::Node* name = node.is_mapping() ? node.find("name") : nullptr; name != nullptr && name->is_scalar()) {
    definition.name = Scalar{name->text, name->mark};
    if (!name->text.empty()) where = fmt::format("templates.{}", name->text);
  }
  report.enter(definition.name.text);

  Fields fields(report, node, kTemplate, where);
  (void)fields.text("name");
  int types = 0;
  for (const auto& [key, kind] : kTypes) {
    if (fields.find(key) == nullptr) continue;
    if (++types == 1) definition.kind = kind;
  }
  if (types == 0 && node.is_mapping())
    report.error(node.mark, where + ": template type unspecified; it needs one of container, script, steps and dag");
  if (types > 1) report.error(node.mark, where + ": multiple template types specified");

  definition.inputs = read_exchange(fields.mapping("inputs"), Side::inputs, where + ".inputs", report);
  definition.outputs = read_exchange(fields.mapping("outputs"), Side::outputs, where + ".outputs", report);
  definition.daemon = fields.gives("daemon");
  if (fields.gives("parallelism")) definition.parallelism = fields.find("parallelism")->mark;
  read_archive_location(fields);
  for (const bool script : {false, true}) {
    const std::string key = script ? "script" : "container";
    if (const yaml::Node* program = fields.mapping(key))
      definition.program = read_program(*program, script, fmt::format("{}.{}", where, key), report);
  }
  read_stages(fields, definition);
  read_dag(fields, definition);
  return definition;
}

}  // namespace kist::dialect::argo
