#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/show_parts.hpp"

namespace kist::cli::shown {

using namespace model;

namespace {

Json archive_as_json(const Archive& archive) {
  if (archive.kind == Archive::Kind::none) return "none";
  Json json{{"kind", archive.kind == Archive::Kind::tar ? "tar" : "zip"}};
  if (archive.compression_level) json["level"] = *archive.compression_level;
  return json;
}

// Where a secret's value goes its name is shown.
Json secret_as_json(const SecretReference& secret) {
  Json json{{"secret", secret.name.source()}, {"key", secret.key.source()}};
  put(json, "optional", secret.optional);
  return json;
}

Json location_as_json(const Location& location) {
  Json json{{"kind", location.kind}};
  for (const auto& field : location.fields) {
    Json value = std::visit(Overloaded{[](const Text& text) { return Json(text.source()); },
                                       [](const SecretReference& secret) { return secret_as_json(secret); }},
                            field.value);
    if (!json.contains(field.name)) {
      json[field.name] = std::move(value);
    } else {
      if (!json[field.name].is_array()) json[field.name] = Json::array({json[field.name]});
      json[field.name].push_back(std::move(value));
    }
  }
  return json;
}

}  // namespace

Json source_as_json(const ArtifactSource& source) {
  return std::visit(Overloaded{
                        [](const ArtifactReference& from) {
                          Json json{{"from", from.name.source()}};
                          put(json, "sub_path", from.sub_path);
                          return json;
                        },
                        [](const ArtifactExpression& one) {
                          Json json{{"expression", one.expression.source()}};
                          put(json, "sub_path", one.sub_path);
                          return json;
                        },
                        [](const RawArtifact& raw) { return Json{{"raw", raw.data.source()}}; },
                        [](const ExternalArtifact& one) {
                          Json json{{"location", location_as_json(one.location)}};
                          if (one.archive) json["archive"] = archive_as_json(*one.archive);
                          put(json, "sub_path", one.sub_path);
                          return json;
                        },
                        [](const RunArtifacts& run) {
                          const char* by = run.by == RunArtifacts::By::tag ? "tag" : "workflow";
                          return Json{{"run", {{by, run.name}}}};
                        },
                        [](const ProjectFiles&) { return Json{{"project", true}}; },
                    },
                    source);
}

namespace {

void put_origin(Json& to, const Origin& origin) {
  put(to, "origin", to_string(origin));
}

Json environment_as_json(const std::vector<EnvironmentVariable>& variables) {
  Json object = Json::object();
  for (const auto& variable : variables)
    object[variable.name] = variable.secret ? secret_as_json(*variable.secret) : Json(variable.value.source());
  return object;
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

Json probe_as_json(const Probe& probe) {
  Json json = Json::object();
  put_texts(json, "command", probe.command);
  put(json, "url", probe.url);
  if (probe.port) json["port"] = *probe.port;
  json["delay_seconds"] = probe.delay.count();
  json["period_seconds"] = probe.period.count();
  json["failures"] = probe.failures;
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
  if (run.ready) json["ready"] = probe_as_json(*run.ready);
  put(json, "main", run.is_main);
  put(json, "deadline", run.deadline);
  put(json, "image_program", run.image_program);
  put(json, "terminal", run.terminal);
  if (run.no_output_timeout) json["no_output_timeout_seconds"] = run.no_output_timeout->count();
  put(json, "shown", run.shown);
  put(json, "end_counts", run.end_counts);
  if (run.error_code) json["error_code"] = *run.error_code;
  return json;
}

Json save_as_json(const Save& save) {
  constexpr std::string_view kMissing[] = {"fail", "ignore", "notice"};
  Json json{{"name", save.name}, {"path", save.path.source()}};
  json["missing"] = kMissing[static_cast<int>(save.missing)];
  json["archive"] = archive_as_json(save.archive);
  if (!save.directories) json["directories"] = false;
  put_texts(json, "exclude", save.exclude);
  if (save.to) json["to"] = location_as_json(*save.to);
  put(json, "global", save.global);
  constexpr std::string_view kCollect[] = {"never", "at completion", "at deletion"};
  if (save.collect != Save::Collect::never) json["collect"] = kCollect[static_cast<int>(save.collect)];
  return json;
}

Json http_as_json(const HttpRequest& request) {
  Json json{{"url", request.url.source()}, {"method", request.method.source()}};
  for (const auto& header : request.headers)
    json["headers"][header.name] =
        std::visit(Overloaded{[](const Text& text) { return Json(text.source()); },
                              [](const SecretReference& one) { return secret_as_json(one); }},
                   header.value);
  put(json, "body", request.body);
  json["timeout_seconds"] = request.timeout.count();
  put(json, "insecure", request.insecure);
  put(json, "success_condition", request.success_condition);
  return json;
}

Json list_as_json(const ListRequest& request) {
  Json json{{"location", location_as_json(request.location)}};
  for (const auto& step : request.transformations) json["transformations"].push_back(step.source());
  return json;
}

Json object_as_json(const ObjectRequest& request) {
  Json json{{"action", request.action.source()}};
  put(json, "manifest", request.manifest);
  if (request.manifest_from) json["manifest_from"] = source_as_json(*request.manifest_from);
  put(json, "merge_strategy", request.merge_strategy);
  if (!request.flags.empty()) put_texts(json, "flags", request.flags);
  put(json, "owned", request.owned);
  put(json, "success_condition", request.success_condition);
  put(json, "failure_condition", request.failure_condition);
  for (const auto& output : request.outputs)
    json["outputs"][output.parameter] = output.json_path.empty() ? output.jq_filter : output.json_path;
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
                   put(json["read"], "global", read.global);
                 },
                 [&](const HttpRequest& request) { json["http"] = http_as_json(request); },
                 [&](const ListRequest& request) { json["list"] = list_as_json(request); },
                 [&](const ObjectRequest& request) { json["object"] = object_as_json(request); },
             },
             action.what);
  put(json, "title", action.title);
  if (action.after) json["after"] = *action.after;
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
  for (const auto& variables : container.secret_environment) {
    Json& secret = json["secret_environment"].emplace_back(Json{{"secret", variables.secret.source()}});
    put(secret, "prefix", variables.prefix);
    put(secret, "optional", variables.optional);
  }
  put_all(json, "mounts", container.mounts, [](const VolumeMount& mount) {
    Json item{{"volume", mount.volume.source()}, {"path", mount.path.source()}};
    put(item, "sub_path", mount.sub_path);
    put(item, "read_only", mount.read_only);
    return item;
  });
  return json;
}

Json volume_as_json(const Volume& volume) {
  constexpr std::string_view kKinds[] = {"empty", "run", "claim", "files", "host"};
  Json json{{"name", volume.name}, {"kind", kKinds[static_cast<int>(volume.kind)]}};
  put(json, "claim", volume.claim);
  put(json, "path", volume.path);
  constexpr std::string_view kHosts[] = {"",       "directory",        "directory or new", "file", "file or new",
                                         "socket", "character device", "block device"};
  put(json, "host", std::string(kHosts[static_cast<int>(volume.host)]));
  for (const auto& file : volume.files) {
    Json& item = json["files"].emplace_back(Json{{"path", file.path}});
    put(item, "text", file.text);
    if (file.secret) item["secret"] = secret_as_json(*file.secret);
    if (file.mode) item["mode"] = fmt::format("{:04o}", *file.mode);
  }
  if (volume.mode) json["mode"] = fmt::format("{:04o}", *volume.mode);
  return json;
}

}  // namespace

Json task_as_json(const Task& task) {
  Json json = Json::object();
  put_all(json, "containers", task.containers, container_as_json);
  put_all(json, "volumes", task.volumes, volume_as_json);
  put_all(json, "actions", task.actions, action_as_json);
  put_texts(json, "fresh_directories", task.fresh_directories);
  put(json, "capture_result", task.capture_result);
  put(json, "as_root", task.as_root);
  put(json, "daemon", task.daemon);
  put(json, "uses_project", task.uses_project);
  if (task.log_artifact) {
    json["log_artifact"] = Json{{"name", task.log_artifact->name}};
    if (task.log_artifact->to) json["log_artifact"]["to"] = location_as_json(*task.log_artifact->to);
  }
  return json;
}

}  // namespace kist::cli::shown
