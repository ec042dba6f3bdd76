#include "dialect/argo/run_object.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/yaml.hpp"
#include "dialect/argo/documents.hpp"
#include "dialect/argo/wording.hpp"

namespace kist::dialect::argo {
namespace {

using model::NodeKind;
using model::State;

constexpr std::string_view kPhase = "workflows.argoproj.io/phase";
constexpr std::string_view kCompleted = "workflows.argoproj.io/completed";

// null where there is none, as Go writes it.
Json time_value(Time time) {
  return time == Time{} ? Json(nullptr) : Json(to_rfc3339(time));
}

Json map_value(const std::vector<std::pair<std::string, std::string>>& pairs) {
  Json map = Json::object();
  for (const auto& [name, value] : pairs) map[name] = value;
  return map;
}

std::string_view type_of(const model::NodeRecord& node) {
  if (node.state == State::skipped) return "Skipped";
  switch (node.kind) {
    case NodeKind::graph:
      return "DAG";
    case NodeKind::sequence:
      return "Steps";
    case NodeKind::loop:
      return "TaskGroup";
    case NodeKind::retry:
      return "Retry";
    case NodeKind::gate:
      return "Suspend";
    case NodeKind::container:
      return "Container";
    case NodeKind::task:
      break;
  }
  return "Pod";
}

Json parameters_value(const std::vector<model::ParameterRecord>& parameters) {
  Json list = Json::array();
  for (const auto& parameter : parameters)
    list.push_back({{"name", parameter.name}, {"value", model::shown_value(parameter)}});
  return list;
}

Json node_value(const model::NodeRecord& node, const ArgoWording& wording) {
  Json value{{"id", node.names.id},
             {"name", node.names.name},
             {"displayName", node.names.display},
             {"type", type_of(node)},
             {"phase", wording.state(node.state)}};
  if (!node.message.empty()) value["message"] = node.message;
  value["startedAt"] = time_value(node.started);
  value["finishedAt"] = time_value(node.finished);
  if (!node.input_parameters.empty()) value["inputs"]["parameters"] = parameters_value(node.input_parameters);
  if (!node.output_parameters.empty()) value["outputs"]["parameters"] = parameters_value(node.output_parameters);
  if (node.result) value["outputs"]["result"] = *node.result;
  if (node.exit_code) value["outputs"]["exitCode"] = fmt::format("{}", *node.exit_code);
  return value;
}

// What the file says below metadata.generateName and spec.
void add_written(const model::RunRecord& run, Json& object) {
  const auto documents = read_documents(run.request.files);
  if (!documents) return;
  const auto chosen = choose(*documents, run.request.workflow);
  if (!chosen) return;
  const yaml::Node& root = (*chosen)->root;
  if (const auto stem = text_at(root, {"metadata", "generateName"}); !stem.empty())
    object["metadata"]["generateName"] = stem;
  const yaml::Node* spec = (*chosen)->form == Document::Form::bare ? &root : root.find("spec");
  if (spec != nullptr && (*chosen)->form == Document::Form::cron) spec = spec->find("workflowSpec");
  if (spec != nullptr) object["spec"] = yaml::to_json(*spec);
}

// Without what kist itself says in it.
Json without_marks(Json object) {
  object.erase("status");
  if (auto metadata = object.find("metadata"); metadata != object.end() && metadata->is_object())
    for (const char* key : {"labels", "annotations", "managedFields", "resourceVersion"}) metadata->erase(key);
  if (auto spec = object.find("spec"); spec != object.end() && spec->is_object())
    for (const char* key : {"shutdown", "suspend"}) spec->erase(key);
  return object;
}

Json member(const Json& object, const char* outer, const char* inner) {
  const auto found = object.find(outer);
  if (found == object.end() || !found->is_object()) return nullptr;
  const auto value = found->find(inner);
  return value == found->end() ? Json(nullptr) : *value;
}

std::vector<std::pair<std::string, std::string>> pairs_of(const Json& map) {
  std::vector<std::pair<std::string, std::string>> pairs;
  if (!map.is_object()) return pairs;
  for (const auto& [name, value] : map.items())
    if (name != kPhase && name != kCompleted)
      pairs.emplace_back(name, value.is_string() ? value.get<std::string>() : to_text(value));
  return pairs;
}

}  // namespace

Json run_object(const model::RunRecord& run) {
  const ArgoWording wording;
  const bool completed = model::is_final(run.state);
  Json object{{"apiVersion", "argoproj.io/v1alpha1"}, {"kind", "Workflow"}};
  Json& metadata = object["metadata"] = Json{{"name", run.name}, {"namespace", "default"}, {"uid", run.id}};
  metadata["creationTimestamp"] = time_value(run.created);
  metadata["labels"] = map_value(run.marks.labels);
  metadata["labels"][std::string(kPhase)] = wording.state(run.state);
  metadata["labels"][std::string(kCompleted)] = completed ? "true" : "false";
  if (!run.marks.annotations.empty()) metadata["annotations"] = map_value(run.marks.annotations);
  object["spec"] = Json::object();
  add_written(run, object);

  Json& status = object["status"] = Json{{"phase", wording.state(run.state)}};
  if (!run.message.empty()) status["message"] = run.message;
  status["startedAt"] = time_value(run.started);
  status["finishedAt"] = time_value(run.finished);
  int tasks = 0;
  int done = 0;
  Json outputs = Json::array();
  Json& nodes = status["nodes"] = Json::object();
  for (const model::NodeRecord& node : run.nodes) {
    nodes[node.names.id] = node_value(node, wording);
    if (node.kind == NodeKind::task) {
      ++tasks;
      done += model::is_final(node.state) ? 1 : 0;
    }
    for (const auto& parameter : node.output_parameters)
      if (!parameter.global.empty())
        outputs.push_back({{"name", parameter.global}, {"value", model::shown_value(parameter)}});
  }
  status["progress"] = fmt::format("{}/{}", done, tasks);
  if (!outputs.empty()) status["outputs"]["parameters"] = outputs;
  return object;
}

Status change_run(const Json& before, const Json& after, model::Objects& objects) {
  if (without_marks(before) != without_marks(after))
    return fail(ErrorKind::unsupported,
                "of a workflow that was submitted only metadata.labels, metadata.annotations, spec.shutdown and "
                "spec.suspend can be changed");
  const std::string name = member(before, "metadata", "name").get<std::string>();
  const model::Marks marks{pairs_of(member(after, "metadata", "labels")),
                           pairs_of(member(after, "metadata", "annotations"))};
  KIST_TRY(objects.mark_run(name, marks));

  const Json shutdown = member(after, "spec", "shutdown");
  if (shutdown != member(before, "spec", "shutdown") && shutdown.is_string()) {
    if (shutdown != "Stop" && shutdown != "Terminate")
      return fail(ErrorKind::invalid,
                  fmt::format("spec.shutdown: expected Stop or Terminate, not '{}'", shutdown.get<std::string>()));
    KIST_TRY(objects.ask_run(name, shutdown == "Stop" ? model::Objects::Ask::stop : model::Objects::Ask::abort));
  }
  const Json suspend = member(after, "spec", "suspend");
  if (suspend == member(before, "spec", "suspend")) return {};
  if (suspend == true)
    return fail(ErrorKind::unsupported, "not supported yet: to suspend a workflow that is under way");
  return objects.ask_run(name, model::Objects::Ask::approve);
}

}  // namespace kist::dialect::argo
