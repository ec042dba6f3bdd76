#include "engine/scope.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/loops.hpp"
#include "expression/strftime.hpp"

namespace kist::engine {
namespace {

using Found = std::optional<std::string>;

constexpr std::string_view kInputArtifacts = "inputs.artifacts.";
constexpr std::string_view kGlobalArtifacts = "workflow.outputs.artifacts.";
constexpr std::string_view kArtifactKey = "$artifact";

// Whether a name lies below a prefix of whole words; all do below "".
bool is_below(std::string_view name, std::string_view prefix) {
  return prefix.empty() || (name.starts_with(prefix) && name.size() > prefix.size() && name[prefix.size()] == '.');
}

Json value_of(std::string_view name, const ArtifactValue& artifact) {
  return std::holds_alternative<Absent>(artifact) ? Json(nullptr) : artifact_value(name);
}

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

// Of a step that loops also those that nobody has asked for yet.
std::set<std::string> artifacts_of(const Node& child) {
  std::set<std::string> names;
  auto add = [&](const model::NodeRecord& record) {
    for (const model::ArtifactRecord& artifact : record.output_artifacts) names.insert(artifact.name);
  };
  add(child.record);
  if (child.loop && child.record.state == model::State::succeeded)
    for (const model::NodeRecord* member : child.loop->members)
      if (member != nullptr && member->state == model::State::succeeded) add(*member);
  return names;
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

Json artifact_value(std::string_view name) {
  return {{kArtifactKey, name}};
}

std::optional<std::string> artifact_named_by(const Json& value) {
  if (!value.is_object() || value.size() != 1) return std::nullopt;
  auto name = value.find(kArtifactKey);
  if (name == value.end() || !name->is_string()) return std::nullopt;
  return name->get<std::string>();
}

std::string parameters_as_json(const std::vector<model::ParameterRecord>& parameters) {
  Json list = Json::array();
  for (const model::ParameterRecord& parameter : parameters)
    list.push_back({{"name", parameter.name}, {"value", parameter.value}});
  return to_text(list);
}

RunScope::RunScope(const model::RunRecord& run, const model::Workflow& workflow, expression::Surroundings surroundings)
    : created_(run.created), surroundings_(std::move(surroundings)) {
  values_["workflow.namespace"] = "default";
  for (const auto& [name, value] : workflow.variables) values_[name] = value;
  values_["workflow.name"] = run.name;
  values_["workflow.uid"] = run.id;
  values_["workflow.creationTimestamp"] = to_rfc3339(run.created);
  values_.try_emplace("workflow.mainEntrypoint", workflow.entry.definition);
  // Whoever keeps its schedules runs it then.
  if (!workflow.schedules.empty()) values_["workflow.scheduledTime"] = to_rfc3339(run.created);
}

Status RunScope::set_parameters(const model::Workflow& workflow) {
  std::vector<model::ParameterRecord> parameters;
  for (const auto& [name, text] : workflow.parameters) {
    auto value = expression::evaluate(text, *this);
    if (!value) return with_context(fmt::format("parameter '{}' of the workflow", name), value.error());
    parameters.push_back({name, *value});
    values_["workflow.parameters." + name] = std::move(*value);
  }
  values_["workflow.parameters"] = values_["workflow.parameters.json"] = parameters_as_json(parameters);
  return {};
}

void RunScope::set_marks(const model::Marks& marks) {
  for (const auto& [sort, pairs] :
       {std::pair("workflow.labels", &marks.labels), std::pair("workflow.annotations", &marks.annotations)}) {
    const std::string prefix = sort;
    std::map<std::string, std::string> all;  // by name, as Go prints maps
    for (const auto& [name, value] : *pairs) all[name] = values_[prefix + "." + name] = value;
    values_[prefix] = values_[prefix + ".json"] = to_text(Json(all));
  }
}

Result<Found> RunScope::find(std::string_view name) const {
  auto found = values_.find(name);
  if (found != values_.end()) return found->second;
  if (auto part = behind(name, "workflow.creationTimestamp.")) return expression::time_field(created_, *part);
  return Found();
}

Result<std::optional<Json>> RunScope::value(std::string_view name) const {
  if (!name.starts_with(kGlobalArtifacts)) return Scope::value(name);
  KIST_TRY_ASSIGN(ArtifactValue artifact, find_artifact(name));
  return value_of(name, artifact);
}

std::vector<std::string> RunScope::names(std::string_view prefix) const {
  std::vector<std::string> names;
  for (const auto& [name, value] : values_)
    if (is_below(name, prefix)) names.push_back(name);
  for (const auto& [name, artifact] : artifacts_)
    if (std::string whole = std::string(kGlobalArtifacts) + name; is_below(whole, prefix)) names.push_back(whole);
  return names;
}

Result<ArtifactValue> RunScope::find_artifact(std::string_view name) const {
  auto global = behind(name, kGlobalArtifacts);
  if (!global) return unresolved(ErrorKind::invalid, name, "it is not the name of an artifact");
  auto found = artifacts_.find(*global);
  return found == artifacts_.end() ? ArtifactValue(Absent()) : ArtifactValue(found->second);
}

void RunScope::set_result(Outcome outcome) {
  values_["workflow.status"] = std::move(outcome.status);
  values_["workflow.duration"] = fmt::format("{:f}", std::chrono::duration<double>(outcome.duration).count());
  values_["workflow.failures"] = std::move(outcome.failures);
}

void RunScope::add_globals(const model::NodeRecord& record) {
  for (const model::ParameterRecord& parameter : record.output_parameters)
    if (!parameter.global.empty()) values_["workflow.outputs.parameters." + parameter.global] = parameter.value;
  for (const model::ArtifactRecord& artifact : record.output_artifacts) {
    if (artifact.global.empty()) continue;
    model::ArtifactRecord& global = artifacts_[artifact.global] = artifact;
    if (!global.producer) global.producer = model::Producer{"", record.names.name, artifact.name};
    global.global.clear();
  }
}

Result<std::optional<Json>> NodeScope::value(std::string_view name) const {
  if (node_.item && name == "item") return *node_.item;
  if (auto input = behind(name, kInputArtifacts); input && node_.inputs.contains(*input)) {
    KIST_TRY_ASSIGN(ArtifactValue found, artifact(name));
    return value_of(name, found);
  }
  if (name.starts_with(kGlobalArtifacts)) return run_.value(name);
  return Scope::value(name);
}

std::vector<std::string> NodeScope::names(std::string_view prefix) const {
  std::vector<std::string> names = run_.names(prefix);
  auto add = [&](std::string name) {
    if (is_below(name, prefix)) names.push_back(std::move(name));
  };
  for (const model::ParameterRecord& parameter : node_.record.input_parameters)
    add("inputs.parameters." + parameter.name);
  for (const auto& [name, input] : node_.inputs) add(fmt::format("{}{}", kInputArtifacts, name));
  return names;
}

Result<ArtifactValue> NodeScope::artifact(std::string_view name) const {
  return find_input_artifact(node_, name);
}

Result<Found> NodeScope::find(std::string_view name) const {
  if (name.starts_with("inputs.")) return find_input(name);
  if (name.starts_with("outputs.")) return find_output(name);
  if (name == "node.id") return node_.record.names.id;
  if (name == "node.name") return node_.record.names.name;
  if (name == "pod.name") return node_.record.names.host;
  if (name == "node.deadline") return deadline_text();
  if (name == "steps.name" || name == "tasks.name") return node_.record.step;
  if (node_.item && (name == "item" || name.starts_with("item."))) return find_in_item(name, *node_.item);
  if (node_.role == Node::Role::attempt)
    if (auto found = find_in_retry(name, node_.parent->retry->last, *node_.record.index)) return found;
  return run_.find(name);
}

std::string NodeScope::deadline_text() const {
  constexpr const char* kNever = "0001-01-01T00:00:00Z";
  std::optional<Time> deadline = node_.at_exit ? std::nullopt : run_.deadline();
  if (node_.attempts_end) deadline = std::min(deadline.value_or(*node_.attempts_end), *node_.attempts_end);
  return deadline ? to_rfc3339(*deadline) : kNever;
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
  // Names that are not known before are those of this node.
  auto is_named = [&](const std::string& its, const std::optional<model::Text>& late, std::string_view wanted) {
    if (!late) return its == wanted;
    auto found = expression::evaluate(*late, PathScope(run_, node_));
    return found && *found == wanted;
  };
  const model::Text* path = nullptr;
  if (auto artifact = between(name, "outputs.artifacts.", ".path")) {
    const auto* save = find_action<model::Save>(
        *task, [&](const model::Save& one) { return is_named(one.name, one.late_name, *artifact); });
    if (save != nullptr) path = &save->path;
  } else if (auto parameter = between(name, "outputs.parameters.", ".path")) {
    const auto* read = find_action<model::Read>(
        *task, [&](const model::Read& one) { return is_named(one.parameter, one.late_name, *parameter); });
    if (read != nullptr && !read->path.source().empty()) path = &read->path;
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
  if (field == "hostNodeName") return std::string("localhost");
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
    if (read != nullptr && !read->path.source().empty()) fallback = &read->fallback;
  } else if (const auto* group = std::get_if<model::Group>(&definition->second.body)) {
    auto output = std::ranges::find(group->parameters, parameter, &model::OutputParameter::name);
    if (output != group->parameters.end()) fallback = &output->fallback;
  }
  if (fallback == nullptr || !*fallback) return Found();
  KIST_TRY_ASSIGN(std::string value, expression::evaluate(**fallback, run_));
  return value;
}

Result<std::optional<Json>> GroupScope::value(std::string_view name) const {
  if (asking_ != nullptr && asking_->item && name == "item") return *asking_->item;
  const bool of_step = name.starts_with("steps.") || name.starts_with("tasks.");
  if (!of_step || !name.contains(".outputs.artifacts.")) return NodeScope::value(name);
  KIST_TRY_ASSIGN(ArtifactValue found, find_artifact(name));
  return value_of(name, found);
}

// What is known of the steps that have ended.
std::vector<std::string> GroupScope::names(std::string_view prefix) const {
  std::vector<std::string> names = NodeScope::names(prefix);
  auto rest = behind(prefix, "steps.");
  if (!rest) rest = behind(prefix, "tasks.");
  if (!rest) return names;
  std::string_view step = rest->substr(0, rest->find('.'));
  auto child = find_step(prefix, step);
  if (!child) return names;
  const std::string base = fmt::format("{}.{}.", prefix.substr(0, 5), step);
  auto add = [&](const std::string& name) {
    if (is_below(base + name, prefix)) names.push_back(base + name);
  };
  const model::NodeRecord& record = (*child)->record;
  for (const char* name : {"id", "status", "startedAt", "finishedAt"}) add(name);
  if (record.exit_code) add("exitCode");
  if (record.result) add("outputs.result");
  for (const model::ParameterRecord& parameter : record.output_parameters) add("outputs.parameters." + parameter.name);
  for (const std::string& artifact : artifacts_of(**child)) add("outputs.artifacts." + artifact);
  return names;
}

Result<ArtifactValue> GroupScope::find_artifact(std::string_view name) const {
  auto rest = behind(name, "steps.");
  if (!rest) rest = behind(name, "tasks.");
  if (name.starts_with(kGlobalArtifacts)) return run_.find_artifact(name);
  if (!rest) return find_input_artifact(node_, name);
  constexpr std::string_view kOutputs = ".outputs.artifacts.";
  std::size_t outputs = rest->find(kOutputs);
  if (outputs == std::string_view::npos)
    return unresolved(ErrorKind::invalid, name, "it is not the name of an artifact");
  KIST_TRY_ASSIGN(const Node* child, find_step(name, rest->substr(0, outputs)));
  const std::string_view wanted = rest->substr(outputs + kOutputs.size());
  const auto* artifact = find_output_artifact(child->record, wanted);
  if (artifact == nullptr && child->loop) {
    KIST_TRY(child->loop->gather(wanted));
    artifact = find_output_artifact(child->record, wanted);
  }
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
