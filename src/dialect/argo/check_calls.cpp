#include <algorithm>

#include <fmt/format.h>

#include "dialect/argo/check.hpp"

namespace kist::dialect::argo {
namespace {

const Parameter* find_parameter(const Exchange& exchange, std::string_view name) {
  auto found = std::ranges::find_if(exchange.parameters, [&](const Parameter& each) { return each.name.text == name; });
  return found == exchange.parameters.end() ? nullptr : &*found;
}

const Artifact* find_artifact(const Exchange& exchange, std::string_view name) {
  auto found = std::ranges::find_if(exchange.artifacts, [&](const Artifact& each) { return each.name.text == name; });
  return found == exchange.artifacts.end() ? nullptr : &*found;
}

// Whether everything that `called` needs is among the arguments. `where` is who calls, with a blank after it, or empty.
void check_supplied(const Template& called, const Exchange& arguments, const std::string& where, yaml::Mark mark,
                    Report& report) {
  for (const Parameter& input : called.inputs.parameters)
    if (!input.value && !input.fallback && !input.has_value_from &&
        find_parameter(arguments, input.name.text) == nullptr)
      report.error(mark, fmt::format("{}templates.{} inputs.parameters.{} was not supplied", where, called.name.text,
                                     input.name.text));
  for (const Artifact& input : called.inputs.artifacts)
    if (!input.optional && !input.has_location && find_artifact(arguments, input.name.text) == nullptr)
      report.error(mark, fmt::format("{}templates.{} inputs.artifacts.{} was not supplied", where, called.name.text,
                                     input.name.text));
}

// Arguments that nobody takes. Argo passes over them without a word.
void check_wanted(const Template& called, const StepSpec& step, const std::string& where, Report& report) {
  auto warn = [&](const Scalar& name, std::string_view what) {
    report.warning(name.mark, fmt::format("{}: template '{}' has no input {} '{}'; the argument is passed over", where,
                                          called.name.text, what, name.text));
  };
  for (const Parameter& parameter : step.arguments.parameters)
    if (find_parameter(called.inputs, parameter.name.text) == nullptr) warn(parameter.name, "parameter");
  for (const Artifact& artifact : step.arguments.artifacts)
    if (find_artifact(called.inputs, artifact.name.text) == nullptr) warn(artifact.name, "artifact");
}

void check_arguments(const Exchange& arguments, const std::string& where, Report& report) {
  for (const Parameter& parameter : arguments.parameters)
    if (!parameter.value && !parameter.has_value_from)
      report.error(parameter.mark, fmt::format("{0}.arguments.{1}.value or {0}.arguments.{1}.valueFrom is required",
                                               where, parameter.name.text));
  for (const Artifact& artifact : arguments.artifacts)
    if (!artifact.from && !artifact.has_location && !artifact.from_unsupported && !artifact.optional)
      report.error(artifact.mark, fmt::format("{}.arguments.artifacts.{}: from, artifact location, or key is required",
                                              where, artifact.name.text));
}

void check_call(const Spec& spec, const StepSpec& step, const std::string& where, Report& report) {
  check_arguments(step.arguments, where, report);
  if (!step.definition || step.definition->text.empty()) {
    if (!step.other_definition) report.error(step.mark, where + ".template is required");
    return;
  }
  const std::string& name = step.definition->text;
  if (name.contains("{{")) {
    report.unsupported(step.definition->mark, "a template with {{…}}", where);
    return;
  }
  const Template* called = find_template(spec, name);
  if (called == nullptr)
    report.error(step.definition->mark, fmt::format("{} template name '{}' undefined", where, name));
  else
    check_supplied(*called, step.arguments, where + " ", step.mark, report);
  if (called != nullptr && called->kind != Template::Kind::unsupported) check_wanted(*called, step, where, report);
}

}  // namespace

void check_calls(const Spec& spec, Report& report) {
  for (const Template& each : spec.templates) {
    report.enter(each.name.text);
    for_each_step(each, [&](const StepSpec& step, const std::string& where) { check_call(spec, step, where, report); });
  }
  report.enter("");

  if (spec.other_spec) return;
  if (!spec.entrypoint || spec.entrypoint->text.empty()) {
    report.error(spec.mark, "spec.entrypoint is required");
    return;
  }
  const Template* entry = find_template(spec, spec.entrypoint->text);
  if (entry == nullptr)
    report.error(spec.entrypoint->mark,
                 fmt::format("spec.entrypoint: template name '{}' undefined", spec.entrypoint->text));
  else
    check_supplied(*entry, spec.arguments, "", entry->mark, report);
}

}  // namespace kist::dialect::argo
