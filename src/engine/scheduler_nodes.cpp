// How a node starts and ends.
#include <algorithm>

#include <fmt/format.h>

#include "engine/scheduler.hpp"
#include "engine/sent.hpp"
#include "engine/services.hpp"
#include "expression/condition.hpp"

namespace kist::engine {
namespace {

using model::State;

// A definition that calls itself for ever must end before memory does.
constexpr int kDeepest = 300;  // Argo stops at 100

// Names with blanks between them.
std::vector<std::string> names_in(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  std::vector<std::string> names;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
    if (text.empty()) return names;
    names.emplace_back(text.substr(0, text.find_first_of(kBlank)));
    text.remove_prefix(names.back().size());
  }
}

}  // namespace

void Scheduler::begin(const Wanted& wanted) {
  Node& parent = *wanted.parent;
  const bool is_item = parent.loop != nullptr;
  Node& group = is_item ? *parent.parent : parent;
  if (group.group->broken || !may_start(parent)) {
    if (is_item) {
      --parent.loop->under_way;
      end_loop(parent);
    } else {
      --group.group->under_way;
      go_on_or_end(group);
    }
    return;
  }
  const bool counts = is_item || !group.group->plan->steps[wanted.index]->loop;
  if (counts && group.group->most && group.group->active >= *group.group->most) {
    group.group->held.push_back(wanted);
    return;
  }
  Node& node = make_node(is_item ? Node::Role::item : Node::Role::step, &parent, wanted.index);
  node.counted = counts;
  if (counts) ++group.group->active;
  start(node, node.step->call);
}

void Scheduler::start(Node& node, const model::Call& call) {
  const bool loops = node.role == Node::Role::step && node.step->loop;
  if (is_kept(node.record)) {
    if (loops) take_members(node);
    ended_.push_back(&node);
    return;
  }
  auto started = [&]() -> Status {
    if (loops) return start_loop(node);
    if (node.definition == nullptr && call.late_definition) {
      KIST_TRY_ASSIGN(const std::string name, expression::evaluate(*call.late_definition, *caller_scope(node)));
      return fail(ErrorKind::invalid, wording_.undefined(name));
    }
    if (node.definition == nullptr) return fail(ErrorKind::invalid, wording_.undefined(call.definition));
    if (node.depth > kDeepest)
      return fail(ErrorKind::invalid, fmt::format("calls go deeper than {} levels: does '{}' call itself for ever?",
                                                  kDeepest, node.definition->name));
    KIST_TRY_ASSIGN(bool runs, condition_holds(node));
    if (!runs) return {};
    if (!node.definition->lacking.empty()) return fail(ErrorKind::invalid, node.definition->lacking);
    KIST_TRY(bind_call(node, call));
    KIST_TRY(watch_timeout(node));
    KIST_TRY(watch_waiting(node));
    return start_bound(node);
  }();
  if (!started) end(node, State::error, started.error().text);
}

Result<bool> Scheduler::condition_holds(Node& node) {
  if (node.step == nullptr || !node.step->condition) return true;
  KIST_TRY_ASSIGN(std::string condition, expression::evaluate(*node.step->condition, *caller_scope(node)));
  KIST_TRY_ASSIGN(bool holds, expression::evaluate_condition(condition));
  if (!holds) end(node, State::skipped, wording_.condition_false(condition));
  return holds;
}

Status Scheduler::bind_call(Node& node, const model::Call& call) {
  const Node* group = group_of(node);
  if (group == nullptr) {
    Caller run{*scope_, [this](std::string_view name) { return scope_->find_artifact(name); }, run_.used_runs, keys()};
    KIST_TRY(bind_inputs(node, call.arguments, run, *scope_, run_.used_runs));
    find_secrets(node.record);
    return {};
  }
  GroupScope scope = group_scope(*group, &node);
  Caller caller{scope, [&](std::string_view name) { return scope.find_artifact(name); }, run_.used_runs, keys()};
  KIST_TRY(bind_inputs(node, call.arguments, caller, *scope_, run_.used_runs));
  find_secrets(node.record);
  return {};
}

std::unique_ptr<expression::Scope> Scheduler::caller_scope(const Node& node) const {
  if (const Node* group = group_of(node)) return std::make_unique<GroupScope>(group_scope(*group, &node));
  return std::make_unique<RunScope>(*scope_);
}

Status Scheduler::start_bound(Node& node) {
  if (node.definition->display) {
    KIST_TRY_ASSIGN(std::string shown, expression::evaluate(*node.definition->display, NodeScope(*scope_, node)));
    if (!shown.empty()) {
      node.record.names.display = secrets_.hide(shown);
      node.names.display = std::move(shown);
    }
  }
  changed(node, metrics_.node_begins(node, *scope_));
  KIST_TRY_ASSIGN(bool held,
                  take_locks(node, node.definition->locks, NodeScope(*scope_, node), node.record.names.name));
  return held ? start_locked(node) : Status();
}

Status Scheduler::start_locked(Node& node) {
  if (node.definition->memo) {
    KIST_TRY_ASSIGN(bool known,
                    recall(parts_, *node.definition->memo, NodeScope(*scope_, node), secrets_, node.record));
    if (known) {
      end(node, State::succeeded, "");
      return {};
    }
  }
  if (node.record.kind == model::NodeKind::retry) return start_retry(node);
  return start_body(node);
}

Status Scheduler::start_body(Node& node) {
  KIST_TRY(read_deadline(node));
  if (const auto* group = std::get_if<model::Group>(&node.definition->body)) return start_group(node, *group);
  if (std::holds_alternative<model::Task>(node.definition->body)) return start_task(node);
  return start_gate(node);
}

Result<std::shared_ptr<const GroupPlan>> Scheduler::plan_of(const Node& node, const model::Group& group) {
  const auto is_late = [](const model::Step& step) { return step.late_name.has_value(); };
  if (std::ranges::any_of(group.stages, [&](const auto& stage) { return std::ranges::any_of(stage, is_late); })) {
    auto own = std::make_shared<model::Group>(group);
    for (auto& stage : own->stages)
      for (model::Step& step : stage)
        if (step.late_name) {
          KIST_TRY_ASSIGN(step.name, evaluate_name(*step.late_name, NodeScope(*scope_, node)));
        }
    KIST_TRY_ASSIGN(GroupPlan plan, make_plan(*own));
    plan.own = std::move(own);
    return std::make_shared<const GroupPlan>(std::move(plan));
  }
  if (group.late_targets) {
    KIST_TRY_ASSIGN(const std::string names, expression::evaluate(*group.late_targets, NodeScope(*scope_, node)));
    KIST_TRY_ASSIGN(GroupPlan plan, make_plan(group, names_in(names)));
    return std::make_shared<const GroupPlan>(std::move(plan));
  }
  auto known = plans_.find(&group);
  if (known != plans_.end()) return known->second;
  using Plan = Result<std::shared_ptr<const GroupPlan>>;
  auto made = make_plan(group, group.targets);
  Plan plan = made ? Plan(std::make_shared<const GroupPlan>(std::move(*made))) : Plan(std::unexpected(made.error()));
  return plans_.emplace(&group, std::move(plan)).first->second;
}

Status Scheduler::start_group(Node& node, const model::Group& group) {
  KIST_TRY_ASSIGN(auto plan, plan_of(node, group));
  node.group = std::make_unique<GroupProgress>();
  GroupProgress& progress = *node.group;
  progress.plan = std::move(plan);
  progress.children.resize(progress.plan->steps.size());
  if (group.parallelism) {
    KIST_TRY_ASSIGN(progress.most, read_parallelism(*group.parallelism, NodeScope(*scope_, node)));
  }
  node.record.state = State::running;
  if (node.record.started == Time{}) node.record.started = parts_.clock();
  watch_deadline(node);
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

Status Scheduler::start_task(Node& node) {
  changed(node);
  parked_.insert(&node);
  for_place_.push_back(&node);
  hand_over_waiting();
  return {};
}

void Scheduler::hand_over_waiting() {
  while (!for_place_.empty() && with_place_.size() < most_with_place_) {
    Node& node = *for_place_.front();
    for_place_.pop_front();
    if (parked_.erase(&node) == 0) continue;  // it has ended
    if (auto handed = hand_over(node); !handed) end(node, State::error, handed.error().text);
  }
}

Status Scheduler::hand_over(Node& node) {
  NodeScope scope(*scope_, node);
  Caller own{scope, [&](std::string_view name) { return find_input_artifact(node, name); }, run_.used_runs, keys()};
  task::Document document;
  KIST_TRY_ASSIGN(document.task, bind(std::get<model::Task>(node.definition->body), scope));
  KIST_TRY_ASSIGN(document.loads, resolve_loads(node, document.task, own));
  node.sendings = sendings_of(document.task, workflow_.may_leave_sent);
  for (const Sending& sending : node.sendings) KIST_TRY(check_place(sending, secrets_));
  note_globals(node, document.task);
  document.restored = find_restored(node.record, document.task, run_.used_runs);
  document.run = run_.name;
  document.node = node.record.names;
  document.attempt = node.record.attempt;
  document.project = run_.project;
  document.hidden = secrets_.values();
  KIST_TRY_ASSIGN(bool known, take_from_earlier(parts_, run_, node, document));
  if (known) {
    end(node, State::succeeded, fmt::format("taken from {}", node.record.taken_from));
    return {};
  }

  node.submitted = parts_.clock();
  node.services =
      std::make_shared<NodeServices>(node, log_file(parts_.home.run(run_.name) / "logs", node.record.names.name),
                                     parts_.clock, audience_, inbox_, parts_.kept_live, parts_, run_);
  changed(node);
  with_place_.insert(&node);
  place_.submit(std::move(document), *node.services,
                [inbox = inbox_, &node](task::Outcome outcome) { inbox->post(TaskEnded{&node, std::move(outcome)}); });
  return {};
}

void Scheduler::complete(Node& node) {
  if (std::exchange(node.completed, true)) return;
  locks_.give_back(node);
  remember(parts_, run_.name, node.record);
  Node* group = group_of(node);
  if (node.counted) make_room(*group);
  switch (node.role) {
    case Node::Role::entry:
      break;
    case Node::Role::step:
      child_ended(*node.parent, node);
      break;
    case Node::Role::item:
      item_ended(*node.parent, node);
      break;
    case Node::Role::attempt:
      attempt_ended(*node.parent, node);
      break;
    case Node::Role::hook:
      hook_ended(node);
      break;
  }
}

void Scheduler::end(Node& node, State state, const std::string& message) {
  model::NodeRecord& record = node.record;
  record.state = state;
  record.message = secrets_.hide(message);
  record.finished = parts_.clock();
  if (record.started == Time{}) record.started = record.finished;
  auto measured = metrics_.node_ended(node, *scope_);
  node.inputs.clear();
  parked_.erase(&node);
  scope_->add_globals(record);  // its own hooks are the first who may ask for them
  changed(node, std::move(measured));
  ended_.push_back(&node);
}

void Scheduler::changed(Node& node, Metrics::Measured measured) {
  committer_.node(node.record, nullptr, std::move(measured));
  if (!hooks_of(node).empty()) changed_.push_back(&node);
}

}  // namespace kist::engine
