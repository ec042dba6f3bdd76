#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "dialect/argo/check.hpp"
#include "dialect/argo/texts.hpp"

namespace kist::dialect::argo {
namespace {

const std::string& name_of(const Template& called) {
  return called.name.text.empty() ? called.key : called.name.text;
}

// One whose name is made when the call is may be any that its known characters fit.
bool may_name(const auto& arguments, std::string_view input) {
  return std::ranges::any_of(arguments, [&](const auto& each) { return may_be(each.name.text, input); });
}

bool may_be_taken(const Scalar& argument, const auto& inputs) {
  return std::ranges::any_of(inputs, [&](const auto& each) { return may_be(argument.text, each.name.text); });
}

// Whether everything that `called` needs is among the arguments. `where` is who calls, with a blank after it; empty:
// the workflow itself, whose parameters are given with the run.
void check_supplied(const Template& called, const Exchange& arguments, const std::string& where, yaml::Mark mark,
                    Report& report) {
  for (const Parameter& input : called.inputs.parameters)
    if (!input.value && !input.fallback && !input.has_value_from && !may_name(arguments.parameters, input.name.text) &&
        called.kind != Template::Kind::plugin)
      report.error(mark, fmt::format("{}templates.{} inputs.parameters.{} was not supplied{}", where, name_of(called),
                                     input.name.text, where.empty() ? advice_to_give(input.name.text) : ""));
  for (const Artifact& input : called.inputs.artifacts)
    if (!input.optional && !input.has_location() && !may_name(arguments.artifacts, input.name.text))
      report.error(mark, fmt::format("{}templates.{} inputs.artifacts.{} was not supplied", where, name_of(called),
                                     input.name.text));
}

// Arguments that nobody takes. Argo passes over them without a word.
void check_wanted(const Template& called, const Exchange& arguments, const std::string& where, Report& report) {
  auto warn = [&](const Scalar& name, std::string_view what) {
    report.warning(name.mark, fmt::format("{}: template '{}' has no input {} '{}'; the argument is passed over", where,
                                          called.name.text, what, name.text));
  };
  for (const Parameter& parameter : arguments.parameters)
    if (!may_be_taken(parameter.name, called.inputs.parameters)) warn(parameter.name, "parameter");
  for (const Artifact& artifact : arguments.artifacts)
    if (!may_be_taken(artifact.name, called.inputs.artifacts)) warn(artifact.name, "artifact");
}

void check_arguments(const Exchange& arguments, const std::string& where, Report& report) {
  for (const Parameter& parameter : arguments.parameters)
    if (!parameter.value && !parameter.has_value_from)
      report.error(parameter.mark, fmt::format("{0}.arguments.{1}.value or {0}.arguments.{1}.valueFrom is required",
                                               where, parameter.name.text));
  for (const Artifact& artifact : arguments.artifacts)
    if (!artifact.from && !artifact.has_location() && !artifact.expression && !artifact.optional)
      report.error(artifact.mark, fmt::format("{}.arguments.artifacts.{}: from, artifact location, or key is required",
                                              where, artifact.name.text));
}

// Where values of arguments come from that are not written out.
void check_sources(const Exchange& arguments, const std::string& where, Report& report) {
  for (const Parameter& parameter : arguments.parameters)
    check_source(parameter, fmt::format("{}.arguments.{}", where, parameter.name.text), report);
}

void check_initial(const Template& called, const std::string& where, Report& report) {
  for (const Program& program : called.initial)
    if (!program.name || program.name->text.empty())
      report.error(program.mark, where + " initContainers must all have container name");
}

// Who is called, and with what.
void check_reference(const Spec& spec, const Reference& called, const Exchange& arguments, yaml::Mark mark,
                     const std::string& where, Report& report, const std::string& chain = "") {
  check_arguments(arguments, where, report);
  if (!called.given) {
    report.error(mark, where + ".template is required");
    return;
  }
  if (called.dynamic) return;  // what is called is looked at when it is
  const Template* found = find_template(spec, called.key);
  if (found == nullptr) {
    // Of another document it was said where the reference was followed.
    if (called.name && !called.library)
      report.error(called.name->mark, fmt::format("{} template name '{}' undefined", where, called.name->text));
    return;
  }
  check_initial(*found, where, report);
  check_supplied(*found, arguments, chain + where + " ", mark, report);
  check_wanted(*found, arguments, where, report);
}

void check_loop(const StepSpec& step, const std::string& where, Report& report) {
  if (!step.loop) return;
  if (step.loops > 1)
    report.error(step.loop->mark, where + " only one of withItems, withParam, withSequence can be specified");
  const auto& sequence = step.loop->sequence;
  if (!sequence) return;
  if (sequence->count && sequence->end)
    report.error(step.loop->mark, where + ".withSequence only one of count or end can be defined in withSequence");
  if (!sequence->count && !sequence->end)
    report.error(step.loop->mark, where + ".withSequence must have one of count or end");
  for (const auto* number : {&sequence->count, &sequence->start, &sequence->end})
    if (*number && !(*number)->text.contains("{{") &&
        (*number)->text.find_first_not_of("0123456789", (*number)->text.starts_with('-') ? 1 : 0) != std::string::npos)
      report.error((*number)->mark, fmt::format("{}.withSequence: '{}' is not a whole number", where, (*number)->text));
}

void check_hooks(const Spec& spec, const std::vector<HookSpec>& hooks, const std::string& where, Report& report) {
  for (const HookSpec& hook : hooks) {
    const std::string place = fmt::format("{}.hooks.{}", where, hook.name.text);
    check_reference(spec, hook.called, hook.arguments, hook.mark, place, report);
    if (!hook.expression && hook.name.text != "exit")
      report.error(hook.mark, place + ".expression is required: when the hook is to run");
  }
}

void check_step(const Spec& spec, const StepSpec& step, const std::string& where, const std::string& chain,
                Report& report) {
  check_reference(spec, step.called, step.arguments, step.mark, where, report, chain);
  check_sources(step.arguments, where, report);
  check_loop(step, where, report);
  if (step.on_exit) check_reference(spec, *step.on_exit, {}, step.on_exit->name->mark, where + ".onExit", report);
  check_hooks(spec, step.hooks, where, report);
}

// How the entrypoint comes to each template, in the words of messages: "templates.main.steps[1].a ". Templates of other
// documents say it themselves.
std::map<std::string, std::string> chains_of(const Spec& spec) {
  std::map<std::string, std::string> chains = {{spec.entry_key, ""}};
  std::vector<std::string> open = {spec.entry_key};
  for (std::size_t at = 0; at < open.size(); ++at) {
    const Template* found = find_template(spec, open[at]);
    if (found == nullptr) continue;
    const std::string chain = chains[open[at]];
    for_each_step(*found, [&](const StepSpec& step, const std::string& where) {
      const Template* called = find_template(spec, step.called.key);
      if (called == nullptr || !called->caller.empty()) return;
      if (chains.emplace(called->key, chain + where + " ").second) open.push_back(called->key);
    });
  }
  return chains;
}

}  // namespace

void check_calls(const Spec& spec, bool to_run, Report& report) {
  std::map<std::string, std::string> chains = chains_of(spec);
  for (const Template& each : spec.templates) {
    report.enter(each.key);
    for_each_step(each, [&](const StepSpec& step, const std::string& where) {
      check_step(spec, step, where, chains[each.key], report);
    });
  }
  report.enter("");
  if (spec.on_exit && !spec.on_exit->dynamic) {
    const Template* handler = find_template(spec, spec.on_exit->key);
    if (handler == nullptr)
      report.error(spec.on_exit->name->mark,
                   fmt::format("spec.onExit: template name '{}' undefined", spec.on_exit->name->text));
    else
      check_supplied(*handler, spec.arguments, "spec.onExit ", spec.on_exit->name->mark, report);
  }
  check_hooks(spec, spec.hooks, "spec", report);
  for (const HookSpec& hook : spec.hooks)
    if (hook.name.text == "exit" && hook.expression)
      report.warning(hook.expression->mark,
                     "spec.hooks.exit.expression is ignored, as Argo does: the exit hook of a workflow is always "
                     "called; those of steps and tasks ask theirs");

  if (spec.other_spec) return;
  if (!spec.entrypoint || spec.entrypoint->text.empty()) {
    // A document of templates for others needs none.
    if (to_run || spec.kind != Spec::Kind::library) report.error(spec.mark, "spec.entrypoint is required");
    return;
  }
  const Template* entry = find_template(spec, spec.entry_key);
  if (entry == nullptr)
    report.error(spec.entrypoint->mark,
                 fmt::format("spec.entrypoint: template name '{}' undefined", spec.entrypoint->text));
  else if (to_run || spec.kind != Spec::Kind::library)
    check_supplied(*entry, spec.arguments, "", entry->mark, report);
}

}  // namespace kist::dialect::argo
