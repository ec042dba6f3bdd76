// A container or script as a task: inputs are loaded, the process runs, parameters are read, artifacts are saved. Argo
// collects outputs whatever the process said, so reads and saves happen after a failure and after a stop too.
#include <utility>

#include "dialect/argo/artifacts.hpp"
#include "dialect/argo/lower.hpp"
#include "dialect/argo/texts.hpp"

namespace kist::dialect::argo {
namespace {

constexpr std::string_view kMain = "main";

// What a template may say of its own paths: `{{outputs.artifacts.x.path}}`.
Values path_names(const Template& definition) {
  Values names;
  for (const Artifact& artifact : definition.inputs.artifacts)
    names["inputs.artifacts." + artifact.name.text + ".path"] = clean_path(artifact.path->text);
  for (const Artifact& artifact : definition.outputs.artifacts)
    names["outputs.artifacts." + artifact.name.text + ".path"] = clean_path(artifact.path->text);
  for (const Parameter& parameter : definition.outputs.parameters)
    if (parameter.path) names["outputs.parameters." + parameter.name.text + ".path"] = clean_path(parameter.path->text);
  return names;
}

// The variables that Argo gives every container.
std::vector<model::EnvironmentVariable> own_variables(bool capture) {
  return {
      {"ARGO_CONTAINER_NAME", make_text(kMain)},
      {"ARGO_WORKFLOW_NAME", make_text("{{workflow.name}}")},
      {"ARGO_NODE_ID", make_text("{{node.id}}")},
      {"ARGO_INCLUDE_SCRIPT_OUTPUT", make_text(capture ? "true" : "false")},
  };
}

}  // namespace

model::Task lower_task(const Spec& spec, const Template& definition, bool capture, const Report& report) {
  const Program& program = definition.program;
  const Values names = path_names(definition);
  auto text = [&](const Scalar& scalar) { return make_text(fill_names(scalar.text, names)); };

  model::Task task;
  model::Container& container = task.containers.emplace_back();
  container.name = kMain;
  container.image = text(*program.image);
  container.environment = own_variables(capture);
  for (const Variable& variable : program.environment)
    container.environment.push_back({variable.name.text, text(variable.value)});
  if (program.working_directory) container.working_directory = text(*program.working_directory);

  constexpr model::When kAfterwards{.success = true, .failure = true, .stopped = true, .aborted = false};
  auto add = [&](std::string title, model::When when, yaml::Mark mark, auto what) {
    task.actions.push_back({std::move(title), std::string(kMain), when, report.origin(mark), std::move(what)});
  };

  for (const Artifact& artifact : definition.inputs.artifacts)
    add(artifact.name.text, {}, artifact.mark, load_of(artifact, names));

  model::Run run;
  for (const auto* words : {&program.command, &program.arguments})
    for (const Scalar& word : *words) run.command.push_back(text(word));
  run.image_program = program.command.empty();
  run.expand_variables = true;
  if (program.source) {
    run.script = text(*program.source);
    run.script_path = kScriptPath;
  }
  add(std::string(kMain), {}, program.mark, std::move(run));

  for (const Parameter& parameter : definition.outputs.parameters) {
    model::Read read{.parameter = parameter.name.text,
                     .path = make_text(fill_names(clean_path(parameter.path->text), names)),
                     .fallback = std::nullopt};
    if (parameter.absent) read.fallback = text(*parameter.absent);
    add(parameter.name.text, kAfterwards, parameter.mark, std::move(read));
  }
  const auto unwritten = spec.bare ? model::Archive::Kind::none : model::Archive::Kind::tar;
  for (const Artifact& artifact : definition.outputs.artifacts)
    add(artifact.name.text, kAfterwards, artifact.mark, save_of(artifact, unwritten, names));

  task.capture_result = capture;
  return task;
}

}  // namespace kist::dialect::argo
