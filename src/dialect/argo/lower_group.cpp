#include <algorithm>
#include <utility>

#include "dialect/argo/artifacts.hpp"
#include "dialect/argo/lower.hpp"
#include "dialect/argo/texts.hpp"

namespace kist::dialect::argo {
namespace {

// Arguments that the called template has inputs for; Argo passes over the others too.
model::Arguments lower_arguments(const Exchange& arguments, const Template& called) {
  auto takes = [](const auto& inputs, const Scalar& name) {
    return std::ranges::any_of(inputs, [&](const auto& input) { return input.name.text == name.text; });
  };
  model::Arguments lowered;
  for (const Parameter& parameter : arguments.parameters)
    if (parameter.value && takes(called.inputs.parameters, parameter.name))
      lowered.parameters.emplace_back(parameter.name.text, make_text(parameter.value->text));
  for (const Artifact& artifact : arguments.artifacts)
    if ((artifact.from || artifact.raw) && takes(called.inputs.artifacts, artifact.name))
      lowered.artifacts.emplace_back(artifact.name.text, artifact_source(artifact));
  return lowered;
}

model::Step lower_step(const Spec& spec, const StepSpec& written, const Report& report) {
  model::Step step;
  step.name = written.name.text;
  step.call.definition = written.definition->text;
  step.call.arguments = lower_arguments(written.arguments, *find_template(spec, written.definition->text));
  if (written.condition) step.condition = make_text(written.condition->text);
  step.tolerate_failed = written.tolerate_failed;
  step.tolerate_error = written.tolerate_error;
  step.origin = report.origin(written.mark);
  return step;
}

}  // namespace

model::Group lower_group(const Spec& spec, const Template& definition, const Graph* graph, const Report& report) {
  model::Group group;
  if (graph == nullptr) {
    group.kind = model::Group::Kind::sequence;
    for (const std::vector<StepSpec>& stage : definition.stages) {
      std::vector<model::Step>& steps = group.stages.emplace_back();
      for (const StepSpec& step : stage) steps.push_back(lower_step(spec, step, report));
    }
  } else {
    group.kind = model::Group::Kind::graph;
    group.fail_fast = definition.fail_fast;
    group.targets = graph->targets;
    for (std::size_t task = 0; task < definition.tasks.size(); ++task) {
      if (!graph->runs[task]) continue;
      model::Step step = lower_step(spec, definition.tasks[task], report);
      step.depends = graph->depends[task];
      group.steps.push_back(std::move(step));
    }
  }

  for (const Parameter& parameter : definition.outputs.parameters) {
    model::OutputParameter output;
    output.name = parameter.name.text;
    output.value = make_text(parameter.parameter ? parameter.parameter->text : parameter.value->text);
    if (parameter.absent) output.fallback = make_text(parameter.absent->text);
    group.parameters.push_back(std::move(output));
  }
  for (const Artifact& artifact : definition.outputs.artifacts)
    group.artifacts.push_back({artifact.name.text, reference_of(*artifact.from), artifact.optional});
  return group;
}

}  // namespace kist::dialect::argo
