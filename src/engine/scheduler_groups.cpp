// How a group goes on when one of its steps has ended.
//
// Of a graph, a step's failure counts as its own or, where it was omitted or skipped, as that of what it waited for: so
// a failure travels down to the targets unless a step on the way has handled it by running. A step that tolerates a
// failure does so for its own end: one that was skipped hands on what came before it. The graph has failed when a
// failure has reached a target that does not tolerate it; what does not hang on the failed step runs all the same.
#include <algorithm>

#include <fmt/format.h>

#include "engine/loops.hpp"
#include "engine/scheduler.hpp"

namespace kist::engine {
namespace {

using model::State;

// What an output was to be made of, for messages.
std::string written_name(const model::ArtifactSource& source) {
  if (const auto* reference = std::get_if<model::ArtifactReference>(&source)) return reference->name.source();
  if (const auto* expression = std::get_if<model::ArtifactExpression>(&source)) return expression->expression.source();
  return "it";
}

// The items of a loop stand in the stage themselves.
const Node* failed_member(const Node& child) {
  if (child.loop)
    for (const Node* item : child.loop->children)
      if (item != nullptr && has_failed(item->record.state) && !is_tolerated(*child.step, item->record.state))
        return item;
  return &child;
}

bool was_stopped(const Node* node) {
  return node != nullptr && (node->record.state == State::stopped || node->record.state == State::aborted);
}

}  // namespace

void Scheduler::want(Node& group, StepIndex step) {
  ++group.group->under_way;
  wanted_.push_back({&group, step});
}

// All that a step of a graph waits for has ended. Of a run that is being stopped nothing can be said of what follows.
void Scheduler::consider(Node& group, StepIndex index) {
  if (!may_start(group)) return;
  const GroupProgress& progress = *group.group;
  if (dependency_holds(group, progress.plan->steps[index]->depends)) {
    if (!progress.broken) want(group, index);
    return;
  }
  Node& node = make_node(Node::Role::step, &group, index);
  ++group.group->under_way;
  if (model::is_final(node.record.state))
    ended_.push_back(&node);
  else
    end(node, State::omitted, wording_.omitted());
}

bool Scheduler::dependency_holds(const Node& group, const model::Dependency& dependency) const {
  const GroupProgress& progress = *group.group;
  return holds(dependency, [&](std::string_view name) {
    const Node& node = *progress.children[progress.plan->index.at(name)];
    StepResult result{.state = node.record.state, .daemoned = node.record.daemoned, .items = {}};
    if (node.loop)
      for (const model::NodeRecord* member : node.loop->members)
        if (member != nullptr) result.items.push_back(member->state);
    return result;
  });
}

void Scheduler::make_room(Node& group) {
  GroupProgress& progress = *group.group;
  --progress.active;
  if (progress.held.empty()) return;
  wanted_.push_back(progress.held.front());
  progress.held.pop_front();
}

void Scheduler::begin_stage(Node& group) {
  const GroupProgress& progress = *group.group;
  const auto& begins = progress.plan->stage_begins;
  auto stage = static_cast<std::size_t>(progress.stage);
  if (stage + 1 >= begins.size()) return;  // a sequence without stages
  for (StepIndex step = begins[stage]; step < begins[stage + 1]; ++step) want(group, step);
}

void Scheduler::break_off_at_once(Node& group, const Node& child) {
  if (!group.group->plan->group->fail_at_once || !has_failed(child.record.state)) return;
  if (is_tolerated(*child.step, child.record.state)) return;
  if (group.group->cause == nullptr) group.group->cause = &child;
  group.group->broken = true;
  // What waits for room finds that it is not to start.
  for (const Wanted& held : std::exchange(group.group->held, {})) wanted_.push_back(held);
}

void Scheduler::child_ended(Node& group, const Node& child) {
  --group.group->under_way;
  break_off_at_once(group, child);
  if (group.group->plan->group->kind == model::Group::Kind::graph) graph_child_ended(group, child);
  go_on_or_end(group);
}

void Scheduler::graph_child_ended(Node& group, const Node& child) {
  GroupProgress& progress = *group.group;
  const GroupPlan& plan = *progress.plan;
  State state = child.record.state;
  const Node*& failure = progress.failure[child.step_index];
  if (has_failed(state)) failure = &child;
  if (state == State::omitted || state == State::skipped)
    for (StepIndex other : plan.depends_on[child.step_index])
      if (failure == nullptr) failure = progress.failure[other];

  for (StepIndex dependent : plan.dependents[child.step_index])
    if (--progress.waiting[dependent] == 0 && plan.needed[dependent]) consider(group, dependent);
}

void Scheduler::go_on_or_end(Node& group) {
  if (group.group->under_way > 0) return;
  if (group.group->plan->group->kind == model::Group::Kind::graph)
    end_graph(group);
  else
    end_stage(group);
}

void Scheduler::end_stage(Node& group) {
  GroupProgress& progress = *group.group;
  const auto& begins = progress.plan->stage_begins;
  auto stage = static_cast<std::size_t>(progress.stage);
  bool is_last = stage + 2 >= begins.size();
  const Node* failed = nullptr;
  bool incomplete = false;
  for (StepIndex step = begins[stage]; stage + 1 < begins.size() && step < begins[stage + 1]; ++step) {
    const Node* child = progress.children[step];
    if (child == nullptr) incomplete = true;
    if (failed == nullptr && child != nullptr && has_failed(child->record.state) &&
        !is_tolerated(*child->step, child->record.state))
      failed = failed_member(*child);
  }
  if (progress.cause != nullptr) failed = progress.cause;
  if (end_stopped(group, failed == nullptr && (incomplete || !is_last))) return;
  if (failed != nullptr) return end_failed(group, State::failed, *failed);
  if (auto listed = check_results(group); !listed) {
    release_daemons(group);
    return end(group, State::error, listed.error().text);
  }
  ++progress.stage;  // what comes, the group's outputs too, sees this one's steps
  if (is_last) return end_succeeded(group);
  begin_stage(group);
  go_on_or_end(group);
}

Status Scheduler::check_results(const Node& group) {
  const GroupProgress& progress = *group.group;
  const auto& begins = progress.plan->stage_begins;
  const auto stage = static_cast<std::size_t>(progress.stage);
  for (StepIndex step = begins[stage]; stage + 1 < begins.size() && step < begins[stage + 1]; ++step) {
    const Node* child = progress.children[step];
    if (child == nullptr || !child->loop || !child->step->loop->lists_results) continue;
    if (auto list = aggregate("outputs.result", child->loop->members); !list) return std::unexpected(list.error());
  }
  return {};
}

void Scheduler::end_graph(Node& group) {
  const GroupProgress& progress = *group.group;
  const GroupPlan& plan = *progress.plan;
  const Node* failed = nullptr;
  for (StepIndex target : plan.targets) {
    const Node* failure = progress.failure[target];
    if (failure == nullptr || is_tolerated(*plan.steps[target], failure->record.state)) continue;
    if (failed == nullptr || !plan.group->fail_fast) failed = failure;
  }
  if (progress.cause != nullptr) failed = progress.cause;
  bool incomplete = false;
  for (StepIndex step = 0; step < plan.steps.size(); ++step)
    incomplete = incomplete || (plan.needed[step] && progress.children[step] == nullptr);
  if (end_stopped(group, failed == nullptr && incomplete)) return;
  if (failed != nullptr) return end_failed(group, failed->record.state, *failed);
  end_succeeded(group);
}

bool Scheduler::end_stopped(Node& group, bool incomplete) {
  bool stopped = std::ranges::any_of(group.group->children, was_stopped);
  const bool overdue = is_overdue(group);
  if (!overdue && !stopped && !(!may_start(group) && incomplete)) return false;
  release_daemons(group);
  end_halted(group);
  return true;
}

void Scheduler::end_failed(Node& group, State state, const Node& child) {
  if (group.group) release_daemons(group);
  end(group, state, wording_.child_failed(child.record.names));
}

void Scheduler::end_succeeded(Node& group) {
  release_daemons(group);
  if (auto collected = collect_outputs(group); !collected)
    end(group, State::error, collected.error().text);
  else
    end(group, State::succeeded, "");
}

Status Scheduler::collect_outputs(Node& group) {
  const model::Group& what = *group.group->plan->group;
  GroupScope scope = group_scope(group);
  group.record.output_parameters.clear();
  group.record.output_artifacts.clear();
  for (const model::OutputParameter& output : what.parameters) {
    auto value = expression::evaluate(output.value, scope);
    if (!value && value.error().kind == ErrorKind::not_found && output.fallback)
      value = expression::evaluate(*output.fallback, scope);
    if (!value) return std::unexpected(value.error());
    model::ParameterRecord record{output.name, std::move(*value)};
    if (output.late_name) {
      KIST_TRY_ASSIGN(record.name, evaluate_name(*output.late_name, scope));
    }
    if (output.global) {
      KIST_TRY_ASSIGN(record.global, expression::evaluate(*output.global, scope));
    }
    group.record.output_parameters.push_back(std::move(record));
  }
  find_secrets(group.record.output_parameters);
  for (const model::OutputArtifact& output : what.artifacts) {
    Caller caller{scope, [&](std::string_view name) { return scope.find_artifact(name); }, run_.used_runs, keys()};
    KIST_TRY_ASSIGN(ArtifactValue value, resolve(output.from, caller));
    if (auto* artifact = std::get_if<model::ArtifactRecord>(&value)) {
      artifact->name = output.name;
      if (output.late_name) {
        KIST_TRY_ASSIGN(artifact->name, evaluate_name(*output.late_name, scope));
      }
      artifact->global.clear();
      if (output.global) {
        KIST_TRY_ASSIGN(artifact->global, expression::evaluate(*output.global, scope));
      }
      group.record.output_artifacts.push_back(std::move(*artifact));
    } else if (!output.optional) {
      return fail(ErrorKind::invalid,
                  fmt::format("unable to resolve outputs from scope: {} was not produced", written_name(output.from)));
    }
  }
  return {};
}

}  // namespace kist::engine
