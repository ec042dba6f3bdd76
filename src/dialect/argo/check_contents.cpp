// What inputs and outputs must say depends on the template: a task's have paths, a group's only pass on what its steps
// have. The workflow's own arguments are the only place where values must be complete.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "dialect/argo/artifacts.hpp"
#include "dialect/argo/check.hpp"

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

// The workflow's own arguments: each has a value.
void check_workflow_arguments(const Spec& spec, Report& report) {
  for (const Parameter& parameter : spec.arguments.parameters) {
    const std::string where = "spec.arguments." + parameter.name.text;
    if (!parameter.value && !parameter.fallback && !parameter.has_value_from)
      report.error(parameter.mark, fmt::format("{0}.value or {0}.valueFrom is required", where));
    check_allowed(parameter, where, report);
  }
  for (const Artifact& artifact : spec.arguments.artifacts)
    if (!artifact.has_location && !artifact.from && !artifact.from_unsupported && !artifact.optional)
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

void check_inputs(const Template& definition, Report& report) {
  const std::string where = fmt::format("templates.{}.inputs", definition.name.text);
  for (const Parameter& parameter : definition.inputs.parameters) {
    check_allowed(parameter, fmt::format("{}.parameters.{}", where, parameter.name.text), report);
    if (parameter.path || parameter.parameter)
      report.error(parameter.mark, fmt::format("{}.parameters.{}.valueFrom.{} is only valid in outputs", where,
                                               parameter.name.text, parameter.path ? "path" : "parameter"));
  }

  std::map<std::string, std::string, std::less<>> mounted;
  for (std::size_t index = 0; index < definition.inputs.artifacts.size(); ++index) {
    const Artifact& artifact = definition.inputs.artifacts[index];
    const std::string name = fmt::format("{}.artifacts.{}", where, artifact.name.text);
    if (artifact.from || artifact.from_unsupported)
      report.error(artifact.mark, name + ".from not valid in inputs; it belongs into the arguments of the step");
    if (is_task(definition.kind)) {
      if (!artifact.path || artifact.path->text.empty()) {
        report.error(artifact.mark, name + ".path not specified");
        continue;
      }
      check_path(artifact, name, report);
      auto [first, fresh] = mounted.emplace(clean_path(artifact.path->text), artifact.name.text);
      if (!fresh)
        report.error(artifact.path->mark,
                     fmt::format("{}.artifacts[{}].path '{}' already mounted in inputs.artifacts.{}", where, index,
                                 artifact.path->text, first->second));
    } else if (is_group(definition.kind) && artifact.path) {
      report.error(artifact.path->mark, name + ".path only valid in container/script templates");
    }
  }
}

void check_output_parameter(const Template& definition, const Parameter& parameter, Report& report) {
  const std::string where =
      fmt::format("templates.{}.outputs.parameters.{}", definition.name.text, parameter.name.text);
  if (parameter.value && parameter.has_value_from) {
    report.error(parameter.mark, where + " has both valueFrom and value specified. Choose one.");
    return;
  }
  if (parameter.value) {
    if (is_task(definition.kind)) report.unsupported(parameter.value->mark, "value of an output parameter", where);
    return;
  }
  if (!parameter.has_value_from) {
    report.error(parameter.mark, where + " does not have valueFrom or value specified");
    return;
  }
  if (parameter.value_from_sources > 1) {
    report.error(parameter.mark, where + " has multiple valueFrom specified");
    return;
  }
  if (parameter.value_from_unsupported) return;
  if (is_task(definition.kind)) {
    if (!parameter.path)
      report.error(parameter.mark, fmt::format("{}.path must be specified for {} templates", where,
                                               definition.kind == Template::Kind::script ? "Script" : "Container"));
    else if (leaves_root(parameter.path->text))
      report.error(parameter.path->mark,
                   fmt::format("{}.path '{}' leaves the task's root directory", where, parameter.path->text));
  } else if (is_group(definition.kind) && !parameter.parameter) {
    report.error(parameter.mark, fmt::format("{}.parameter or expression must be specified for {} templates", where,
                                             definition.kind == Template::Kind::steps ? "Steps" : "DAG"));
  }
}

void check_outputs(const Template& definition, Report& report) {
  for (const Parameter& parameter : definition.outputs.parameters)
    check_output_parameter(definition, parameter, report);
  for (const Artifact& artifact : definition.outputs.artifacts) {
    const std::string where =
        fmt::format("templates.{}.outputs.artifacts.{}", definition.name.text, artifact.name.text);
    if (artifact.raw) report.error(artifact.mark, where + ".raw not valid in outputs");
    if (is_task(definition.kind)) {
      if (!artifact.path || artifact.path->text.empty()) report.error(artifact.mark, where + ".path not specified");
      if (artifact.from) report.error(artifact.from->mark, where + ".from only valid in steps and dag templates");
      check_path(artifact, where, report);
    } else if (is_group(definition.kind)) {
      if (artifact.path) report.error(artifact.path->mark, where + ".path only valid in container/script templates");
      if (!artifact.from && !artifact.from_unsupported)
        report.error(artifact.mark, where + ": from or fromExpression is required");
    }
  }
}

void check_body(const Spec& spec, const Template& definition, Report& report) {
  const std::string where = "templates." + definition.name.text;
  const bool has_image = definition.program.image && !definition.program.image->text.empty();
  if (is_task(definition.kind) && !has_image && !spec.has_defaults)
    report.error(definition.program.mark,
                 fmt::format("{}.{}.image may not be empty", where,
                             definition.kind == Template::Kind::script ? "script" : "container"));
  if (is_task(definition.kind) && definition.parallelism)
    report.error(*definition.parallelism, where + ".parallelism is only valid for steps and dag templates");
  if (definition.kind == Template::Kind::dag && definition.tasks.empty())
    report.error(definition.mark, where + " must have at least one task");
}

}  // namespace

void check_contents(const Spec& spec, Report& report) {
  check_workflow_arguments(spec, report);
  for (const Template& each : spec.templates) {
    report.enter(each.name.text);
    check_inputs(each, report);
    check_outputs(each, report);
    check_body(spec, each, report);
  }
  report.enter("");
}

}  // namespace kist::dialect::argo
