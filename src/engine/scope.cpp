#include "engine/scope.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/loops.hpp"

namespace kist::engine {
namespace {

using Found = std::optional<std::string>;

constexpr std::string_view kInputArtifacts = "inputs.artifacts.";

// "prefix" + rest → rest.
std::optional<std::string_view> behind(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  return name.substr(prefix.size());
}

// "prefix" + middle + "suffix" → middle.
std::optional<std::string_view> between(std::string_view name, std::string_view prefix, std::string_view suffix) {
  if (!name.starts_with(prefix) || !name.ends_with(suffix) || name.size() <= prefix.size() + suffix.size())
    return std::nullopt;
  return name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
}

std::unexpected<Error> unresolved(ErrorKind kind, std::string_view name, std::string_view why) {
  return fail(kind, fmt::format("failed to resolve {{{{{}}}}}: {}", name, why));
}

// The last of a name: a task that saves several of one name merges them into the last.
const model::ArtifactRecord* find_output_artifact(const model::NodeRecord& record, std::string_view name) {
  auto found = std::find_if(record.output_artifacts.rbegin(), record.output_artifacts.rend(),
                            [&](const model::ArtifactRecord& artifact) { return artifact.name == name; });
  return found == record.output_artifacts.rend() ? nullptr : &*found;
}

template <typename T>
const T* find_action(const model::Task& task, const auto& matches) {
  for (const model::Action& action : task.actions)
    if (const auto* what = std::get_if<T>(&action.what); what != nullptr && matches(*what)) return what;
  return nullptr;
}

bool was_left_out(model::State state) {
  return state == model::State::skipped || state == model::State::omitted;
}

// The paths of a task may use whatever its texts may use, but no paths of outputs.
class PathScope : public NodeScope {
 public:
  using NodeScope::NodeScope;
  Result<Found> find(std::string_view name) const override {
    if (name.starts_with("outputs.")) return Found();
    return NodeScope::find(name);
  }
};

}  // namespace

std::string parameters_as_json(const std::vector<model::ParameterRecord>& parameters) {
  Json list = Json::array();
  for (const model::ParameterRecord& parameter : parameters)
    list.push_back({{"name", parameter.name}, {"value", parameter.value}});
  return to_text(list);
}

Result<RunScope> RunScope::make(const model::RunRecord& run, const model::Workflow& workflow) {
  RunScope scope;
  auto& values = scope.values_;
  values["workflow.namespace"] = "default";
  for (const auto& [name, value] : workflow.variables) values[name] = value;
  values["workflow.name"] = run.name;
  values["workflow.uid"] = run.id;
  values["workflow.creationTimestamp"] = to_rfc3339(run.created);
  values.try_emplace("workflow.mainEntrypoint", workflow.entry.definition);
  std::vector<model::ParameterRecord> parameters;
  for (const auto& [name, text] : workflow.parameters) {
    KIST_TRY_ASSIGN(std::string value, expression::evaluate(text, scope));
    parameters.push_back({name, value});
    values["workflow.parameters." + name] = std::move(value);
  }
  values["workflow.parameters"] = values["workflow.parameters.json"] = parameters_as_json(parameters);
  return scope;
}

Result<Found> RunScope::find(std::string_view name) const {
  auto found = values_.find(name);
  return found == values_.end() ? Found() : Found(found->second);
}

Result<Found> NodeScope::find(std::string_view name) const {
  if (name.starts_with("inputs.")) return find_input(name);
  if (name.starts_with("outputs.")) return find_output(name);
  if (name == "node.id") return node_.record.names.id;
  if (name == "node.name") return node_.record.names.name;
  if (name == "pod.name") return node_.record.names.host;
  if (name == "steps.name" || name == "tasks.name") return node_.record.step;
  if (node_.item && (name == "item" || name.starts_with("item."))) return find_in_item(name, *node_.item);
  if (node_.role == Node::Role::attempt)
    if (auto found = find_in_retry(name, node_.parent->retry->last, *node_.record.index)) return found;
  return run_.find(name);
}

Result<Found> NodeScope::find_input(std::string_view name) const {
  const auto& parameters = node_.record.input_parameters;
  if (name == "inputs.parameters") return parameters_as_json(parameters);
  if (auto parameter = behind(name, "inputs.parameters.")) {
    auto found = std::ranges::find(parameters, *parameter, &model::ParameterRecord::name);
    return found == parameters.end() ? Found() : Found(found->value);
  }
  if (auto artifact = between(name, kInputArtifacts, ".path")) {
    auto found = std::ranges::find(node_.definition->artifacts, *artifact, &model::InputArtifact::name);
    if (found != node_.definition->artifacts.end() && !found->path.empty()) return found->path;
  }
  return Found();
}

Result<Found> NodeScope::find_output(std::string_view name) const {
  const auto* task = std::get_if<model::Task>(&node_.definition->body);
  if (task == nullptr) return Found();
  const model::Text* path = nullptr;
  if (auto artifact = between(name, "outputs.artifacts.", ".path")) {
    const auto* save = find_action<model::Save>(*task, [&](const model::Save& one) { return one.name == *artifact; });
    if (save != nullptr) path = &save->path;
  } else if (auto parameter = between(name, "outputs.parameters.", ".path")) {
    const auto* read =
        find_action<model::Read>(*task, [&](const model::Read& one) { return one.parameter == *parameter; });
    if (read != nullptr) path = &read->path;
  }
  if (path == nullptr) return Found();
  KIST_TRY_ASSIGN(std::string value, expression::evaluate(*path, PathScope(run_, node_)));
  return value;
}

Result<Found> GroupScope::find(std::string_view name) const {
  if (asking_ != nullptr && asking_->item && (name == "item" || name.starts_with("item.")))
    return find_in_item(name, *asking_->item);
  auto rest = behind(name, "steps.");
  if (!rest) rest = behind(name, "tasks.");
  if (!rest || *rest == "name") return NodeScope::find(name);
  std::size_t dot = rest->find('.');
  std::string_view field = dot == std::string_view::npos ? std::string_view() : rest->substr(dot + 1);
  if (field.starts_with("outputs.artifacts.")) return Found();
  KIST_TRY_ASSIGN(const Node* child, find_step(name, rest->substr(0, dot)));
  KIST_TRY_ASSIGN(std::string value, find_in_step(name, *child, field));
  return value;
}

// Steps of one stage do not see each other, and nobody sees a step that has not ended.
Result<const Node*> GroupScope::find_step(std::string_view name, std::string_view step) const {
  const GroupProgress& group = *node_.group;
  auto found = group.plan->index.find(step);
  if (found == group.plan->index.end())
    return unresolved(ErrorKind::invalid, name, fmt::format("there is no step '{}'", step));
  const Node* child = group.children[found->second];
  // A hook sees what it belongs to, however far that is.
  for (const Node* one = asking_; one != nullptr; one = one->parent)
    if (one->role == Node::Role::hook && one->parent != nullptr &&
        one->parent->step == group.plan->steps[found->second])
      return one->parent;
  bool ended = child != nullptr && is_complete(child->record);
  bool sequence = group.plan->group->kind == model::Group::Kind::sequence;
  if (!ended || (sequence && group.plan->stages[found->second] >= group.stage))
    return unresolved(ErrorKind::invalid, name, fmt::format("step '{}' has not ended before", step));
  return child;
}

Result<std::string> GroupScope::find_in_step(std::string_view name, const Node& child, std::string_view field) const {
  const model::NodeRecord& record = child.record;
  if (field == "id") return record.names.id;
  if (field == "status") return wording_.state(record.state);
  if (field == "startedAt") return to_rfc3339(record.started);
  if (field == "finishedAt") return to_rfc3339(record.finished);
  if (field == "exitCode" && record.exit_code) return fmt::format("{}", *record.exit_code);
  if (child.loop && field.starts_with("outputs.")) return find_in_loop(name, child, field);
  if (field == "ip" && !record.address.empty()) return record.address;
  if (field == "outputs.result" && record.result) return *record.result;
  if (field == "outputs.parameters") return parameters_as_json(record.output_parameters);
  if (auto parameter = behind(field, "outputs.parameters.")) {
    auto found = std::ranges::find(record.output_parameters, *parameter, &model::ParameterRecord::name);
    if (found != record.output_parameters.end()) return found->value;
    if (was_left_out(record.state)) {
      KIST_TRY_ASSIGN(Found fallback, output_fallback(child, *parameter));
      if (fallback) return *fallback;
    }
  }
  std::string reason = fmt::format("step '{}' has no such output", record.step);
  if (!model::is_success(record.state) || was_left_out(record.state))
    reason += fmt::format(" (it is {})", model::to_string(record.state));
  return unresolved(ErrorKind::not_found, name, reason);
}

// Of a loop over many items asked for by each of many others: it is put together once.
Result<std::string> GroupScope::find_in_loop(std::string_view name, const Node& child, std::string_view field) {
  LoopProgress& loop = *child.loop;
  if (auto known = loop.aggregated.find(field); known != loop.aggregated.end()) return known->second;
  auto found = aggregate(field, loop.members);
  if (!found) return unresolved(found.error().kind, name, found.error().text);
  return loop.aggregated.emplace(field, std::move(*found)).first->second;
}

// What a step that did not run would have given: the default that its definition writes for the parameter.
Result<Found> GroupScope::output_fallback(const Node& child, std::string_view parameter) const {
  auto definition = workflow_.definitions.find(child.record.definition);
  if (definition == workflow_.definitions.end()) return Found();
  const std::optional<model::Text>* fallback = nullptr;
  if (const auto* task = std::get_if<model::Task>(&definition->second.body)) {
    const auto* read =
        find_action<model::Read>(*task, [&](const model::Read& one) { return one.parameter == parameter; });
    if (read != nullptr) fallback = &read->fallback;
  } else if (const auto* group = std::get_if<model::Group>(&definition->second.body)) {
    auto output = std::ranges::find(group->parameters, parameter, &model::OutputParameter::name);
    if (output != group->parameters.end()) fallback = &output->fallback;
  }
  if (fallback == nullptr || !*fallback) return Found();
  KIST_TRY_ASSIGN(std::string value, expression::evaluate(**fallback, run_));
  return value;
}

Result<ArtifactValue> GroupScope::find_artifact(std::string_view name) const {
  auto rest = behind(name, "steps.");
  if (!rest) rest = behind(name, "tasks.");
  if (!rest) return find_input_artifact(node_, name);
  constexpr std::string_view kOutputs = ".outputs.artifacts.";
  std::size_t outputs = rest->find(kOutputs);
  if (outputs == std::string_view::npos)
    return unresolved(ErrorKind::invalid, name, "it is not the name of an artifact");
  KIST_TRY_ASSIGN(const Node* child, find_step(name, rest->substr(0, outputs)));
  const auto* artifact = find_output_artifact(child->record, rest->substr(outputs + kOutputs.size()));
  if (artifact == nullptr) return Absent();
  model::ArtifactRecord value = *artifact;
  if (!value.producer) value.producer = model::Producer{"", child->record.names.name, artifact->name};
  return value;
}

Result<ArtifactValue> find_input_artifact(const Node& node, std::string_view name) {
  auto input = behind(name, kInputArtifacts);
  if (!input) return unresolved(ErrorKind::invalid, name, "it is not the name of an artifact");
  auto found = node.inputs.find(*input);
  if (found == node.inputs.end())
    return unresolved(ErrorKind::invalid, name, fmt::format("there is no input artifact '{}'", *input));
  return found->second;
}

}  // namespace kist::engine
