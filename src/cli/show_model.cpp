// Fields at their defaults are left out, so that what a file says stands out.
#include "cli/show_model.hpp"

#include <string_view>
#include <variant>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace kist::cli {

namespace {

using namespace model;

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

void put(Json& to, const char* key, const std::string& value) {
  if (!value.empty()) to[key] = value;
}
void put(Json& to, const char* key, const Text& value) {
  put(to, key, value.source());
}
void put(Json& to, const char* key, const std::optional<Text>& value) {
  if (value) to[key] = value->source();
}
void put(Json& to, const char* key, bool value) {
  if (value) to[key] = true;
}
void put_texts(Json& to, const char* key, const std::vector<Text>& values) {
  for (const auto& value : values) to[key].push_back(value.source());
}
template <typename Item, typename Write>
void put_all(Json& to, const char* key, const std::vector<Item>& items, Write write) {
  for (const auto& item : items) to[key].push_back(write(item));
}

void put_origin(Json& to, const Origin& origin) {
  put(to, "origin", to_string(origin));
}

Json source_as_json(const ArtifactSource& source) {
  return std::visit(Overloaded{
                        [](const ArtifactReference& from) { return Json{{"from", from.name.source()}}; },
                        [](const ArtifactExpression& one) { return Json{{"expression", one.expression.source()}}; },
                        [](const RawArtifact& raw) { return Json{{"raw", raw.data.source()}}; },
                        [](const ExternalArtifact& one) { return Json{{"location", to_string(one.location)}}; },
                        [](const RunArtifacts& run) {
                          const char* by = run.by == RunArtifacts::By::tag ? "tag" : "workflow";
                          return Json{{"run", {{by, run.name}}}};
                        },
                        [](const ProjectFiles&) { return Json{{"project", true}}; },
                    },
                    source);
}

Json environment_as_json(const std::vector<EnvironmentVariable>& variables) {
  Json object = Json::object();
  for (const auto& variable : variables) object[variable.name] = variable.value.source();
  return object;
}

Json archive_as_json(const Archive& archive) {
  if (archive.kind == Archive::Kind::none) return "none";
  Json json{{"kind", archive.kind == Archive::Kind::tar ? "tar" : "zip"}};
  if (archive.compression_level) json["level"] = *archive.compression_level;
  return json;
}

Json when_as_json(const When& when) {
  Json states = Json::array();
  if (when.success) states.push_back("success");
  if (when.failure) states.push_back("failure");
  if (when.stopped) states.push_back("stopped");
  if (when.aborted) states.push_back("aborted");
  return states;
}

Json load_as_json(const Load& load) {
  Json json{{"source", source_as_json(load.source)}};
  put(json, "path", load.path);
  if (load.mode) json["mode"] = fmt::format("{:04o}", *load.mode);
  put(json, "recurse_mode", load.recurse_mode);
  put(json, "optional", load.optional);
  return json;
}

Json run_as_json(const Run& run) {
  Json json = Json::object();
  put_texts(json, "command", run.command);
  put(json, "script", run.script);
  put(json, "script_path", run.script_path);
  if (!run.environment.empty()) json["environment"] = environment_as_json(run.environment);
  put(json, "working_directory", run.working_directory);
  put(json, "background", run.background);
  if (run.no_output_timeout) json["no_output_timeout_seconds"] = run.no_output_timeout->count();
  put(json, "shown", run.shown);
  return json;
}

Json save_as_json(const Save& save) {
  constexpr std::string_view kMissing[] = {"fail", "ignore", "notice"};
  Json json{{"name", save.name}, {"path", save.path.source()}};
  json["missing"] = kMissing[static_cast<int>(save.missing)];
  json["archive"] = archive_as_json(save.archive);
  if (!save.directories) json["directories"] = false;
  return json;
}

Json action_as_json(const Action& action) {
  Json json = Json::object();
  std::visit(Overloaded{
                 [&](const Load& load) { json["load"] = load_as_json(load); },
                 [&](const Run& run) { json["run"] = run_as_json(run); },
                 [&](const Save& save) { json["save"] = save_as_json(save); },
                 [&](const Watch& watch) { json["watch"] = Json{{"name", watch.name}, {"path", watch.path.source()}}; },
                 [&](const Read& read) {
                   json["read"] = Json{{"parameter", read.parameter}, {"path", read.path.source()}};
                   put(json["read"], "fallback", read.fallback);
                 },
                 [&](const HttpRequest& request) { json["http"] = Json{{"url", request.url.source()}}; },
                 [&](const ListRequest& request) { json["list"] = to_string(request.location); },
                 [&](const ObjectRequest& request) { json["object"] = request.action; },
             },
             action.what);
  put(json, "title", action.title);
  put(json, "container", action.container);
  json["when"] = when_as_json(action.when);
  put_origin(json, action.origin);
  return json;
}

Json container_as_json(const Container& container) {
  Json json{{"name", container.name}};
  put(json, "image", container.image);
  if (!container.environment.empty()) json["environment"] = environment_as_json(container.environment);
  put(json, "working_directory", container.working_directory);
  put(json, "inherit_environment", container.inherit_environment);
  return json;
}

Json task_as_json(const Task& task) {
  Json json = Json::object();
  put_all(json, "containers", task.containers, container_as_json);
  put_all(json, "actions", task.actions, action_as_json);
  put_texts(json, "fresh_directories", task.fresh_directories);
  put(json, "capture_result", task.capture_result);
  put(json, "as_root", task.as_root);
  return json;
}

Json call_as_json(const Call& call) {
  Json json{{"definition", call.definition}};
  for (const auto& [name, value] : call.arguments.parameters) json["parameters"][name] = value.source();
  for (const auto& [name, source] : call.arguments.artifacts) json["artifacts"][name] = source_as_json(source);
  return json;
}

Json dependency_as_json(const Dependency& dependency) {
  constexpr std::string_view kTests[] = {"succeeded", "failed", "errored", "skipped", "omitted", "daemoned"};
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
  put(json, "tolerate_failed", step.tolerate_failed);
  put(json, "tolerate_error", step.tolerate_error);
  put_origin(json, step.origin);
  return json;
}

Json group_as_json(const Group& group) {
  Json json = Json::object();
  put_all(json, "steps", group.steps, step_as_json);
  for (const auto& target : group.targets) json["targets"].push_back(target);
  if (!group.fail_fast) json["fail_fast"] = false;
  put_all(json, "stages", group.stages, [](const std::vector<Step>& stage) {
    Json steps = Json::array();
    for (const auto& step : stage) steps.push_back(step_as_json(step));
    return steps;
  });
  put_all(json, "parameters", group.parameters, [](const OutputParameter& parameter) {
    Json output{{"name", parameter.name}, {"value", parameter.value.source()}};
    put(output, "fallback", parameter.fallback);
    return output;
  });
  put_all(json, "artifacts", group.artifacts, [](const OutputArtifact& artifact) {
    Json output{{"name", artifact.name}, {"from", source_as_json(artifact.from)}};
    put(output, "optional", artifact.optional);
    return output;
  });
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
    json["gate"] = true;
  }
  put_origin(json, definition.origin);
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
  for (const auto& [name, definition] : workflow.definitions)
    json["definitions"][name] = definition_as_json(definition);
  return json;
}

}  // namespace kist::cli
