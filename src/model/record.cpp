// Records as JSON: a stored format (docs/run-record.md). Keys are added, never renamed; what is empty is left out;
// readers ignore keys they do not know. The format's number is in `version`.
#include "model/record.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "model/fields.hpp"

namespace kist::model {
namespace {

constexpr int kVersion = 1;

constexpr std::string_view kSourceKinds[] = {"text", "project"};

Json to_json(const ParameterRecord& parameter) {
  Json value = {{"name", parameter.name}, {"value", parameter.value}};
  put(value, "global", parameter.global);
  if (parameter.secret) value["secret"] = true;
  return value;
}
Json to_json(const MemoRecord& memo) {
  return {{"cache", memo.cache}, {"key", memo.key}, {"hit", memo.hit}};
}
Json to_json(const SourceText& source) {
  return {{"name", source.name}, {"text", source.text}};
}

Json to_json(const InputSource& source) {
  Json value = {{"kind", kSourceKinds[static_cast<int>(source.kind)]}};
  put(value, "name", source.name);
  put(value, "path", source.path);
  put(value, "text", source.text);
  if (source.kind == InputSource::Kind::text) value["bytes"] = source.bytes;
  return value;
}

Json to_json(const Revision& revision) {
  Json value = {{"commit", revision.commit}};
  put(value, "branch", revision.branch);
  if (revision.modified) value["modified"] = true;
  return value;
}

template <typename T>
void put_all(Json& object, const char* key, const std::vector<T>& items) {
  if (items.empty()) return;
  Json& list = object[key] = Json::array();
  for (const T& item : items) list.push_back(to_json(item));
}

Status get_state(const Json& object, const char* key, State& state) {
  std::string text;
  KIST_TRY(get(object, key, text));
  KIST_TRY_ASSIGN(state, parse_state(text));
  return {};
}

Result<ParameterRecord> parameter_from_json(const Json& value) {
  ParameterRecord parameter;
  KIST_TRY(get(value, "name", parameter.name));
  KIST_TRY(get(value, "value", parameter.value));
  KIST_TRY(get(value, "global", parameter.global));
  KIST_TRY(get(value, "secret", parameter.secret));
  return parameter;
}

Result<MemoRecord> memo_from_json(const Json& value) {
  MemoRecord memo;
  KIST_TRY(get(value, "cache", memo.cache));
  KIST_TRY(get(value, "key", memo.key));
  KIST_TRY(get(value, "hit", memo.hit));
  return memo;
}

Result<SourceText> source_from_json(const Json& value) {
  SourceText source;
  KIST_TRY(get(value, "name", source.name));
  KIST_TRY(get(value, "text", source.text));
  return source;
}

struct NodeKindWord {
  NodeKind kind;
  std::string_view word;
};

constexpr auto kNodeKinds = std::to_array<NodeKindWord>({
    {NodeKind::task, "task"},
    {NodeKind::graph, "graph"},
    {NodeKind::sequence, "sequence"},
    {NodeKind::loop, "loop"},
    {NodeKind::retry, "retry"},
    {NodeKind::gate, "gate"},
    {NodeKind::container, "container"},
});

Result<NodeKind> parse_node_kind(std::string_view word) {
  const auto* found = std::ranges::find(kNodeKinds, word, &NodeKindWord::word);
  if (found != kNodeKinds.end()) return found->kind;
  return fail(ErrorKind::corrupt, fmt::format("run record: '{}' is not a kind of node", word));
}

Result<InputSource> input_source_from_json(const Json& value) {
  InputSource source;
  std::string kind;
  KIST_TRY(get(value, "kind", kind));
  const auto* found = std::ranges::find(kSourceKinds, kind);
  if (found == std::end(kSourceKinds))
    return fail(ErrorKind::corrupt, fmt::format("run record: '{}' is not a kind of source", kind));
  source.kind = static_cast<InputSource::Kind>(found - std::begin(kSourceKinds));
  KIST_TRY(get(value, "name", source.name));
  KIST_TRY(get(value, "path", source.path));
  KIST_TRY(get(value, "text", source.text));
  KIST_TRY(get(value, "bytes", source.bytes));
  return source;
}

Result<Revision> revision_from_json(const Json& value) {
  Revision revision;
  KIST_TRY(get(value, "commit", revision.commit));
  KIST_TRY(get(value, "branch", revision.branch));
  KIST_TRY(get(value, "modified", revision.modified));
  return revision;
}

}  // namespace

std::string_view to_string(NodeKind kind) {
  return std::ranges::find(kNodeKinds, kind, &NodeKindWord::kind)->word;
}

Json to_json(const NodeRecord& node) {
  Json value = {{"name", node.names.name}, {"status", to_string(node.state)}};
  put(value, "display", node.names.display);
  put(value, "id", node.names.id);
  put(value, "host", node.names.host);
  put(value, "parent", node.parent);
  put(value, "step", node.step);
  put(value, "hook", node.hook);
  if (node.index) value["index"] = *node.index;
  put(value, "definition", node.definition);
  value["kind"] = to_string(node.kind);
  if (node.stage != 0) value["stage"] = node.stage;
  value["attempt"] = node.attempt;
  put(value, "message", node.message);
  put(value, "started", node.started);
  put(value, "finished", node.finished);
  if (node.exit_code) value["exit_code"] = *node.exit_code;
  put_all(value, "input_parameters", node.input_parameters);
  put_all(value, "input_artifacts", node.input_artifacts);
  put_all(value, "input_sources", node.input_sources);
  put_all(value, "output_parameters", node.output_parameters);
  put_all(value, "output_artifacts", node.output_artifacts);
  if (node.result) value["result"] = *node.result;
  if (node.daemoned) value["daemoned"] = true;
  put(value, "address", node.address);
  if (node.memo) value["memo"] = to_json(*node.memo);
  put(value, "created", node.created);
  put(value, "first_started", node.first_started);
  put(value, "fingerprint", node.fingerprint);
  put(value, "taken_from", node.taken_from);
  return value;
}

Result<NodeRecord> node_from_json(const Json& value) {
  NodeRecord node;
  std::string kind;
  KIST_TRY(get(value, "name", node.names.name));
  KIST_TRY(get_state(value, "status", node.state));
  KIST_TRY(get(value, "display", node.names.display));
  KIST_TRY(get(value, "id", node.names.id));
  KIST_TRY(get(value, "host", node.names.host));
  KIST_TRY(get(value, "parent", node.parent));
  KIST_TRY(get(value, "step", node.step));
  KIST_TRY(get(value, "hook", node.hook));
  KIST_TRY(get(value, "index", node.index));
  if (node.index && *node.index < 0) return wrong_type("index", "a number from 0 on");
  KIST_TRY(get(value, "definition", node.definition));
  KIST_TRY(get(value, "kind", kind));
  KIST_TRY_ASSIGN(node.kind, parse_node_kind(kind));
  KIST_TRY(get(value, "stage", node.stage));
  KIST_TRY(get(value, "attempt", node.attempt));
  KIST_TRY(get(value, "message", node.message));
  KIST_TRY(get(value, "started", node.started));
  KIST_TRY(get(value, "finished", node.finished));
  KIST_TRY(get(value, "exit_code", node.exit_code));
  KIST_TRY(get_all(value, "input_parameters", node.input_parameters, parameter_from_json));
  KIST_TRY(get_all(value, "input_artifacts", node.input_artifacts, artifact_from_json));
  KIST_TRY(get_all(value, "input_sources", node.input_sources, input_source_from_json));
  KIST_TRY(get_all(value, "output_parameters", node.output_parameters, parameter_from_json));
  KIST_TRY(get_all(value, "output_artifacts", node.output_artifacts, artifact_from_json));
  KIST_TRY(get(value, "result", node.result));
  KIST_TRY(get(value, "daemoned", node.daemoned));
  KIST_TRY(get(value, "address", node.address));
  KIST_TRY_ASSIGN(const Json* memo, member(value, "memo"));
  if (memo != nullptr) {
    KIST_TRY_ASSIGN(node.memo, memo_from_json(*memo));
  }
  KIST_TRY(get(value, "created", node.created));
  KIST_TRY(get(value, "first_started", node.first_started));
  KIST_TRY(get(value, "fingerprint", node.fingerprint));
  KIST_TRY(get(value, "taken_from", node.taken_from));
  return node;
}

Json to_json(const RunRequest& request) {
  Json value = {{"dialect", request.dialect}};
  put(value, "project", request.project);
  put_all(value, "files", request.files);
  put_all(value, "library", request.library);
  put(value, "workflow", request.workflow);
  put_pairs(value, "parameters", request.parameters);
  put_pairs(value, "environment", request.environment);
  if (!request.arguments.empty()) value["arguments"] = request.arguments;
  put_pairs(value, "options", request.options);
  if (request.name) value["name"] = *request.name;
  if (request.tag) value["tag"] = *request.tag;
  if (request.revision) value["revision"] = to_json(*request.revision);
  if (request.restore_from) value["restore_from"] = *request.restore_from;
  if (request.cached) value["cached"] = true;
  return value;
}

Result<RunRequest> request_from_json(const Json& value) {
  RunRequest request;
  KIST_TRY(get(value, "dialect", request.dialect));
  KIST_TRY(get(value, "project", request.project));
  KIST_TRY(get_all(value, "files", request.files, source_from_json));
  KIST_TRY(get_all(value, "library", request.library, source_from_json));
  KIST_TRY(get(value, "workflow", request.workflow));
  KIST_TRY(get_pairs(value, "parameters", request.parameters));
  KIST_TRY(get_pairs(value, "environment", request.environment));
  KIST_TRY(get_all(value, "arguments", request.arguments, text_from_json));
  KIST_TRY(get_pairs(value, "options", request.options));
  KIST_TRY(get(value, "name", request.name));
  KIST_TRY(get(value, "tag", request.tag));
  KIST_TRY_ASSIGN(const Json* revision, member(value, "revision"));
  if (revision != nullptr) {
    KIST_TRY_ASSIGN(request.revision, revision_from_json(*revision));
  }
  KIST_TRY(get(value, "restore_from", request.restore_from));
  KIST_TRY(get(value, "cached", request.cached));
  return request;
}

Json to_json(const UsedRun& used) {
  Json value = {{used.by == RunArtifacts::By::tag ? "tag" : "workflow", used.name}, {"run", used.run}};
  put_all(value, "artifacts", used.artifacts);
  if (used.restored) value["restored"] = true;
  return value;
}

Result<UsedRun> used_run_from_json(const Json& value) {
  UsedRun used;
  KIST_TRY_ASSIGN(const Json* tag, member(value, "tag"));
  used.by = tag != nullptr ? RunArtifacts::By::tag : RunArtifacts::By::workflow;
  KIST_TRY(get(value, tag != nullptr ? "tag" : "workflow", used.name));
  KIST_TRY(get(value, "run", used.run));
  KIST_TRY(get_all(value, "artifacts", used.artifacts, artifact_from_json));
  KIST_TRY(get(value, "restored", used.restored));
  return used;
}

std::string shown_value(const ParameterRecord& parameter) {
  return parameter.secret ? "***" : parameter.value;
}

Json to_json(const RunRecord& run) {
  Json value = {{"name", run.name}, {"status", to_string(run.state)}, {"version", kVersion}};
  put(value, "id", run.id);
  put(value, "workflow", run.workflow);
  put(value, "dialect", run.dialect);
  put(value, "project", run.project);
  put(value, "user", run.user);
  put(value, "message", run.message);
  put_map(value, "labels", run.marks.labels);
  put_map(value, "annotations", run.marks.annotations);
  put(value, "created", run.created);
  put(value, "started", run.started);
  put(value, "finished", run.finished);
  put(value, "expires", run.expires);
  value["request"] = to_json(run.request);
  put_all(value, "used_runs", run.used_runs);
  put_all(value, "nodes", run.nodes);
  if (run.logs) value["logs"] = to_json(*run.logs);
  return value;
}

Result<RunRecord> run_from_json(const Json& value) {
  RunRecord run;
  int version = 0;
  KIST_TRY(get(value, "version", version));
  if (version > kVersion)
    return fail(ErrorKind::unsupported,
                fmt::format("run record of version {}: made by a newer kist (this one reads {})", version, kVersion));
  KIST_TRY(get(value, "name", run.name));
  KIST_TRY(get_state(value, "status", run.state));
  KIST_TRY(get(value, "id", run.id));
  KIST_TRY(get(value, "workflow", run.workflow));
  KIST_TRY(get(value, "dialect", run.dialect));
  KIST_TRY(get(value, "project", run.project));
  KIST_TRY(get(value, "user", run.user));
  KIST_TRY(get(value, "message", run.message));
  KIST_TRY(get_map(value, "labels", run.marks.labels));
  KIST_TRY(get_map(value, "annotations", run.marks.annotations));
  KIST_TRY(get(value, "created", run.created));
  KIST_TRY(get(value, "started", run.started));
  KIST_TRY(get(value, "finished", run.finished));
  KIST_TRY(get(value, "expires", run.expires));
  KIST_TRY_ASSIGN(const Json* request, member(value, "request"));
  if (request != nullptr) {
    KIST_TRY_ASSIGN(run.request, request_from_json(*request));
  }
  KIST_TRY(get_all(value, "used_runs", run.used_runs, used_run_from_json));
  KIST_TRY(get_all(value, "nodes", run.nodes, node_from_json));
  KIST_TRY_ASSIGN(const Json* logs, member(value, "logs"));
  if (logs != nullptr) {
    KIST_TRY_ASSIGN(run.logs, artifact_from_json(*logs));
  }
  return run;
}

}  // namespace kist::model
