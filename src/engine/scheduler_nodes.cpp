// How a node comes to be, starts and ends.
#include <fmt/format.h>

#include "engine/scheduler.hpp"
#include "engine/services.hpp"
#include "expression/condition.hpp"

namespace kist::engine {
namespace {

using model::State;

// A definition that calls itself for ever must end before memory does.
constexpr int kDeepest = 300;  // Argo stops at 100

// What an earlier owner left and need not be done again. What was stopped was stopped for the owner that is gone.
bool is_kept(const model::NodeRecord& record) {
  return model::is_final(record.state) && record.state != State::stopped && record.state != State::aborted;
}

model::NodeKind kind_of(const model::Definition* definition) {
  const auto* group = definition == nullptr ? nullptr : std::get_if<model::Group>(&definition->body);
  if (group == nullptr) return model::NodeKind::task;
  return group->kind == model::Group::Kind::graph ? model::NodeKind::graph : model::NodeKind::sequence;
}

// Ready for another attempt: nothing of the last one is left but its number, and what was to stay however it ends: that
// is replaced by what the next one makes.
void begin_again(model::NodeRecord& record) {
  bool was_under_way = record.state != State::pending;
  if (was_under_way && record.kind == model::NodeKind::task) ++record.attempt;
  record.state = State::pending;
  record.message.clear();
  record.started = record.finished = Time{};
  record.exit_code.reset();
  record.result.reset();
  record.output_parameters.clear();
  std::erase_if(record.output_artifacts, [](const model::ArtifactRecord& artifact) { return !artifact.live; });
}

}  // namespace

model::NodeRecord& Scheduler::record_for(model::NodeNames names) {
  // Dialects give every node a name of its own; should one not, its nodes must still not become one.
  for (auto found = records_by_name_.find(names.name); found != records_by_name_.end();
       found = records_by_name_.find(names.name)) {
    if (earlier_.erase(found->second) > 0) return *found->second;
    names.name += "'";
  }
  model::NodeRecord& record = records_.emplace_back();
  record.names = std::move(names);
  records_by_name_.emplace(record.names.name, &record);
  return record;
}

Node& Scheduler::make_node(Node* parent, const model::Step* step, StepIndex index, const std::string& definition) {
  model::NodePlace place;
  place.run = run_.name;
  place.definition = definition;
  if (parent != nullptr) {
    place.parent = &parent->record.names;
    place.group = parent->group->plan->group->kind;
    place.stage = parent->group->plan->stages[index];
    place.step = step->name;
  }
  Node& node = nodes_.emplace_back(record_for(wording_.names(place)));
  node.parent = parent;
  node.step = step;
  node.step_index = index;
  node.depth = parent == nullptr ? 0 : parent->depth + 1;
  if (auto found = workflow_.definitions.find(definition); found != workflow_.definitions.end())
    node.definition = &found->second;
  if (parent != nullptr) parent->group->children[index] = &node;
  if (is_kept(node.record)) return node;

  model::NodeRecord& record = node.record;
  if (parent != nullptr) record.parent = parent->record.names.name;
  record.step = place.step;
  record.definition = definition;
  record.kind = kind_of(node.definition);
  record.stage = place.stage;
  begin_again(record);
  return node;
}

void Scheduler::start(Node& node, const model::Call& call) {
  if (is_kept(node.record)) {
    ended_.push_back(&node);
    return;
  }
  auto started = [&]() -> Status {
    if (node.definition == nullptr)
      return fail(ErrorKind::invalid, fmt::format("template name '{}' undefined", call.definition));
    if (node.depth > kDeepest)
      return fail(ErrorKind::invalid, fmt::format("calls go deeper than {} levels: does '{}' call itself for ever?",
                                                  kDeepest, call.definition));
    if (node.step != nullptr && node.step->condition) {
      KIST_TRY_ASSIGN(std::string condition, expression::evaluate(*node.step->condition, group_scope(*node.parent)));
      KIST_TRY_ASSIGN(bool holds, expression::evaluate_condition(condition));
      if (!holds) {
        end(node, State::skipped, wording_.condition_false(condition));
        return {};
      }
    }
    KIST_TRY(bind_call(node, call));
    if (const auto* group = std::get_if<model::Group>(&node.definition->body)) return start_group(node, *group);
    return start_task(node, std::get<model::Task>(node.definition->body));
  }();
  if (!started) end(node, State::error, started.error().text);
}

Status Scheduler::bind_call(Node& node, const model::Call& call) {
  if (node.parent == nullptr) {
    Caller nobody{*scope_,
                  [](std::string_view name) -> Result<ArtifactValue> {
                    return fail(ErrorKind::invalid, fmt::format("failed to resolve {{{{{}}}}}: no step has run", name));
                  },
                  run_.used_runs};
    return bind_inputs(node, call.arguments, nobody, *scope_, run_.used_runs);
  }
  GroupScope scope = group_scope(*node.parent);
  Caller group{scope, [&](std::string_view name) { return scope.find_artifact(name); }, run_.used_runs};
  return bind_inputs(node, call.arguments, group, *scope_, run_.used_runs);
}

Status Scheduler::start_group(Node& node, const model::Group& group) {
  auto plan = plans_.find(&group);
  if (plan == plans_.end()) plan = plans_.emplace(&group, make_plan(group)).first;
  if (!plan->second) return std::unexpected(plan->second.error());

  node.group = std::make_unique<GroupProgress>();
  GroupProgress& progress = *node.group;
  progress.plan = &*plan->second;
  progress.children.resize(progress.plan->steps.size());
  node.record.state = State::running;
  node.record.started = parts_.clock();
  changed(node);

  if (group.kind == model::Group::Kind::sequence) {
    begin_stage(node);
  } else {
    progress.failure.resize(progress.plan->steps.size());
    for (const auto& depends_on : progress.plan->depends_on) progress.waiting.push_back(depends_on.size());
    for (StepIndex step = 0; step < progress.plan->steps.size(); ++step)
      if (progress.plan->needed[step] && progress.waiting[step] == 0) consider(node, step);
  }
  go_on_or_end(node);
  return {};
}

Status Scheduler::start_task(Node& node, const model::Task& task) {
  NodeScope scope(*scope_, node);
  Caller own{scope, [&](std::string_view name) { return find_input_artifact(node, name); }, run_.used_runs};
  task::Document document;
  KIST_TRY_ASSIGN(document.task, bind(task, scope));
  KIST_TRY_ASSIGN(document.loads, resolve_loads(node, document.task, own));
  document.restored = find_restored(node.record, document.task, run_.used_runs);
  document.run = run_.name;
  document.node = node.record.names;
  document.attempt = node.record.attempt;
  document.project = run_.project;

  node.submitted = parts_.clock();
  node.services =
      std::make_shared<NodeServices>(node, log_file(parts_.home.run(run_.name) / "logs", node.record.names.name),
                                     parts_.clock, audience_, inbox_, parts_.kept_live);
  changed(node);
  with_place_.insert(&node);
  place_.submit(std::move(document), *node.services,
                [inbox = inbox_, &node](task::Outcome outcome) { inbox->post(TaskEnded{&node, std::move(outcome)}); });
  return {};
}

void Scheduler::end(Node& node, State state, std::string message) {
  model::NodeRecord& record = node.record;
  record.state = state;
  record.message = std::move(message);
  record.finished = parts_.clock();
  if (record.started == Time{}) record.started = record.finished;
  node.inputs.clear();
  changed(node);
  ended_.push_back(&node);
}

void Scheduler::changed(const Node& node) {
  committer_.node(node.record);
}

}  // namespace kist::engine
