// Groups, definitions and the workflow; tasks are in show_task.cpp.
#include "cli/show_model.hpp"

#include <string_view>
#include <variant>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/show_parts.hpp"

namespace kist::cli {

namespace {

using namespace model;
using namespace shown;

void put_origin(Json& to, const Origin& origin) {
  put(to, "origin", to_string(origin));
}

Json call_as_json(const Call& call) {
  Json json{{"definition", call.late_definition ? call.late_definition->source() : call.definition}};
  for (const auto& [name, value] : call.arguments.parameters) json["parameters"][name] = value.source();
  for (const auto& [name, value] : call.arguments.late_parameters) json["parameters"][name.source()] = value.source();
  for (const auto& [name, source] : call.arguments.artifacts) json["artifacts"][name] = source_as_json(source);
  for (const auto& [name, source] : call.arguments.late_artifacts)
    json["artifacts"][name.source()] = source_as_json(source);
  return json;
}

Json hook_as_json(const Hook& hook) {
  Json json{{"name", hook.name}, {"call", call_as_json(hook.call)}};
  put(json, "expression", hook.expression);
  put(json, "condition", hook.condition);
  return json;
}

Json loop_as_json(const Loop& loop) {
  Json json = Json::object();
  std::visit(Overloaded{
                 [&](const std::vector<Text>& items) { put_texts(json, "items", items); },
                 [&](const Text& list) { json["list"] = list.source(); },
                 [&](const Loop::Sequence& sequence) {
                   put(json, "count", sequence.count);
                   put(json, "start", sequence.start);
                   put(json, "end", sequence.end);
                   put(json, "format", sequence.format);
                 },
             },
             loop.items);
  return json;
}

Json dependency_as_json(const Dependency& dependency) {
  constexpr std::string_view kTests[] = {"succeeded", "failed",   "errored",       "skipped",
                                         "omitted",   "daemoned", "any_succeeded", "all_failed"};
  Json operands = Json::array();
  for (const auto& operand : dependency.operands) operands.push_back(dependency_as_json(operand));
  switch (dependency.op) {
    case Dependency::Operator::always:
      return "always";
    case Dependency::Operator::is:
      return fmt::format("{}.{}", dependency.step, kTests[static_cast<int>(dependency.test)]);
    case Dependency::Operator::all:
      return {{"all", operands}};
    case Dependency::Operator::any:
      return {{"any", operands}};
    case Dependency::Operator::negate:
      return {{"not", operands}};
  }
  return {};
}

Json step_as_json(const Step& step) {
  Json json{{"name", step.name}, {"call", call_as_json(step.call)}};
  if (step.depends.op != Dependency::Operator::always) json["depends"] = dependency_as_json(step.depends);
  put(json, "condition", step.condition);
  if (step.loop) json["loop"] = loop_as_json(*step.loop);
  put_all(json, "hooks", step.hooks, hook_as_json);
  put(json, "tolerate_failed", step.tolerate_failed);
  put(json, "tolerate_error", step.tolerate_error);
  put_origin(json, step.origin);
  return json;
}

Json group_as_json(const Group& group) {
  Json json = Json::object();
  put_all(json, "steps", group.steps, step_as_json);
  for (const auto& target : group.targets) json["targets"].push_back(target);
  put(json, "late_targets", group.late_targets);
  if (!group.fail_fast) json["fail_fast"] = false;
  put(json, "fail_at_once", group.fail_at_once);
  put_all(json, "stages", group.stages, [](const std::vector<Step>& stage) {
    Json steps = Json::array();
    for (const auto& step : stage) steps.push_back(step_as_json(step));
    return steps;
  });
  put_all(json, "parameters", group.parameters, [](const OutputParameter& parameter) {
    Json output{{"name", parameter.name}, {"value", parameter.value.source()}};
    put(output, "fallback", parameter.fallback);
    put(output, "global", parameter.global);
    return output;
  });
  put_all(json, "artifacts", group.artifacts, [](const OutputArtifact& artifact) {
    Json output{{"name", artifact.name}, {"from", source_as_json(artifact.from)}};
    put(output, "optional", artifact.optional);
    put(output, "global", artifact.global);
    return output;
  });
  put(json, "parallelism", group.parallelism);
  return json;
}

Json gate_as_json(const Gate& gate) {
  Json json = Json::object();
  put(json, "duration", gate.duration);
  put_all(json, "supplied", gate.supplied, [](const Gate::Supplied& supplied) {
    Json item{{"name", supplied.name}};
    put(item, "fallback", supplied.fallback);
    if (!supplied.allowed.empty()) item["allowed"] = supplied.allowed;
    put(item, "global", supplied.global);
    return item;
  });
  return json;
}

Json retry_as_json(const Retry& retry) {
  constexpr std::string_view kPolicies[] = {"on failure", "on error", "on transient error", "always"};
  Json json{{"policy", kPolicies[static_cast<int>(retry.policy)]}};
  put(json, "limit", retry.limit);
  put(json, "backoff", retry.backoff);
  put(json, "factor", retry.factor);
  put(json, "cap", retry.cap);
  put(json, "max_duration", retry.max_duration);
  put(json, "expression", retry.expression);
  return json;
}

Json lock_as_json(const Lock& lock) {
  Json json{{"name", lock.name.source()}};
  put(json, "limit", lock.limit);
  return json;
}

Json metric_as_json(const Metric& metric) {
  constexpr std::string_view kOperations[] = {"set", "add", "subtract"};
  Json json{{"name", metric.name.source()}, {"help", metric.help.source()}, {"kind", to_string(metric.kind)}};
  for (const auto& [name, text] : metric.labels) json["labels"][name] = text.source();
  put(json, "condition", metric.condition);
  json["value"] = metric.value.source();
  if (metric.kind == Metric::Kind::gauge) json["operation"] = kOperations[static_cast<int>(metric.operation)];
  if (!metric.buckets.empty()) json["buckets"] = metric.buckets;
  put(json, "live", metric.live);
  return json;
}

Json definition_as_json(const Definition& definition) {
  Json json = Json::object();
  put_all(json, "input_parameters", definition.parameters, [](const InputParameter& parameter) {
    Json input{{"name", parameter.name}};
    put(input, "fallback", parameter.fallback);
    if (!parameter.allowed.empty()) input["allowed"] = parameter.allowed;
    return input;
  });
  put_all(json, "input_artifacts", definition.artifacts, [](const InputArtifact& artifact) {
    Json input{{"name", artifact.name}};
    put(input, "path", artifact.path);
    put(input, "optional", artifact.optional);
    if (artifact.fallback) input["fallback"] = source_as_json(*artifact.fallback);
    return input;
  });
  if (const auto* task = std::get_if<Task>(&definition.body)) {
    json["task"] = task_as_json(*task);
  } else if (const auto* group = std::get_if<Group>(&definition.body)) {
    json[group->kind == Group::Kind::graph ? "graph" : "sequence"] = group_as_json(*group);
  } else {
    json["gate"] = gate_as_json(std::get<Gate>(definition.body));
  }
  put(json, "label", definition.label == definition.name ? "" : definition.label);
  if (definition.retry) json["retry"] = retry_as_json(*definition.retry);
  put(json, "timeout", definition.timeout);
  put(json, "deadline", definition.deadline);
  put_all(json, "locks", definition.locks, lock_as_json);
  if (definition.memo) {
    json["memo"] = Json{{"key", definition.memo->key.source()}, {"cache", definition.memo->cache.source()}};
    put(json["memo"], "max_age", definition.memo->max_age);
  }
  put(json, "display", definition.display);
  put_all(json, "metrics", definition.metrics, metric_as_json);
  put_origin(json, definition.origin);
  return json;
}

Json recurrence_as_json(const Recurrence& recurrence) {
  constexpr std::string_view kOverlaps[] = {"allow", "forbid", "replace"};
  Json json{{"overlap", kOverlaps[static_cast<int>(recurrence.overlap)]}};
  put(json, "condition", recurrence.condition);
  if (recurrence.stop) json["stop"] = *recurrence.stop;
  if (recurrence.history.succeeded) json["keep_succeeded"] = *recurrence.history.succeeded;
  if (recurrence.history.failed) json["keep_failed"] = *recurrence.history.failed;
  return json;
}

}  // namespace

Json model_as_json(const Workflow& workflow) {
  constexpr std::string_view kNaming[] = {"counted", "given", "random"};
  Json json{{"name", workflow.name}, {"dialect", workflow.dialect}};
  json["naming"] = Json{{"kind", kNaming[static_cast<int>(workflow.naming.kind)]}};
  put(json["naming"], "stem", workflow.naming.stem);
  json["entry"] = call_as_json(workflow.entry);
  for (const auto& [name, value] : workflow.parameters) json["parameters"][name] = value.source();
  for (const auto& [name, value] : workflow.variables) json["variables"][name] = value;
  if (workflow.on_exit) json["on_exit"] = call_as_json(*workflow.on_exit);
  put_all(json, "hooks", workflow.hooks, hook_as_json);
  put(json, "deadline", workflow.deadline);
  put(json, "parallelism", workflow.parallelism);
  put_all(json, "locks", workflow.locks, lock_as_json);
  put_all(json, "metrics", workflow.metrics, metric_as_json);
  put(json, "suspended", workflow.suspended);
  if (workflow.priority != 0) json["priority"] = workflow.priority;
  if (!workflow.schedules.empty()) json["schedules"] = workflow.schedules;
  put(json, "timezone", workflow.timezone);
  if (workflow.recurrence) json["recurrence"] = recurrence_as_json(*workflow.recurrence);
  for (const auto& [name, text] : workflow.labels) json["labels"][name] = text.source();
  for (const auto& [name, text] : workflow.annotations) json["annotations"][name] = text.source();
  for (const auto& [name, definition] : workflow.definitions)
    json["definitions"][name] = definition_as_json(definition);
  return json;
}

}  // namespace kist::cli
