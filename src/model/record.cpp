// States by name, and records as JSON. The JSON is a stored format (docs/run-record.md): keys are added, never renamed;
// what is empty is left out; readers ignore keys they do not know. The format's number is in `version`.
#include "model/record.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace kist::model {
namespace {

constexpr int kVersion = 1;

struct StateWord {
  State state;
  std::string_view word;
};

constexpr auto kStates = std::to_array<StateWord>({
    {State::pending, "pending"},
    {State::running, "running"},
    {State::stopping, "stopping"},
    {State::succeeded, "succeeded"},
    {State::failed, "failed"},
    {State::error, "error"},
    {State::skipped, "skipped"},
    {State::omitted, "omitted"},
    {State::stopped, "stopped"},
    {State::aborted, "aborted"},
    {State::interrupted, "interrupted"},
});

struct ArchiveWord {
  Archive::Kind kind;
  std::string_view word;
};

constexpr auto kArchives = std::to_array<ArchiveWord>(
    {{Archive::Kind::none, "none"}, {Archive::Kind::tar, "tar"}, {Archive::Kind::zip, "zip"}});

struct CollectWord {
  Save::Collect collect;
  std::string_view word;
};

constexpr auto kCollects = std::to_array<CollectWord>({{Save::Collect::never, "never"},
                                                       {Save::Collect::at_completion, "at_completion"},
                                                       {Save::Collect::at_deletion, "at_deletion"}});

constexpr std::string_view kSourceKinds[] = {"text", "project"};

// ---- writing: what is empty is left out

void put(Json& object, const char* key, const std::string& text) {
  if (!text.empty()) object[key] = text;
}

void put(Json& object, const char* key, Time time) {
  if (time != Time{}) object[key] = to_rfc3339_micros(time);
}

Json to_json(const ParameterRecord& parameter) {
  Json value = {{"name", parameter.name}, {"value", parameter.value}};
  put(value, "global", parameter.global);
  return value;
}
Json to_json(const MemoRecord& memo) {
  return {{"cache", memo.cache}, {"key", memo.key}, {"hit", memo.hit}};
}
Json to_json(const SourceText& source) {
  return {{"name", source.name}, {"text", source.text}};
}

Json to_json(const Producer& producer) {
  Json value = Json::object();
  put(value, "run", producer.run);
  put(value, "node", producer.node);
  put(value, "artifact", producer.artifact);
  return value;
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

using Pairs = std::vector<std::pair<std::string, std::string>>;

void put_pairs(Json& object, const char* key, const Pairs& pairs) {
  if (pairs.empty()) return;
  Json& list = object[key] = Json::array();
  for (const auto& [name, value] : pairs) list.push_back({{"name", name}, {"value", value}});
}

void put_map(Json& object, const char* key, const Pairs& pairs) {
  if (pairs.empty()) return;
  Json& map = object[key] = Json::object();
  for (const auto& [name, value] : pairs) map[name] = value;
}

// ---- reading: a missing key is the empty value, a key of the wrong type is an error

Result<const Json*> member(const Json& object, const char* key) {
  if (!object.is_object()) return fail(ErrorKind::corrupt, "run record: expected an object");
  auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

std::unexpected<Error> wrong_type(const char* key, std::string_view expected) {
  return fail(ErrorKind::corrupt, fmt::format("run record: `{}` is not {}", key, expected));
}

Status get(const Json& object, const char* key, std::string& text) {
  KIST_TRY_ASSIGN(const Json* found, member(object, key));
  if (found == nullptr) return {};
  if (!found->is_string()) return wrong_type(key, "a text");
  text = found->get<std::string>();
  return {};
}

Status get(const Json& object, const char* key, Time& time) {
  std::string text;
  KIST_TRY(get(object, key, text));
  if (text.empty()) return {};
  KIST_TRY_ASSIGN(time, parse_rfc3339(text));
  return {};
}

Status get(const Json& object, const char* key, Digest& digest) {
  std::string text;
  KIST_TRY(get(object, key, text));
  KIST_TRY_ASSIGN(digest, Digest::parse(text));
  return {};
}

Status get(const Json& object, const char* key, State& state) {
  std::string text;
  KIST_TRY(get(object, key, text));
  KIST_TRY_ASSIGN(state, parse_state(text));
  return {};
}

template <std::integral T>
Status get(const Json& object, const char* key, T& number) {
  KIST_TRY_ASSIGN(const Json* found, member(object, key));
  if (found == nullptr) return {};
  if (!found->is_number_integer()) return wrong_type(key, "a whole number");
  number = found->get<T>();
  return {};
}

Status get(const Json& object, const char* key, bool& flag) {
  KIST_TRY_ASSIGN(const Json* found, member(object, key));
  if (found == nullptr) return {};
  if (!found->is_boolean()) return wrong_type(key, "true or false");
  flag = found->get<bool>();
  return {};
}

template <typename T>
Status get(const Json& object, const char* key, std::optional<T>& value) {
  KIST_TRY_ASSIGN(const Json* found, member(object, key));
  if (found == nullptr) return {};
  return get(object, key, value.emplace());
}

template <typename T, typename Read>
Status get_all(const Json& object, const char* key, std::vector<T>& items, const Read& read) {
  KIST_TRY_ASSIGN(const Json* found, member(object, key));
  if (found == nullptr) return {};
  if (!found->is_array()) return wrong_type(key, "a list");
  for (const Json& element : *found) {
    KIST_TRY_ASSIGN(T item, read(element));
    items.push_back(std::move(item));
  }
  return {};
}

Result<ParameterRecord> parameter_from_json(const Json& value) {
  ParameterRecord parameter;
  KIST_TRY(get(value, "name", parameter.name));
  KIST_TRY(get(value, "value", parameter.value));
  KIST_TRY(get(value, "global", parameter.global));
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

Status get_pairs(const Json& object, const char* key, Pairs& pairs) {
  return get_all(object, key, pairs, [](const Json& element) -> Result<std::pair<std::string, std::string>> {
    KIST_TRY_ASSIGN(ParameterRecord parameter, parameter_from_json(element));
    return std::pair(std::move(parameter.name), std::move(parameter.value));
  });
}

Status get_map(const Json& object, const char* key, Pairs& pairs) {
  KIST_TRY_ASSIGN(const Json* map, member(object, key));
  if (map == nullptr) return {};
  if (!map->is_object()) return wrong_type(key, "an object");
  for (const auto& [name, value] : map->items()) {
    if (!value.is_string()) return wrong_type(key, "texts");
    pairs.emplace_back(name, value.get<std::string>());
  }
  return {};
}

Result<std::string> text_from_json(const Json& value) {
  if (!value.is_string()) return fail(ErrorKind::corrupt, "run record: expected a text");
  return value.get<std::string>();
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

Result<Producer> producer_from_json(const Json& value) {
  Producer producer;
  KIST_TRY(get(value, "run", producer.run));
  KIST_TRY(get(value, "node", producer.node));
  KIST_TRY(get(value, "artifact", producer.artifact));
  return producer;
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

Result<Archive> archive_from_json(const Json& value) {
  Archive archive;
  std::string word;
  KIST_TRY(get(value, "kind", word));
  const auto* found = std::ranges::find(kArchives, word, &ArchiveWord::word);
  if (found == kArchives.end())
    return fail(ErrorKind::corrupt, fmt::format("run record: '{}' is not a kind of archive", word));
  archive.kind = found->kind;
  KIST_TRY(get(value, "compression_level", archive.compression_level));
  return archive;
}

}  // namespace

std::string_view to_string(State state) {
  return std::ranges::find(kStates, state, &StateWord::state)->word;
}

Result<State> parse_state(std::string_view word) {
  const auto* found = std::ranges::find(kStates, word, &StateWord::word);
  if (found == kStates.end()) return fail(ErrorKind::invalid, fmt::format("'{}' is not a state", word));
  return found->state;
}

bool is_final(State state) {
  switch (state) {
    case State::pending:
    case State::running:
    case State::stopping:
    case State::interrupted:
      return false;
    default:
      return true;
  }
}

bool is_success(State state) {
  return state == State::succeeded || state == State::skipped || state == State::omitted;
}

bool has_failed(State state) {
  return state == State::failed || state == State::error;
}

std::string_view to_string(NodeKind kind) {
  return std::ranges::find(kNodeKinds, kind, &NodeKindWord::kind)->word;
}

namespace {

Json to_json(const SentArtifact& sent) {
  Json value = {{"kind", sent.to.kind}, {"fields", Json::array()}};
  for (const LocationField& field : sent.to.fields) {
    Json one = {{"name", field.name}};
    if (const auto* text = std::get_if<Text>(&field.value)) {
      one["value"] = text->source();
    } else {
      const auto& secret = std::get<SecretReference>(field.value);
      one["secret"] = secret.name.source();
      one["key"] = secret.key.source();
      if (secret.optional) one["optional"] = true;
    }
    value["fields"].push_back(std::move(one));
  }
  if (sent.collect != Save::Collect::never)
    value["collect"] = std::ranges::find(kCollects, sent.collect, &CollectWord::collect)->word;
  if (sent.may_stay) value["may_stay"] = true;
  if (sent.deleted) value["deleted"] = true;
  return value;
}

Result<LocationField> field_from_json(const Json& value) {
  LocationField field;
  KIST_TRY(get(value, "name", field.name));
  std::string text;
  std::string secret;
  KIST_TRY(get(value, "value", text));
  KIST_TRY(get(value, "secret", secret));
  if (secret.empty()) {
    field.value = Text::literal(std::move(text));
    return field;
  }
  std::string key;
  SecretReference reference;
  KIST_TRY(get(value, "key", key));
  KIST_TRY(get(value, "optional", reference.optional));
  reference.name = Text::literal(std::move(secret));
  reference.key = Text::literal(std::move(key));
  field.value = std::move(reference);
  return field;
}

Result<SentArtifact> sent_from_json(const Json& value) {
  SentArtifact sent;
  KIST_TRY(get(value, "kind", sent.to.kind));
  KIST_TRY(get_all(value, "fields", sent.to.fields, field_from_json));
  std::string collect;
  KIST_TRY(get(value, "collect", collect));
  const auto* found = std::ranges::find(kCollects, collect.empty() ? "never" : collect, &CollectWord::word);
  if (found == kCollects.end()) return fail(ErrorKind::invalid, fmt::format("'{}' is no time to collect", collect));
  sent.collect = found->collect;
  KIST_TRY(get(value, "may_stay", sent.may_stay));
  KIST_TRY(get(value, "deleted", sent.deleted));
  return sent;
}

}  // namespace

Json to_json(const ArtifactRecord& artifact) {
  Json value = {{"name", artifact.name}};
  put(value, "path", artifact.path);
  value["tree"] = artifact.tree.to_string();
  value["times"] = artifact.times.to_string();
  value["bytes"] = artifact.bytes;
  value["files"] = artifact.files;
  if (artifact.archive.kind != Archive::Kind::none) {
    Json& archive = value["archive"];
    archive["kind"] = std::ranges::find(kArchives, artifact.archive.kind, &ArchiveWord::kind)->word;
    if (artifact.archive.compression_level) archive["compression_level"] = *artifact.archive.compression_level;
  }
  if (artifact.live) value["live"] = true;
  if (artifact.producer) value["producer"] = to_json(*artifact.producer);
  if (!artifact.left_out.empty()) value["left_out"] = artifact.left_out;
  put(value, "global", artifact.global);
  put(value, "sub_path", artifact.sub_path);
  for (const SentArtifact& sent : artifact.sent) value["sent"].push_back(to_json(sent));
  return value;
}

Result<ArtifactRecord> artifact_from_json(const Json& value) {
  ArtifactRecord artifact;
  KIST_TRY(get(value, "name", artifact.name));
  KIST_TRY(get(value, "path", artifact.path));
  KIST_TRY(get(value, "tree", artifact.tree));
  KIST_TRY(get(value, "times", artifact.times));
  KIST_TRY(get(value, "bytes", artifact.bytes));
  KIST_TRY(get(value, "files", artifact.files));
  KIST_TRY(get(value, "live", artifact.live));
  KIST_TRY(get(value, "global", artifact.global));
  KIST_TRY(get(value, "sub_path", artifact.sub_path));
  KIST_TRY(get_all(value, "left_out", artifact.left_out, text_from_json));
  KIST_TRY(get_all(value, "sent", artifact.sent, sent_from_json));
  KIST_TRY_ASSIGN(const Json* archive, member(value, "archive"));
  if (archive != nullptr) {
    KIST_TRY_ASSIGN(artifact.archive, archive_from_json(*archive));
  }
  KIST_TRY_ASSIGN(const Json* producer, member(value, "producer"));
  if (producer != nullptr) {
    KIST_TRY_ASSIGN(artifact.producer, producer_from_json(*producer));
  }
  return artifact;
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
  KIST_TRY(get(value, "status", node.state));
  KIST_TRY(get(value, "display", node.names.display));
  KIST_TRY(get(value, "id", node.names.id));
  KIST_TRY(get(value, "host", node.names.host));
  KIST_TRY(get(value, "parent", node.parent));
  KIST_TRY(get(value, "step", node.step));
  KIST_TRY(get(value, "hook", node.hook));
  KIST_TRY(get(value, "index", node.index));
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
  KIST_TRY(get(value, "status", run.state));
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
