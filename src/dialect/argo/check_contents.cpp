// What inputs and outputs must say depends on the template: a task's have paths, a group's only pass on what its steps
// have. The workflow's own arguments are the only place where values must be complete, once it is to run.
#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "dialect/argo/artifacts.hpp"
#include "dialect/argo/check.hpp"
#include "dialect/argo/documents.hpp"
#include "dialect/argo/object_kinds.hpp"

namespace kist::dialect::argo {
namespace {

void check_allowed(const Parameter& parameter, const std::string& where, Report& report) {
  if (!parameter.allowed) return;
  if (parameter.allowed->empty())
    report.error(parameter.mark, where + ".enum should contain at least one value");
  else if (parameter.value && !parameter.value->text.contains("{{") &&
           std::ranges::count(*parameter.allowed, parameter.value->text, &Scalar::text) == 0)
    report.error(parameter.value->mark, fmt::format("{0}.value should be present in {0}.enum list", where));
}

// The workflow's own arguments: each has a value. As Argo's lint, who only looks does not ask for those of parameters,
// which come with the run; what may be left out otherwise is told.
void check_workflow_arguments(const Spec& spec, bool to_run, Report& report) {
  const bool complete = to_run || spec.kind != Spec::Kind::library;
  for (const Parameter& parameter : spec.arguments.parameters) {
    const std::string where = "spec.arguments." + parameter.name.text;
    if (complete && !parameter.value && !parameter.fallback && !parameter.has_value_from)
      report.lacking(parameter.mark, fmt::format("{0}.value or {0}.valueFrom is required{1}", where,
                                                 advice_to_give(parameter.name.text)));
    check_source(parameter, where, report);
    check_allowed(parameter, where, report);
  }
  for (const Artifact& artifact : spec.arguments.artifacts)
    if (complete && !artifact.has_location() && !artifact.from && !artifact.expression && !artifact.optional)
      report.error(
          artifact.mark,
          fmt::format("spec.arguments.artifacts.{}: from, artifact location, or key is required", artifact.name.text));
}

// A path stays inside the task's root. It may hold references; what it is then is checked when it is used.
void check_path(const Artifact& artifact, const std::string& where, Report& report) {
  if (artifact.path && leaves_root(artifact.path->text))
    report.error(artifact.path->mark,
                 fmt::format("{}.path '{}' leaves the task's root directory", where, artifact.path->text));
}

// The mounts of the container that artifacts belong to.
const std::vector<Mount>* mounts_of(const Template& definition) {
  if (is_task(definition.kind)) return &definition.program.mounts;
  for (const Program& program : definition.containers)
    if (program.name && program.name->text == "main") return &program.mounts;
  return nullptr;
}

void check_inputs(const Template& definition, Report& report) {
  const std::string where = where_of(definition) + ".inputs";
  for (const Parameter& parameter : definition.inputs.parameters) {
    check_allowed(parameter, fmt::format("{}.parameters.{}", where, parameter.name.text), report);
    if (parameter.path || parameter.parameter)
      report.error(parameter.mark, fmt::format("{}.parameters.{}.valueFrom.{} is only valid in outputs", where,
                                               parameter.name.text, parameter.path ? "path" : "parameter"));
  }

  std::map<std::string, std::string, std::less<>> mounted;
  if (const auto* mounts = mounts_of(definition))
    for (const Mount& mount : *mounts)
      mounted.emplace(clean_path(mount.path.text), "volumeMounts." + mount.volume.text);
  for (std::size_t index = 0; index < definition.inputs.artifacts.size(); ++index) {
    const Artifact& artifact = definition.inputs.artifacts[index];
    const std::string name = fmt::format("{}.artifacts.{}", where, artifact.name.text);
    if (artifact.from || artifact.expression)
      report.error(artifact.mark, name + ".from not valid in inputs; it belongs into the arguments of the step");
    if (is_pod(definition.kind)) {
      if (!artifact.path || artifact.path->text.empty()) {
        report.error(artifact.mark, name + ".path not specified");
        continue;
      }
      check_path(artifact, name, report);
      auto [first, fresh] = mounted.emplace(clean_path(artifact.path->text), "inputs.artifacts." + artifact.name.text);
      if (!fresh)
        report.error(artifact.path->mark, fmt::format("{}.artifacts[{}].path '{}' already mounted in {}", where, index,
                                                      artifact.path->text, first->second));
    } else if (is_group(definition.kind) && artifact.path) {
      report.error(artifact.path->mark, name + ".path only valid in container/script templates");
    }
  }
}

std::string_view kind_word(Template::Kind kind) {
  switch (kind) {
    case Template::Kind::script:
      return "Script";
    case Template::Kind::steps:
      return "Steps";
    case Template::Kind::dag:
      return "DAG";
    case Template::Kind::container_set:
      return "ContainerSet";
    case Template::Kind::http:
      return "HTTP";
    case Template::Kind::suspend:
      return "Suspend";
    default:
      return "Container";
  }
}

void check_output_parameter(const Template& definition, const Parameter& parameter, Report& report) {
  const std::string where = fmt::format("{}.outputs.parameters.{}", where_of(definition), parameter.name.text);
  if (parameter.value && parameter.has_value_from) {
    report.error(parameter.mark, where + " has both valueFrom and value specified. Choose one.");
    return;
  }
  if (parameter.value) return;
  if (!parameter.has_value_from) {
    report.error(parameter.mark, where + " does not have valueFrom or value specified");
    return;
  }
  if (parameter.value_from_sources > 1) {
    report.error(parameter.mark, where + " has multiple valueFrom specified");
    return;
  }
  if (is_pod(definition.kind)) {
    if (!parameter.path)
      report.error(parameter.mark,
                   fmt::format("{}.path must be specified for {} templates", where, kind_word(definition.kind)));
    else if (leaves_root(parameter.path->text))
      report.error(parameter.path->mark,
                   fmt::format("{}.path '{}' leaves the task's root directory", where, parameter.path->text));
  } else if (is_group(definition.kind) && !parameter.parameter && !parameter.expression) {
    report.error(parameter.mark, fmt::format("{}.parameter or expression must be specified for {} templates", where,
                                             kind_word(definition.kind)));
  } else if (definition.kind == Template::Kind::resource && !parameter.json_path && !parameter.jq_filter) {
    report.error(parameter.mark, where + " .jsonPath or jqFilter must be specified for Resource templates");
  }
}

void check_outputs(const Template& definition, Report& report) {
  for (const Parameter& parameter : definition.outputs.parameters)
    check_output_parameter(definition, parameter, report);
  for (const Artifact& artifact : definition.outputs.artifacts) {
    const std::string where = fmt::format("{}.outputs.artifacts.{}", where_of(definition), artifact.name.text);
    if (artifact.raw) report.error(artifact.mark, where + ".raw not valid in outputs");
    if (is_pod(definition.kind)) {
      if (!artifact.path || artifact.path->text.empty()) report.error(artifact.mark, where + ".path not specified");
      if (artifact.from) report.error(artifact.from->mark, where + ".from only valid in steps and dag templates");
      check_path(artifact, where, report);
    } else if (is_group(definition.kind)) {
      if (artifact.path) report.error(artifact.path->mark, where + ".path only valid in container/script templates");
      if (!artifact.from && !artifact.expression)
        report.error(artifact.mark, where + ": from or fromExpression is required");
    }
  }
}

// What Argo itself runs beside a template's container. Its init containers may have any name.
void check_container_name(const Program& program, const std::string& where, Report& report) {
  if (!program.name) return;
  const std::string& name = program.name->text;
  if (name == "wait" || name == "supervisor" || name.starts_with("artifact-plugin-"))
    report.error(program.name->mark, fmt::format("{}: '{}' is a reserved Argo container name", where, name));
}

void check_container_set(const Template& definition, Report& report) {
  const std::string where = where_of(definition) + ".containerSet.containers";
  if (definition.containers.empty()) {
    report.error(definition.mark, where + " must have at least one container");
    return;
  }
  std::map<std::string, std::vector<std::string>, std::less<>> waits;
  for (const Program& program : definition.containers) {
    const std::string name = program.name ? program.name->text : "main";
    if (!waits.emplace(name, std::vector<std::string>()).second)
      report.error(program.mark, fmt::format("{}.{} name '{}' is not unique", where, name, name));
    if (!program.image || program.image->text.empty())
      report.error(program.mark, fmt::format("{}.{}.image may not be empty", where, name));
    if (program.command.empty() && program.arguments.empty())
      report.warning(program.mark, fmt::format("{}.{} has no command", where, name));
    check_container_name(program, where, report);
  }
  for (const Program& program : definition.containers)
    for (const Scalar& other : program.dependencies) {
      const std::string name = program.name ? program.name->text : "main";
      if (!waits.contains(other.text))
        report.error(other.mark, fmt::format("{}.{} dependency '{}' not defined", where, name, other.text));
      else
        waits[name].push_back(other.text);
    }
  // Containers that wait for nothing that is left are taken away until none is; whoever stays waits for a cycle.
  for (bool found = true; found;) {
    found = false;
    for (auto at = waits.begin(); at != waits.end() && !found; ++at) {
      if (std::ranges::any_of(at->second, [&](const std::string& other) { return waits.contains(other); })) continue;
      waits.erase(at);
      found = true;
      break;
    }
  }
  if (!waits.empty())
    report.error(definition.mark, fmt::format("{} dependency cycle detected at '{}'", where, waits.begin()->first));
  const bool has_main = std::ranges::any_of(
      definition.containers, [](const Program& program) { return !program.name || program.name->text == "main"; });
  const bool exchanges = !definition.inputs.artifacts.empty() || !definition.outputs.artifacts.empty() ||
                         !definition.outputs.parameters.empty();
  if (!has_main && exchanges)
    report.error(
        definition.mark,
        where_of(definition) + ".containerSet.containers must have a container named \"main\" for input or output");
}

constexpr auto kActions = std::to_array<std::string_view>({"get", "create", "apply", "delete", "replace", "patch"});
constexpr auto kMergeStrategies = std::to_array<std::string_view>({"", "strategic", "merge", "json"});

void check_resource(const Template& definition, Report& report) {
  const std::string where = where_of(definition) + ".resource";
  const ResourceSpec& resource = definition.resource;
  const std::string action = resource.action ? resource.action->text : "";
  if (!action.contains("{{") && std::ranges::count(kActions, std::string_view(action)) == 0)
    report.error(definition.mark, where + ".action must be one of: get, create, apply, delete, replace, patch");
  if (resource.merge_strategy &&
      std::ranges::count(kMergeStrategies, std::string_view(resource.merge_strategy->text)) == 0)
    report.error(resource.merge_strategy->mark, where + ".mergeStrategy must be one of: strategic, merge, json");
  if (!resource.manifest && !resource.manifest_from) {
    if (action != "delete" && action != "get")
      report.error(definition.mark, where + ".manifest or manifestFrom must be specified");
    return;
  }
  if (!resource.manifest || resource.manifest->text.contains("{{")) return;
  auto roots = yaml::parse(resource.manifest->text, where + ".manifest", {.duplicate_keys = true});
  // A patch may be a list of changes.
  auto fits = [](const yaml::Node& root) { return root.is_mapping() || root.is_sequence() || root.is_null(); };
  if (!roots || (!roots->empty() && !fits(roots->front())))
    report.error(resource.manifest->mark, where + ".manifest must be a valid yaml");
  if (!roots || roots->empty() || !roots->front().is_mapping() || roots->front().find("kind") == nullptr) return;
  const yaml::Node& root = roots->front();
  if (const auto kind = find_kind(text_at(root, {"kind"}), text_at(root, {"apiVersion"})); !kind)
    report.warning(resource.manifest->mark,
                   fmt::format("{}: this step will not succeed: {}", where, kind.error().text));
}

void check_body(const Template& definition, Report& report) {
  const std::string where = where_of(definition);
  const bool has_image = definition.program.image && !definition.program.image->text.empty();
  if (is_task(definition.kind) && definition.types == 1 && !has_image)
    report.error(definition.program.mark,
                 fmt::format("{}.{}.image may not be empty", where,
                             definition.kind == Template::Kind::script ? "script" : "container"));
  if (definition.parallelism && !is_group(definition.kind) && definition.kind != Template::Kind::none)
    report.error(definition.parallelism->mark, where + ".parallelism is only valid for steps and dag templates");
  if (definition.kind == Template::Kind::dag && definition.tasks.empty())
    report.error(definition.mark, where + " must have at least one task");
  if (definition.kind == Template::Kind::container_set) check_container_set(definition, report);
  if (definition.kind == Template::Kind::resource) check_resource(definition, report);
  if (definition.kind == Template::Kind::http && (!definition.http.url || definition.http.url->text.empty()))
    report.error(definition.mark, where + ".http.url may not be empty");
  if (definition.kind == Template::Kind::data && !definition.data.source)
    report.error(definition.mark, where + ".data.source.artifactPaths is required");
  for (const Program& program : definition.sidecars) check_container_name(program, where, report);
}

}  // namespace

void check_source(const Parameter& argument, const std::string& where, Report& report) {
  // One that was given with the run, or came of a config map, has its value.
  if (!argument.has_value_from || argument.overridden) return;
  const bool is_given = argument.config || argument.supplied || argument.event;
  const bool is_of_outputs = std::ranges::any_of(
      std::to_array({&argument.path, &argument.parameter, &argument.expression, &argument.json_path}),
      [](const auto* text) { return *text && !(*text)->text.empty(); });
  if (!is_given || is_of_outputs)
    report.error(argument.mark, where + ".valueFrom only allows: default, configMapKeyRef and supplied");
}

void check_contents(const Spec& spec, bool to_run, Report& report) {
  check_workflow_arguments(spec, to_run, report);
  for (const Template& each : spec.templates) {
    report.enter(each.key);
    check_inputs(each, report);
    check_outputs(each, report);
    check_body(each, report);
  }
  report.enter("");
}

}  // namespace kist::dialect::argo
