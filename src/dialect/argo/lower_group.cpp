#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "dialect/argo/artifacts.hpp"
#include "dialect/argo/lower.hpp"
#include "dialect/argo/texts.hpp"

namespace kist::dialect::argo {
namespace {

model::Loop lower_loop(const LoopSpec& written) {
  auto text = [](const std::optional<Scalar>& scalar) -> std::optional<model::Text> {
    if (!scalar || scalar->text.empty()) return std::nullopt;
    return make_text(scalar->text);
  };
  model::Loop loop;
  if (written.items) {
    std::vector<model::Text> items;
    for (const std::string& item : *written.items) items.push_back(make_text(item));
    loop.items = std::move(items);
  } else if (written.parameter) {
    loop.items = make_text(written.parameter->text);
  } else if (written.sequence) {
    loop.items = model::Loop::Sequence{text(written.sequence->count), text(written.sequence->start),
                                       text(written.sequence->end), text(written.sequence->format)};
  }
  return loop;
}

// Whatever is called takes of them what it has inputs for.
model::Arguments lower_late_arguments(const Spec& spec, const Exchange& arguments) {
  Template taking_all;
  taking_all.inputs = arguments;
  return lower_arguments(spec, arguments, taking_all);
}

model::Step lower_step(const Spec& spec, const StepSpec& written, const Report& report) {
  model::Step step;
  step.name = written.name.text;
  step.late_name = late_text(written.name.text);
  step.call = lower_call(spec, written.called, written.arguments).value_or(model::Call{written.called.key, {}});
  if (written.loop) step.loop = lower_loop(*written.loop);
  if (written.condition) step.condition = make_text(written.condition->text);
  if (written.on_exit) {
    // The step's own arguments are the handler's too: that is how Argo called it before there were hooks.
    HookSpec hook;
    hook.name = Scalar{"exit", written.on_exit->name->mark};
    hook.called = *written.on_exit;
    hook.arguments = written.arguments;
    if (auto lowered = lower_hook(spec, hook)) step.hooks.push_back(std::move(*lowered));
  }
  for (const HookSpec& hook : written.hooks) {
    if (hook.name.text == "exit" && written.on_exit) continue;
    if (auto lowered = lower_hook(spec, hook)) step.hooks.push_back(std::move(*lowered));
  }
  step.tolerate_failed = written.tolerate_failed;
  step.tolerate_error = written.tolerate_error;
  step.origin = report.origin(written.mark);
  return step;
}

void lower_outputs(const Spec& spec, const Template& definition, model::Group& group) {
  for (const Parameter& parameter : definition.outputs.parameters) {
    model::OutputParameter output;
    output.name = parameter.name.text;
    output.late_name = late_text(parameter.name.text);
    if (parameter.parameter)
      output.value = make_text(parameter.parameter->text);
    else if (parameter.expression)
      output.value = make_expression(parameter.expression->text);
    else if (parameter.value)
      output.value = make_text(parameter.value->text);
    if (parameter.absent) output.fallback = make_text(parameter.absent->text);
    if (parameter.global) output.global = make_text(parameter.global->text);
    group.parameters.push_back(std::move(output));
  }
  for (const Artifact& artifact : definition.outputs.artifacts) {
    if (!artifact.from && !artifact.expression) continue;
    model::OutputArtifact output;
    output.name = artifact.name.text;
    output.late_name = late_text(artifact.name.text);
    output.from = artifact_source(artifact, spec.repository);
    output.optional = artifact.optional;
    if (artifact.global) output.global = make_text(artifact.global->text);
    group.artifacts.push_back(std::move(output));
  }
}

// As Argo looks for it, which keeps what a step prints only then.
bool reads_result(std::string_view texts, std::string_view step) {
  return texts.contains(fmt::format("steps.{}.outputs.result", step)) ||
         texts.contains(fmt::format("steps['{}'].outputs.result", step));
}

}  // namespace

model::Arguments lower_arguments(const Spec& spec, const Exchange& arguments, const Template& called) {
  auto takes = [](const auto& inputs, const Scalar& name) {
    return std::ranges::any_of(inputs, [&](const auto& input) { return may_be(name.text, input.name.text); });
  };
  auto add = [](auto& now, auto& late, const Scalar& name, auto value) {
    if (auto text = late_text(name.text))
      late.emplace_back(std::move(*text), std::move(value));
    else
      now.emplace_back(name.text, std::move(value));
  };
  model::Arguments lowered;
  for (const Parameter& parameter : arguments.parameters) {
    if (!takes(called.inputs.parameters, parameter.name)) continue;
    if (parameter.value)
      add(lowered.parameters, lowered.late_parameters, parameter.name,
          parameter.overridden ? model::Text::literal(parameter.value->text) : make_text(parameter.value->text));
    else if (parameter.expression)
      add(lowered.parameters, lowered.late_parameters, parameter.name, make_expression(parameter.expression->text));
  }
  for (const Artifact& artifact : arguments.artifacts) {
    if (!takes(called.inputs.artifacts, artifact.name)) continue;
    const bool says = artifact.from || artifact.expression || artifact.raw ||
                      (artifact.place && (is_complete(*artifact.place) || key_of(*artifact.place) != nullptr));
    if (says) add(lowered.artifacts, lowered.late_artifacts, artifact.name, artifact_source(artifact, spec.repository));
  }
  return lowered;
}

std::optional<model::Call> lower_call(const Spec& spec, const Reference& called, const Exchange& arguments) {
  if (called.dynamic) return model::Call{"", lower_late_arguments(spec, arguments), make_text(called.key)};
  const Template* found = find_template(spec, called.key);
  if (found == nullptr) return std::nullopt;
  return model::Call{found->key, lower_arguments(spec, arguments, *found)};
}

std::optional<model::Hook> lower_hook(const Spec& spec, const HookSpec& hook) {
  auto call = lower_call(spec, hook.called, hook.arguments);
  if (!call) return std::nullopt;
  model::Hook lowered;
  lowered.name = hook.name.text;
  lowered.call = std::move(*call);
  if (hook.expression)
    (hook.name.text == "exit" ? lowered.condition : lowered.expression) = make_expression(hook.expression->text);
  return lowered;
}

model::Group lower_group(const Spec& spec, const Template& definition, const Graph* graph, const Report& report) {
  model::Group group;
  if (definition.parallelism) group.parallelism = make_text(definition.parallelism->text);
  group.fail_fast = definition.fail_fast;
  group.fail_at_once = definition.fail_at_once;
  if (graph == nullptr) {
    group.kind = model::Group::Kind::sequence;
    const std::string texts = texts_of(definition);
    for (const std::vector<StepSpec>& stage : definition.stages) {
      std::vector<model::Step>& steps = group.stages.emplace_back();
      for (const StepSpec& step : stage) {
        steps.push_back(lower_step(spec, step, report));
        if (step.loop) steps.back().loop->lists_results = reads_result(texts, step.name.text);
      }
    }
  } else {
    group.kind = model::Group::Kind::graph;
    group.targets = graph->targets;
    if (has_late_target(definition)) group.late_targets = make_text(definition.target->text);
    for (std::size_t task = 0; task < definition.tasks.size(); ++task) {
      if (!graph->runs[task]) continue;
      model::Step step = lower_step(spec, definition.tasks[task], report);
      step.depends = graph->depends[task];
      group.steps.push_back(std::move(step));
    }
  }
  lower_outputs(spec, definition, group);
  return group;
}

}  // namespace kist::dialect::argo
