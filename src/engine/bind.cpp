#include "engine/bind.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/overloaded.hpp"
#include "base/quantity.hpp"

namespace kist::engine {
namespace {

using expression::Text;

Status fill(Text& text, const expression::Scope& scope) {
  if (text.is_literal()) return {};
  KIST_TRY_ASSIGN(std::string value, expression::evaluate(text, scope));
  text = Text::literal(std::move(value));
  return {};
}

template <typename T>
Status fill(std::optional<T>& value, const expression::Scope& scope);

template <typename T>
Status fill(std::vector<T>& items, const expression::Scope& scope);

Status fill(model::SecretReference& secret, const expression::Scope& scope) {
  KIST_TRY(fill(secret.name, scope));
  return fill(secret.key, scope);
}

Status fill(std::variant<Text, model::SecretReference>& value, const expression::Scope& scope) {
  return std::visit([&](auto& one) { return fill(one, scope); }, value);
}

Status fill(model::LocationField& field, const expression::Scope& scope) {
  return fill(field.value, scope);
}

Status fill(model::Location& location, const expression::Scope& scope) {
  return fill(location.fields, scope);
}

Status fill_name(std::string& name, std::optional<Text>& late, const expression::Scope& scope) {
  if (!late) return {};
  KIST_TRY_ASSIGN(name, evaluate_name(*late, scope));
  late.reset();
  return {};
}

// What is left is the number: bound once more, it stays that.
Status count_units(Text& text, std::optional<model::InUnits>& in_units, std::string_view where) {
  if (!in_units) return {};
  const auto number = [&](std::string_view written) -> Result<std::int64_t> {
    auto amount = Quantity::parse(written);
    if (!amount) return with_context(std::string(where), amount.error());
    return in_units->thousandths ? amount->thousandths() : amount->whole();
  };
  KIST_TRY_ASSIGN(const std::int64_t amount, number(text.source()));
  KIST_TRY_ASSIGN(const std::int64_t unit, number(in_units->unit));
  if (unit <= 0) return fail(ErrorKind::invalid, fmt::format("{}: '{}' is no unit", where, in_units->unit));
  text = Text::literal(std::to_string(amount / unit + (amount % unit > 0 ? 1 : 0)));
  in_units.reset();
  return {};
}

Status fill(model::EnvironmentVariable& variable, const expression::Scope& scope) {
  KIST_TRY(fill_name(variable.name, variable.late_name, scope));
  KIST_TRY(fill(variable.secret, scope));
  KIST_TRY(fill(variable.value, scope));
  return count_units(variable.value, variable.in_units, variable.name);
}

Status fill(model::VolumeMount& mount, const expression::Scope& scope) {
  KIST_TRY(fill(mount.volume, scope));
  KIST_TRY(fill(mount.path, scope));
  return fill(mount.sub_path, scope);
}

Status fill(model::Volume::File& file, const expression::Scope& scope) {
  KIST_TRY(fill(file.secret, scope));
  KIST_TRY(fill(file.text, scope));
  return count_units(file.text, file.in_units, file.path);
}

Status fill(model::Volume& volume, const expression::Scope& scope) {
  KIST_TRY(fill_name(volume.name, volume.late_name, scope));
  KIST_TRY(fill(volume.claim, scope));
  KIST_TRY(fill(volume.path, scope));
  return fill(volume.files, scope);
}

Status fill(model::Container::SecretVariables& variables, const expression::Scope& scope) {
  return fill(variables.secret, scope);
}

Status fill(model::Container& container, const expression::Scope& scope) {
  KIST_TRY(fill(container.image, scope));
  KIST_TRY(fill(container.environment, scope));
  KIST_TRY(fill(container.secret_environment, scope));
  KIST_TRY(fill(container.mounts, scope));
  return fill(container.working_directory, scope);
}

Status fill(model::ArtifactSource& source, const expression::Scope& scope) {
  return std::visit(Overloaded{
                        [&](model::ArtifactReference& reference) -> Status {
                          KIST_TRY(fill(reference.name, scope));
                          return fill(reference.sub_path, scope);
                        },
                        [&](model::ArtifactExpression& expression) { return fill(expression.sub_path, scope); },
                        [&](model::RawArtifact& raw) { return fill(raw.data, scope); },
                        [&](model::ExternalArtifact& external) -> Status {
                          KIST_TRY(fill(external.location, scope));
                          return fill(external.sub_path, scope);
                        },
                        [](model::RunArtifacts&) { return Status(); },
                        [](model::ProjectFiles&) { return Status(); },
                    },
                    source);
}

Status fill(model::Probe& probe, const expression::Scope& scope) {
  KIST_TRY(fill(probe.command, scope));
  return fill(probe.url, scope);
}

Status fill(model::Run& run, const expression::Scope& scope) {
  KIST_TRY(fill(run.command, scope));
  KIST_TRY(fill(run.script, scope));
  KIST_TRY(fill(run.environment, scope));
  KIST_TRY(fill(run.ready, scope));
  KIST_TRY(fill(run.deadline, scope));
  KIST_TRY(fill(run.tries, scope));
  KIST_TRY(fill(run.retry_delay, scope));
  KIST_TRY(fill(run.progress_file, scope));
  if (run.pause) {
    KIST_TRY(fill(run.pause->before, scope));
    KIST_TRY(fill(run.pause->after, scope));
  }
  return fill(run.working_directory, scope);
}

Status fill(model::Save& save, const expression::Scope& scope) {
  KIST_TRY(fill_name(save.name, save.late_name, scope));
  KIST_TRY(fill(save.path, scope));
  KIST_TRY(fill(save.exclude, scope));
  KIST_TRY(fill(save.to, scope));
  return fill(save.global, scope);
}

Status fill(model::HttpRequest::Header& header, const expression::Scope& scope) {
  return fill(header.value, scope);
}

Status fill(model::HttpRequest& request, const expression::Scope& scope) {
  KIST_TRY(fill(request.url, scope));
  KIST_TRY(fill(request.method, scope));
  KIST_TRY(fill(request.headers, scope));
  KIST_TRY(fill(request.success_condition, scope));
  return fill(request.body, scope);
}

Status fill(model::ObjectRequest& request, const expression::Scope& scope) {
  KIST_TRY(fill(request.action, scope));
  KIST_TRY(fill(request.manifest, scope));
  KIST_TRY(fill(request.manifest_from, scope));
  KIST_TRY(fill(request.flags, scope));
  KIST_TRY(fill(request.success_condition, scope));
  return fill(request.failure_condition, scope);
}

Status fill(model::Action& action, const expression::Scope& scope) {
  return std::visit(Overloaded{
                        [&](model::Load& load) -> Status {
                          KIST_TRY(fill(load.source, scope));
                          return fill(load.path, scope);
                        },
                        [&](model::Run& run) { return fill(run, scope); },
                        [&](model::Save& save) { return fill(save, scope); },
                        [&](model::Watch& watch) { return fill(watch.path, scope); },
                        [&](model::Read& read) -> Status {
                          KIST_TRY(fill_name(read.parameter, read.late_name, scope));
                          KIST_TRY(fill(read.path, scope));
                          KIST_TRY(fill(read.global, scope));
                          return fill(read.fallback, scope);
                        },
                        [&](model::HttpRequest& request) { return fill(request, scope); },
                        [&](model::ListRequest& request) -> Status {
                          KIST_TRY(fill(request.location, scope));
                          return fill(request.transformations, scope);
                        },
                        [&](model::ObjectRequest& request) { return fill(request, scope); },
                    },
                    action.what);
}

template <typename T>
Status fill(std::optional<T>& value, const expression::Scope& scope) {
  return value ? fill(*value, scope) : Status();
}

template <typename T>
Status fill(std::vector<T>& items, const expression::Scope& scope) {
  for (T& item : items) KIST_TRY(fill(item, scope));
  return {};
}

std::unexpected<Error> not_supplied(std::string_view artifact) {
  return fail(ErrorKind::invalid, fmt::format("required artifact '{}' not supplied", artifact));
}

template <typename T>
const T* argument(const std::vector<std::pair<std::string, T>>& arguments, std::string_view name) {
  auto found = std::ranges::find(arguments, name, [](const auto& pair) -> std::string_view { return pair.first; });
  return found == arguments.end() ? nullptr : &found->second;
}

// Whether a text is one reference and nothing else.
bool is_one_reference(const Text& text) {
  return text.parts().size() == 1 && !text.is_literal();
}

Result<std::string> bind_parameter(const model::InputParameter& input, const Text* given, const Caller& caller,
                                   const expression::Scope& own) {
  if (given != nullptr) {
    auto value = expression::evaluate(*given, caller.scope);
    // A skipped step gives nothing: then it is as if the argument was not written.
    bool absent = !value && value.error().kind == ErrorKind::not_found && is_one_reference(*given);
    if (!absent || !input.fallback) return value;
  }
  if (input.fallback) return expression::evaluate(*input.fallback, own);
  return fail(ErrorKind::invalid, fmt::format("inputs.parameters.{} was not supplied", input.name));
}

// Of a key, what is not there is found out here already; what lies outside, by the task.
Result<ArtifactValue> resolve_optional(const model::ArtifactSource& source, bool optional, const Caller& caller) {
  auto value = resolve(source, caller);
  const bool is_outside = std::holds_alternative<model::ExternalArtifact>(source);
  if (!value && optional && is_outside && value.error().kind == ErrorKind::not_found) return Absent{};
  return value;
}

Result<ArtifactValue> bind_artifact(const model::InputArtifact& input, const model::ArtifactSource* given,
                                    const Caller& caller, const Caller& own) {
  ArtifactValue value;
  if (given != nullptr) {
    KIST_TRY_ASSIGN(value, resolve_optional(*given, input.optional, caller));
  }
  if (std::holds_alternative<Absent>(value) && input.fallback) {
    KIST_TRY_ASSIGN(value, resolve_optional(*input.fallback, input.optional, own));
  }
  if (std::holds_alternative<Absent>(value) && !input.optional) return not_supplied(input.name);
  // Of an artifact that is handed on, the name and the path are the receiver's; how it is archived stays.
  if (auto* artifact = std::get_if<model::ArtifactRecord>(&value)) {
    artifact->name = input.name;
    artifact->path = input.path;
    artifact->sent.clear();
  }
  return value;
}

// Of a text that a workflow's file holds, so much is in the record; the file is there too.
constexpr std::size_t kTextRecorded = 1024;

// `name`, `path`: of the input; where the task loads it by itself, only the path.
void add_input(model::NodeRecord& record, const ArtifactValue& value, const std::string& name,
               const std::string& path) {
  if (const auto* raw = std::get_if<RawText>(&value))
    record.input_sources.push_back({.kind = model::InputSource::Kind::text,
                                    .name = name,
                                    .path = path,
                                    .text = raw->text.substr(0, kTextRecorded),
                                    .bytes = raw->text.size()});
  if (std::holds_alternative<model::ProjectFiles>(value))
    record.input_sources.push_back(
        {.kind = model::InputSource::Kind::project, .name = name, .path = path, .text = {}, .bytes = 0});
  if (const auto* artifact = std::get_if<model::ArtifactRecord>(&value)) record.input_artifacts.push_back(*artifact);
  if (const auto* used = std::get_if<const model::UsedRun*>(&value))
    std::ranges::copy((*used)->artifacts, std::back_inserter(record.input_artifacts));
}

// Where an artifact of an earlier run goes below the load's path.
std::string place_of(const model::ArtifactRecord& artifact) {
  std::string_view path = artifact.path.empty() ? artifact.name : artifact.path;
  while (path.starts_with("./")) path.remove_prefix(2);
  return std::string(path);
}

bool is_hidden(const model::Task& task, const std::filesystem::path& target) {
  auto normal = [](const std::filesystem::path& path) {
    std::string text = path.lexically_normal().string();
    if (text.ends_with('/')) text.pop_back();
    return text;
  };
  std::string place = normal(target);
  return std::ranges::any_of(task.fresh_directories, [&](const Text& text) {
    std::string fresh = normal(text.source());
    return place == fresh || place.starts_with(fresh + "/");
  });
}

// What is left of the runs that a load brings: an output of the task hides an input at its path.
std::vector<task::ResolvedLoad::Tree> trees_of(const model::UsedRun& used, const model::Load& load,
                                               const model::Task& task) {
  std::vector<task::ResolvedLoad::Tree> trees;
  for (const model::ArtifactRecord& artifact : used.artifacts) {
    std::string prefix = place_of(artifact);
    if (is_hidden(task, std::filesystem::path(load.path.source()) / prefix)) continue;
    trees.push_back({std::move(prefix), artifact});
  }
  return trees;
}

std::string_view last_name(std::string_view name) {
  return name.substr(name.rfind('.') + 1);
}

}  // namespace

Result<std::string> evaluate_name(const Text& name, const expression::Scope& scope) {
  KIST_TRY_ASSIGN(std::string value, expression::evaluate(name, scope));
  if (value.empty() || value.contains('/'))
    return fail(ErrorKind::invalid, fmt::format("{} is '{}', which is no name", name.source(), value));
  return value;
}

Result<model::Task> bind(const model::Task& task, const expression::Scope& scope) {
  model::Task bound = task;
  KIST_TRY(fill(bound.containers, scope));
  KIST_TRY(fill(bound.volumes, scope));
  KIST_TRY(fill(bound.actions, scope));
  KIST_TRY(fill(bound.fresh_directories, scope));
  if (bound.log_artifact) KIST_TRY(fill(bound.log_artifact->to, scope));
  return bound;
}

const model::UsedRun* find_used_run(const std::vector<model::UsedRun>& used, const model::RunArtifacts& wanted) {
  auto found = std::ranges::find_if(
      used, [&](const model::UsedRun& one) { return !one.restored && one.by == wanted.by && one.name == wanted.name; });
  return found == used.end() ? nullptr : &*found;
}

namespace {

// Only what lies at a path in it.
Result<ArtifactValue> inside(ArtifactValue value, const std::optional<Text>& sub_path, const expression::Scope& scope) {
  if (!sub_path || std::holds_alternative<Absent>(value)) return value;
  KIST_TRY_ASSIGN(std::string path, expression::evaluate(*sub_path, scope));
  auto part = [&](const std::string& of) -> std::string {
    return (std::filesystem::path(of) / path).lexically_normal().string();
  };
  if (auto* artifact = std::get_if<model::ArtifactRecord>(&value)) {
    artifact->sub_path = part(artifact->sub_path);
  } else if (auto* outside = std::get_if<model::ExternalArtifact>(&value)) {
    outside->sub_path = Text::literal(part(outside->sub_path ? outside->sub_path->source() : ""));
  } else {
    return fail(ErrorKind::invalid, fmt::format("there is no part '{}' of what is one file, or no artifact", path));
  }
  return value;
}

}  // namespace

Result<ArtifactValue> resolve(const model::ArtifactSource& source, const Caller& caller) {
  using Found = Result<ArtifactValue>;
  return std::visit(Overloaded{
                        [&](const model::ArtifactReference& reference) -> Found {
                          KIST_TRY_ASSIGN(std::string name, expression::evaluate(reference.name, caller.scope));
                          KIST_TRY_ASSIGN(ArtifactValue value, caller.artifact(name));
                          return inside(std::move(value), reference.sub_path, caller.scope);
                        },
                        [&](const model::ArtifactExpression& expression) -> Found {
                          KIST_TRY_ASSIGN(Json value, expression::evaluate_value(expression.expression, caller.scope));
                          if (value.is_null()) return Absent();
                          if (auto name = artifact_named_by(value)) {
                            KIST_TRY_ASSIGN(ArtifactValue named, caller.artifact(*name));
                            return inside(std::move(named), expression.sub_path, caller.scope);
                          }
                          return fail(ErrorKind::invalid,
                                      fmt::format("{} is not an artifact", expression.expression.source()));
                        },
                        [&](const model::ExternalArtifact& external) -> Found {
                          model::ExternalArtifact bound = external;
                          KIST_TRY(fill(bound.location, caller.scope));
                          KIST_TRY(fill(bound.sub_path, caller.scope));
                          if (bound.location.kind != "key" || !caller.key) return bound;
                          const Text* key = bound.location.text("key");
                          KIST_TRY_ASSIGN(ArtifactValue found, caller.key(key == nullptr ? "" : key->source()));
                          return inside(std::move(found), bound.sub_path, caller.scope);
                        },
                        [&](const model::RawArtifact& raw) -> Found {
                          KIST_TRY_ASSIGN(std::string text, expression::evaluate(raw.data, caller.scope));
                          return RawText{std::move(text)};
                        },
                        [&](const model::RunArtifacts& wanted) -> Found {
                          if (const auto* used = find_used_run(caller.used_runs, wanted)) return used;
                          return fail(ErrorKind::invalid,
                                      fmt::format("nothing is known of the run that '{}' is to give", wanted.name));
                        },
                        [](const model::ProjectFiles& files) -> Found { return files; },
                    },
                    source);
}

namespace {

// With the names that the caller's texts make.
Result<model::Arguments> with_names(const model::Arguments& arguments, const expression::Scope& scope) {
  model::Arguments named{arguments.parameters, arguments.artifacts};
  for (const auto& [text, value] : arguments.late_parameters) {
    KIST_TRY_ASSIGN(std::string name, evaluate_name(text, scope));
    named.parameters.emplace_back(std::move(name), value);
  }
  for (const auto& [text, source] : arguments.late_artifacts) {
    KIST_TRY_ASSIGN(std::string name, evaluate_name(text, scope));
    named.artifacts.emplace_back(std::move(name), source);
  }
  return named;
}

}  // namespace

Status bind_inputs(Node& node, const model::Arguments& arguments, const Caller& caller, const RunScope& run,
                   const std::vector<model::UsedRun>& used_runs) {
  if (!arguments.late_parameters.empty() || !arguments.late_artifacts.empty()) {
    KIST_TRY_ASSIGN(const model::Arguments named, with_names(arguments, caller.scope));
    return bind_inputs(node, named, caller, run, used_runs);
  }
  NodeScope scope(run, node);
  Caller own{scope, [&](std::string_view name) { return find_input_artifact(node, name); }, used_runs, caller.key};
  node.record.input_parameters.clear();
  node.record.input_artifacts.clear();
  node.record.input_sources.clear();
  for (const model::InputParameter& input : node.definition->parameters) {
    KIST_TRY_ASSIGN(std::string value,
                    bind_parameter(input, argument(arguments.parameters, input.name), caller, scope));
    if (!input.allowed.empty() && std::ranges::find(input.allowed, value) == input.allowed.end())
      return fail(ErrorKind::invalid, fmt::format("inputs.parameters.{}: '{}' is not one of: {}", input.name, value,
                                                  fmt::join(input.allowed, ", ")));
    node.record.input_parameters.push_back({input.name, std::move(value)});
  }
  for (const model::InputArtifact& input : node.definition->artifacts) {
    KIST_TRY_ASSIGN(ArtifactValue value, bind_artifact(input, argument(arguments.artifacts, input.name), caller, own));
    add_input(node.record, value, input.name, input.path);
    node.inputs.insert_or_assign(input.name, std::move(value));
  }
  return {};
}

namespace {

// What a request is to take its manifest from; nullptr: from nowhere.
const model::ArtifactSource* manifest_of(const model::Action& action) {
  const auto* request = std::get_if<model::ObjectRequest>(&action.what);
  return request != nullptr && request->manifest_from ? &*request->manifest_from : nullptr;
}

}  // namespace

Result<std::map<std::size_t, task::ResolvedLoad>> resolve_loads(Node& node, const model::Task& bound,
                                                                const Caller& own) {
  std::map<std::size_t, task::ResolvedLoad> loads;
  for (std::size_t i = 0; i < bound.actions.size(); ++i) {
    const auto* load = std::get_if<model::Load>(&bound.actions[i].what);
    const model::ArtifactSource* source = load != nullptr ? &load->source : manifest_of(bound.actions[i]);
    if (source == nullptr) continue;
    const bool optional = load != nullptr && load->optional;
    KIST_TRY_ASSIGN(ArtifactValue value, resolve_optional(*source, optional, own));
    task::ResolvedLoad& resolved = loads[i];
    const auto* reference = std::get_if<model::ArtifactReference>(source);
    if (reference == nullptr) add_input(node.record, value, "", load != nullptr ? load->path.source() : "");
    if (std::holds_alternative<Absent>(value) && !optional)
      return not_supplied(reference != nullptr ? last_name(reference->name.source()) : bound.actions[i].title);
    std::visit(Overloaded{
                   [&](Absent) { resolved.absent = true; },
                   [&](model::ExternalArtifact& outside) { resolved.external = std::move(outside); },
                   [&](model::ArtifactRecord& artifact) {
                     std::string inside = artifact.sub_path;
                     resolved.trees.push_back({.prefix = "", .artifact = std::move(artifact), .sub_path = inside});
                   },
                   [&](RawText& raw) { resolved.raw = std::move(raw.text); },
                   [&](const model::UsedRun* used) {
                     if (load != nullptr) resolved.trees = trees_of(*used, *load, bound);
                   },
                   [&](const model::ProjectFiles&) { resolved.project = true; },
               },
               value);
  }
  return loads;
}

std::map<std::size_t, model::ArtifactRecord> find_restored(const model::NodeRecord& node, const model::Task& bound,
                                                           const std::vector<model::UsedRun>& used_runs) {
  std::map<std::size_t, model::ArtifactRecord> restored;
  for (std::size_t i = 0; i < bound.actions.size(); ++i) {
    const auto* watch = std::get_if<model::Watch>(&bound.actions[i].what);
    if (watch == nullptr) continue;
    auto take_from = [&](const std::vector<model::ArtifactRecord>& artifacts) {
      auto same = std::ranges::find(artifacts, watch->name, &model::ArtifactRecord::name);
      if (same != artifacts.end()) restored.try_emplace(i, *same);
    };
    take_from(node.output_artifacts);
    for (const model::UsedRun& used : used_runs)
      if (used.restored) take_from(used.artifacts);
  }
  return restored;
}

}  // namespace kist::engine
