// Only what the entrypoint reaches becomes part of the model. Templates stay what they are, definitions of one level,
// so recursion needs nothing special; names that stay the same over a run become the workflow's variables.
#include "dialect/argo/lower.hpp"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "dialect/argo/artifacts.hpp"
#include "dialect/argo/names.hpp"
#include "dialect/argo/texts.hpp"

namespace kist::dialect::argo {
namespace {

// Kubernetes cuts a generateName so that five more characters make a name of at most 63.
constexpr std::size_t kStemLimit = 58;

// Calls `visit` for the steps of a group that run.
template <typename Visit>
void for_each_running(const Template& group, const Graphs& graphs, Visit visit) {
  for (const auto& stage : group.stages)
    for (const StepSpec& step : stage) visit(step);
  if (group.kind != Template::Kind::dag) return;
  const Graph& graph = graphs.at(&group);
  for (std::size_t task = 0; task < group.tasks.size(); ++task)
    if (graph.runs[task]) visit(group.tasks[task]);
}

// Templates whose result somebody asks for: `steps.a.outputs.result` in an argument, a condition or an output of the
// group that calls them. Argo keeps results of those only.
TemplateNames captured_templates(const Spec& spec, const TemplateNames& used) {
  TemplateNames captured;
  for (const Template& group : spec.templates) {
    if (!used.contains(group.name.text) || !is_group(group.kind)) continue;
    std::set<std::string, std::less<>> asked;
    auto look = [&](const std::optional<Scalar>& text) {
      if (!text || !text->text.contains("outputs.result")) return;
      for_each_reference(make_text(text->text), [&](std::string_view name, std::string_view) {
        if (!name.ends_with(".outputs.result")) return;
        name.remove_suffix(std::string_view(".outputs.result").size());
        asked.emplace(name.substr(std::min(name.find('.') + 1, name.size())));
      });
    };
    for_each_step(group, [&](const StepSpec& step, const std::string&) {
      look(step.condition);
      for (const Parameter& parameter : step.arguments.parameters) look(parameter.value);
      for (const Artifact& artifact : step.arguments.artifacts) look(artifact.raw);
    });
    for (const Parameter& parameter : group.outputs.parameters) {
      look(parameter.parameter);
      look(parameter.value);
    }
    for_each_step(group, [&](const StepSpec& step, const std::string&) {
      if (step.definition && asked.contains(step.name.text)) captured.insert(step.definition->text);
    });
  }
  return captured;
}

std::string to_json_text(const std::vector<std::pair<std::string, std::string>>& map) {
  Json value = Json::object();
  for (const auto& [name, text] : map) value[name] = text;
  return to_text(value);
}

// Names of the workflow that stay the same while it runs.
std::map<std::string, std::string> variables_of(const Spec& spec) {
  std::map<std::string, std::string> variables = {
      {"workflow.namespace", spec.name_space ? spec.name_space->text : "default"},
      {"workflow.serviceAccountName", spec.service_account ? spec.service_account->text : "default"},
      {"workflow.mainEntrypoint", spec.entrypoint->text},
  };
  if (spec.priority) variables["workflow.priority"] = spec.priority->text;
  for (const auto& [kind, map] : {std::pair("labels", &spec.labels), std::pair("annotations", &spec.annotations)}) {
    const std::string prefix = std::string("workflow.") + kind;
    variables[prefix] = variables[prefix + ".json"] = to_json_text(*map);
    for (const auto& [name, value] : *map) variables[prefix + "." + name] = value;
  }
  return variables;
}

model::RunNaming naming_of(const Spec& spec, std::string_view name) {
  if (spec.name && !spec.name->text.empty()) return {model::RunNaming::Kind::given, object_name(spec.name->text)};
  std::string stem = spec.generate_name && !spec.generate_name->text.empty() ? object_name(spec.generate_name->text)
                                                                             : std::string(name) + "-";
  return {model::RunNaming::Kind::random, stem.substr(0, kStemLimit)};
}

model::Definition lower_template(const Spec& spec, const Template& written, const Graphs& graphs, bool capture,
                                 const Report& report) {
  model::Definition definition;
  definition.name = definition.label = written.name.text;
  definition.origin = report.origin(written.mark);
  for (const Parameter& parameter : written.inputs.parameters) {
    model::InputParameter input{.name = parameter.name.text, .fallback = std::nullopt, .allowed = {}};
    if (const auto& given = parameter.value ? parameter.value : parameter.fallback)
      input.fallback = make_text(given->text);
    if (parameter.allowed)
      for (const Scalar& value : *parameter.allowed) input.allowed.push_back(value.text);
    definition.parameters.push_back(std::move(input));
  }
  for (const Artifact& artifact : written.inputs.artifacts) definition.artifacts.push_back(lower_input(artifact));
  if (is_task(written.kind))
    definition.body = lower_task(spec, written, capture, report);
  else
    definition.body =
        lower_group(spec, written, written.kind == Template::Kind::dag ? &graphs.at(&written) : nullptr, report);
  return definition;
}

}  // namespace

TemplateNames reached_templates(const Spec& spec, const Graphs& graphs) {
  TemplateNames reached;
  std::vector<std::string> open;
  if (spec.entrypoint) open.push_back(spec.entrypoint->text);
  while (!open.empty()) {
    const std::string name = std::move(open.back());
    open.pop_back();
    const Template* found = find_template(spec, name);
    if (found == nullptr || !reached.insert(name).second) continue;
    for_each_running(*found, graphs, [&](const StepSpec& step) {
      if (step.definition) open.push_back(step.definition->text);
    });
  }
  return reached;
}

model::Workflow lower_workflow(const Spec& spec, const Graphs& graphs, const TemplateNames& used, std::string_view name,
                               const Report& report) {
  model::Workflow workflow;
  workflow.name = name;
  workflow.dialect = "argo";
  workflow.naming = naming_of(spec, name);
  workflow.variables = variables_of(spec);
  const TemplateNames captured = captured_templates(spec, used);
  for (const Template& written : spec.templates)
    if (used.contains(written.name.text))
      workflow.definitions.emplace(written.name.text,
                                   lower_template(spec, written, graphs, captured.contains(written.name.text), report));

  const Template& entry = *find_template(spec, spec.entrypoint->text);
  workflow.entry.definition = entry.name.text;
  for (const Parameter& parameter : spec.arguments.parameters) {
    const std::optional<Scalar>& given = parameter.value ? parameter.value : parameter.fallback;
    workflow.parameters.emplace_back(parameter.name.text,
                                     parameter.overridden ? model::Text::literal(given->text) : make_text(given->text));
    if (std::ranges::any_of(entry.inputs.parameters,
                            [&](const Parameter& input) { return input.name.text == parameter.name.text; }))
      workflow.entry.arguments.parameters.push_back(workflow.parameters.back());
  }
  for (const Artifact& artifact : spec.arguments.artifacts)
    if (artifact.raw && std::ranges::any_of(entry.inputs.artifacts, [&](const Artifact& input) {
          return input.name.text == artifact.name.text;
        }))
      workflow.entry.arguments.artifacts.emplace_back(artifact.name.text, artifact_source(artifact));
  return workflow;
}

}  // namespace kist::dialect::argo
