// Only what the entrypoint and the handlers reach becomes part of the model. Templates stay what they are, definitions
// of one level, so recursion needs nothing special; names that stay the same over a run become the workflow's
// variables.
#include "dialect/argo/lower.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "dialect/argo/artifacts.hpp"
#include "dialect/argo/names.hpp"
#include "dialect/argo/texts.hpp"

namespace kist::dialect::argo {

std::string texts_of(const Template& group) {
  std::string all;
  auto add = [&](const std::optional<Scalar>& scalar) {
    if (scalar) all.append(scalar->text).push_back('\n');
  };
  auto add_exchange = [&](const Exchange& exchange) {
    for (const Parameter& parameter : exchange.parameters)
      for (const auto* text : {&parameter.value, &parameter.parameter, &parameter.expression}) add(*text);
    for (const Artifact& artifact : exchange.artifacts) {
      for (const auto* text : {&artifact.raw, &artifact.expression}) add(*text);
      if (!artifact.place) continue;
      for (const Place::Field& field : artifact.place->fields)
        if (const auto* text = std::get_if<Scalar>(&field.value)) add(*text);
    }
  };
  for_each_step(group, [&](const StepSpec& step, const std::string&) {
    add(step.condition);
    add_exchange(step.arguments);
    if (step.loop) {
      add(step.loop->parameter);
      if (step.loop->items)
        for (const std::string& item : *step.loop->items) all.append(item).push_back('\n');
      if (step.loop->sequence)
        for (const auto* text : {&step.loop->sequence->count, &step.loop->sequence->start, &step.loop->sequence->end})
          add(*text);
    }
    for (const HookSpec& hook : step.hooks) {
      add_exchange(hook.arguments);
      add(hook.expression);
    }
  });
  add_exchange(group.outputs);
  return all;
}

namespace {

// Kubernetes cuts a generateName so that five more characters make a name of at most 63.
constexpr std::size_t kStemLimit = 58;

// Calls `visit` for the steps of a group that run.
template <typename Visit>
void for_each_running(const Template& group, const Graphs& graphs, Visit visit) {
  for (const auto& stage : group.stages)
    for (const StepSpec& step : stage) visit(step);
  if (group.kind != Template::Kind::dag) return;
  auto graph = graphs.find(&group);
  for (std::size_t task = 0; task < group.tasks.size(); ++task)
    if (graph == graphs.end() || graph->second.runs[task]) visit(group.tasks[task]);
}

// Everything in a text that can be the name of a step.
std::unordered_set<std::string_view> words_of(std::string_view text) {
  std::unordered_set<std::string_view> words;
  auto is_part = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_'; };
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && is_part(text[end])) ++end;
    if (end > at) words.insert(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

// Templates whose result somebody asks for: `steps.a.outputs.result` in an argument, a condition or an output of the
// group that calls them. Keeping one that is not needed does no harm: a name that appears beside the words is enough.
TemplateNames captured_templates(const Spec& spec, const TemplateNames& used) {
  TemplateNames captured;
  for (const Template& group : spec.templates) {
    if (!is_group(group.kind) || !used.contains(group.key)) continue;
    const std::string texts = texts_of(group);
    if (!texts.contains("outputs.result") && !texts.contains("outputs['result']")) continue;
    const auto words = words_of(texts);
    for_each_step(group, [&](const StepSpec& step, const std::string&) {
      if (is_late(step.name.text) || words.contains(step.name.text))
        for (std::string& key : called_by(spec, step.called)) captured.insert(std::move(key));
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
      {"workflow.mainEntrypoint", spec.entrypoint ? spec.entrypoint->text : ""},
  };
  if (spec.priority) variables["workflow.priority"] = fmt::format("{}", *spec.priority);
  // Those that are given are known once they are put on the run; until then they are what is written.
  for (const auto& [kind, map, given] : {std::tuple("labels", &spec.labels, &spec.given_labels),
                                         std::tuple("annotations", &spec.annotations, &spec.given_annotations)}) {
    const std::string prefix = std::string("workflow.") + kind;
    variables[prefix] = variables[prefix + ".json"] = to_json_text(*map);
    for (const auto* each : {map, given})
      for (const auto& [name, value] : *each) variables[fmt::format("{}.{}", prefix, name)] = value;
  }
  if (spec.kind == Spec::Kind::cron) {
    variables["cronworkflow.name"] = spec.name ? spec.name->text : "";
    variables["cronworkflow.namespace"] = variables["workflow.namespace"];
    for (const auto& [kind, map] : {std::pair("labels", &spec.labels), std::pair("annotations", &spec.annotations)}) {
      const std::string prefix = std::string("cronworkflow.") + kind;
      variables[prefix] = variables[prefix + ".json"] = to_json_text(*map);
      for (const auto& [name, value] : *map) variables[fmt::format("{}.{}", prefix, name)] = value;
    }
  }
  return variables;
}

model::Recurrence lower_cron(const CronSpec& written) {
  using Overlap = model::Recurrence::Overlap;
  // Argo takes a limit below 0 for none that was written.
  const auto limit = [](std::optional<std::int64_t> count) {
    return count && *count >= 0 ? std::optional(static_cast<std::size_t>(*count)) : std::nullopt;
  };
  model::Recurrence recurrence;
  if (written.condition) recurrence.condition = make_text(written.condition->text);
  if (written.stop) recurrence.stop = written.stop->text;
  if (written.concurrency && written.concurrency->text == "Forbid") recurrence.overlap = Overlap::forbid;
  if (written.concurrency && written.concurrency->text == "Replace") recurrence.overlap = Overlap::replace;
  recurrence.history = {.succeeded = limit(written.keep_succeeded), .failed = limit(written.keep_failed)};
  return recurrence;
}

model::RunNaming naming_of(const Spec& spec, std::string_view name) {
  const bool named = spec.name && !spec.name->text.empty();
  if (named && spec.kind == Spec::Kind::workflow) return {model::RunNaming::Kind::given, object_name(spec.name->text)};
  std::string stem;
  if (spec.kind == Spec::Kind::workflow && spec.generate_name && !spec.generate_name->text.empty())
    stem = object_name(spec.generate_name->text);
  else
    stem = object_name(named ? spec.name->text : name) + "-";
  return {model::RunNaming::Kind::random, stem.substr(0, kStemLimit)};
}

model::Definition lower_template(const Spec& spec, const Template& written, const Graphs& graphs, bool capture,
                                 const Report& report) {
  model::Definition definition;
  definition.name = written.key;
  definition.label = written.name.text;
  definition.lacking = written.lacking;
  definition.origin = report.origin(written.mark);
  for (const Parameter& parameter : written.inputs.parameters) {
    model::InputParameter input{.name = parameter.name.text, .fallback = std::nullopt, .allowed = {}};
    if (const auto& given = parameter.value ? parameter.value : parameter.fallback)
      input.fallback = parameter.overridden ? model::Text::literal(given->text) : make_text(given->text);
    if (!input.fallback && parameter.expression) input.fallback = make_expression(parameter.expression->text);
    if (parameter.allowed && written.kind != Template::Kind::suspend)
      for (const Scalar& value : *parameter.allowed) input.allowed.push_back(value.text);
    definition.parameters.push_back(std::move(input));
  }
  for (const Artifact& artifact : written.inputs.artifacts)
    definition.artifacts.push_back(lower_input(artifact, spec.repository));
  if (is_pod(written.kind)) {
    definition.body = lower_pod(spec, written, capture, report);
  } else if (is_group(written.kind)) {
    auto graph = graphs.find(&written);
    definition.body = lower_group(spec, written, graph == graphs.end() ? nullptr : &graph->second, report);
  } else if (written.kind == Template::Kind::suspend) {
    definition.body = lower_suspend(written);
  } else {
    definition.body = lower_request(spec, written, report);
  }
  if (written.retry)
    definition.retry = lower_retry(*written.retry);
  else if (spec.retry && !is_group(written.kind) && written.kind != Template::Kind::suspend)
    definition.retry = lower_retry(*spec.retry);
  if (written.timeout) definition.timeout = make_text(written.timeout->text);
  if (written.pending_timeout) definition.pending_timeout = make_text(written.pending_timeout->text);
  if (written.deadline) definition.deadline = make_text(written.deadline->text);
  definition.locks = lower_locks(spec, written.locks);
  if (written.memo) {
    definition.memo = model::Memo{make_text(written.memo->key.text), make_text(written.memo->cache.text), std::nullopt};
    if (written.memo->max_age) definition.memo->max_age = make_text(written.memo->max_age->text);
  }
  definition.metrics = lower_metrics(written.metrics);
  if (written.display) definition.display = make_text(written.display->text);
  return definition;
}

void add_arguments(const Spec& spec, const Template& entry, model::Workflow& workflow) {
  for (const Parameter& parameter : spec.arguments.parameters) {
    const std::optional<Scalar>& given = parameter.value ? parameter.value : parameter.fallback;
    model::Text value;
    if (given)
      value = parameter.overridden ? model::Text::literal(given->text) : make_text(given->text);
    else if (parameter.expression)
      value = make_expression(parameter.expression->text);
    workflow.parameters.emplace_back(parameter.name.text, std::move(value));
    if (std::ranges::any_of(entry.inputs.parameters,
                            [&](const Parameter& input) { return input.name.text == parameter.name.text; }))
      workflow.entry.arguments.parameters.push_back(workflow.parameters.back());
  }
  Exchange artifacts;
  artifacts.artifacts = spec.arguments.artifacts;
  workflow.entry.arguments.artifacts = lower_arguments(spec, artifacts, entry).artifacts;
}

void add_handlers(const Spec& spec, model::Workflow& workflow) {
  if (spec.on_exit) workflow.on_exit = lower_call(spec, *spec.on_exit, spec.arguments);
  for (const HookSpec& hook : spec.hooks) {
    auto lowered = lower_hook(spec, hook);
    if (!lowered) continue;
    if (hook.name.text == "exit" && !workflow.on_exit)
      workflow.on_exit = std::move(lowered->call);
    else if (hook.name.text != "exit")
      workflow.hooks.push_back(std::move(*lowered));
  }
}

// A name that is said more than once is what the stronger says: labelsFrom, then workflowMetadata, then metadata.
void add_marks(const Spec& spec, model::Workflow& workflow) {
  const auto add = [](auto& marks, const std::string& name, auto&& text) {
    if (std::ranges::none_of(marks, [&](const auto& mark) { return mark.first == name; }))
      marks.emplace_back(name, text);
  };
  for (const auto& [label, expression] : spec.labels_from)
    add(workflow.labels, label, make_expression(expression.text));
  for (const auto& [label, value] : spec.given_labels) add(workflow.labels, label, make_text(value));
  for (const auto& [label, value] : spec.labels) add(workflow.labels, label, model::Text::literal(value));
  for (const auto& [note, value] : spec.given_annotations) add(workflow.annotations, note, make_text(value));
  for (const auto& [note, value] : spec.annotations) add(workflow.annotations, note, model::Text::literal(value));
}

}  // namespace

model::Retry lower_retry(const RetrySpec& written) {
  auto text = [](const std::optional<Scalar>& scalar) -> std::optional<model::Text> {
    if (!scalar || scalar->text.empty()) return std::nullopt;
    return make_text(scalar->text);
  };
  model::Retry retry;
  retry.limit = text(written.limit);
  retry.backoff = text(written.backoff);
  retry.factor = text(written.factor);
  retry.cap = text(written.cap);
  retry.max_duration = text(written.max_duration);
  if (written.expression) {
    retry.expression = make_expression(written.expression->text);
    retry.policy = model::Retry::Policy::always;
  }
  if (written.policy) {
    using Policy = model::Retry::Policy;
    const std::string& policy = written.policy->text;
    if (policy == "Always") retry.policy = Policy::always;
    if (policy == "OnFailure") retry.policy = Policy::on_failure;
    if (policy == "OnError") retry.policy = Policy::on_error;
    if (policy == "OnTransientError") retry.policy = Policy::on_transient_error;
  }
  return retry;
}

std::vector<model::Lock> lower_locks(const Spec& spec, const std::vector<LockSpec>& written) {
  std::vector<model::Lock> locks;
  for (const LockSpec& each : written) {
    const std::string space = !each.name_space.text.empty() ? each.name_space.text
                              : spec.name_space             ? spec.name_space->text
                                                            : "default";
    model::Lock& lock = locks.emplace_back();
    if (each.limit) {
      lock.name = make_text(fmt::format("{}/ConfigMap/{}/{}", space, each.limit->name.text, each.limit->key.text));
      lock.limit = make_text(each.holders);
    } else if (each.of_database) {
      lock.name = make_text(fmt::format("{}/Database/{}", space, each.name.text));
      lock.limit = make_text(each.holders);
    } else {
      lock.name = make_text(fmt::format("{}/Mutex/{}", space, each.name.text));
    }
  }
  return locks;
}

TemplateNames reached_templates(const Spec& spec, const Graphs& graphs) {
  TemplateNames reached;
  std::vector<std::string> open;
  if (!spec.entry_key.empty()) open.push_back(spec.entry_key);
  const auto call = [&](const Reference& called) {
    for (std::string& key : called_by(spec, called)) open.push_back(std::move(key));
  };
  if (spec.on_exit) call(*spec.on_exit);
  for (const HookSpec& hook : spec.hooks) call(hook.called);
  if (spec.entry_key.empty())
    for (const Template& each : spec.templates) open.push_back(each.key);
  while (!open.empty()) {
    const std::string key = std::move(open.back());
    open.pop_back();
    const Template* found = find_template(spec, key);
    if (found == nullptr || !reached.insert(key).second) continue;
    for_each_running(*found, graphs, [&](const StepSpec& step) {
      call(step.called);
      if (step.on_exit) call(*step.on_exit);
      for (const HookSpec& hook : step.hooks) call(hook.called);
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
    if (used.contains(written.key) && find_template(spec, written.key) == &written)
      workflow.definitions.emplace(written.key,
                                   lower_template(spec, written, graphs, captured.contains(written.key), report));

  if (const Template* entry = find_template(spec, spec.entry_key)) {
    workflow.entry.definition = entry->key;
    add_arguments(spec, *entry, workflow);
  }
  add_handlers(spec, workflow);
  if (spec.deadline) workflow.deadline = make_text(spec.deadline->text);
  if (spec.parallelism) workflow.parallelism = make_text(spec.parallelism->text);
  workflow.locks = lower_locks(spec, spec.locks);
  workflow.metrics = lower_metrics(spec.metrics);
  workflow.suspended = spec.suspended;
  workflow.priority = spec.priority.value_or(0);
  workflow.expiry = spec.expiry;
  workflow.volumes_end_with_it = spec.volume_collection && spec.volume_collection->text == "OnWorkflowCompletion";
  add_marks(spec, workflow);
  for (const Scalar& schedule : spec.schedules) workflow.schedules.push_back(schedule.text);
  if (spec.timezone) workflow.timezone = spec.timezone->text;
  if (spec.kind == Spec::Kind::cron) workflow.recurrence = lower_cron(spec.cron);
  return workflow;
}

}  // namespace kist::dialect::argo
