// How a node comes to be, starts and ends.
#include <algorithm>

#include <fmt/format.h>

#include "base/file.hpp"
#include "catalog/documents.hpp"
#include "engine/scheduler.hpp"
#include "engine/sent.hpp"
#include "engine/services.hpp"
#include "expression/condition.hpp"

namespace kist::engine {
namespace {

using model::State;

// A definition that calls itself for ever must end before memory does.
constexpr int kDeepest = 300;  // Argo stops at 100

constexpr std::uint64_t kLargestWritten = 1 << 20;

// What an earlier owner left and need not be done again. What was stopped was stopped for the owner that is gone.
bool is_kept(const model::NodeRecord& record) {
  return model::is_final(record.state) && record.state != State::stopped && record.state != State::aborted;
}

model::NodeKind kind_of(const model::Definition* definition) {
  if (definition == nullptr || std::holds_alternative<model::Task>(definition->body)) return model::NodeKind::task;
  const auto* group = std::get_if<model::Group>(&definition->body);
  if (group == nullptr) return model::NodeKind::gate;
  return group->kind == model::Group::Kind::graph ? model::NodeKind::graph : model::NodeKind::sequence;
}

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

model::NodeKind kind_of(const Node& node) {
  if (node.role == Node::Role::step && node.step->loop) return model::NodeKind::loop;
  if (node.role != Node::Role::attempt && node.definition != nullptr && node.definition->retry)
    return model::NodeKind::retry;
  return kind_of(node.definition);
}

// Ready for another attempt: nothing of the last one is left but its number, and what was to stay however it ends: that
// is replaced by what the next one makes.
void begin_again(model::NodeRecord& record) {
  const bool was_under_way = record.state != State::pending;
  if (was_under_way && record.kind == model::NodeKind::task) ++record.attempt;
  // What it has of its time is gone, whoever owned it meanwhile; only a task's next attempt has a beginning of its own.
  if (record.kind == model::NodeKind::task) {
    if (record.first_started == Time{}) record.first_started = record.started;
    record.started = Time{};
  }
  forget_outcome(record);
}

}  // namespace

model::NodeRecord* Scheduler::earlier_record(const model::NodeNames& names) const {
  const auto look = [&](std::string name, bool by_id) -> model::NodeRecord* {
    for (auto found = records_by_name_.find(name); found != records_by_name_.end();
         found = records_by_name_.find(name)) {
      const bool is_it = !by_id || found->second->names.id == names.id;
      if (is_it && earlier_.contains(found->second)) return found->second;
      name += "'";
    }
    return nullptr;
  };
  // As it is: also a record of when the value was not known to be a secret.
  if (model::NodeRecord* found = look(names.name, false)) return found;
  std::string shown = secrets_.hide(names.name);
  return shown == names.name ? nullptr : look(std::move(shown), true);
}

model::NodeRecord& Scheduler::record_for(const model::NodeNames& names) {
  if (model::NodeRecord* earlier = earlier_record(names)) {
    earlier_.erase(earlier);
    return *earlier;
  }
  model::NodeRecord& record = records_.emplace_back();
  record.names = names;
  record.names.name = secrets_.hide(names.name);
  record.names.display = secrets_.hide(names.display);
  // Dialects give every node a name of its own; should one not, or was it a secret that told them apart, they must
  // still not become one.
  while (records_by_name_.contains(record.names.name)) record.names.name += "'";
  records_by_name_.emplace(record.names.name, &record);
  return record;
}

model::NodePlace Scheduler::place_of(Node::Role role, const Node* parent, std::size_t index,
                                     const model::Hook* hook) const {
  model::NodePlace place;
  place.run = run_.name;
  if (parent != nullptr) place.parent = &parent->names;
  place.index = static_cast<int>(index);
  switch (role) {
    case Node::Role::entry:
      place.definition = workflow_.entry.definition;
      break;
    case Node::Role::step:
      place.group = parent->group->plan->group->kind;
      place.stage = parent->group->plan->stages[index];
      place.step = parent->group->plan->steps[index]->name;
      place.definition = called_definition(role, *parent, index);
      break;
    case Node::Role::item:
      place.kind = model::NodePlace::Kind::item;
      place.step = parent->step->name;
      place.definition = called_definition(role, *parent, index);
      place.item = parent->loop->items[index].get();
      break;
    case Node::Role::attempt:
      place.kind = model::NodePlace::Kind::attempt;
      place.step = parent->record.step;
      place.definition = parent->record.definition;
      break;
    case Node::Role::hook:
      place.kind = model::NodePlace::Kind::hook;
      place.step = hook->name;
      place.definition = called_definition(*hook, parent);
      break;
  }
  if (const model::Definition* definition = find_definition(place.definition)) place.label = definition->label;
  return place;
}

// Names of the node hang on what it calls: a text that says so is looked at before there is a node to ask for it.
std::string Scheduler::called_definition(Node::Role role, const Node& parent, std::size_t index) const {
  const bool is_item = role == Node::Role::item;
  const model::Step& step = is_item ? *parent.step : *parent.group->plan->steps[index];
  if (!step.call.late_definition) return step.call.definition;
  if (!is_item && step.loop) return "";  // its items call
  model::NodeRecord none;
  Node asking(none, role);
  asking.item = is_item ? parent.loop->items[index] : parent.item;
  const Node& group = is_item ? *parent.parent : parent;
  return expression::evaluate(*step.call.late_definition, group_scope(group, &asking)).value_or("");
}

std::string Scheduler::called_definition(const model::Hook& hook, const Node* parent) const {
  if (!hook.call.late_definition) return hook.call.definition;
  return parent == nullptr ? expression::evaluate(*hook.call.late_definition, *scope_).value_or("")
                           : expression::evaluate(*hook.call.late_definition, *caller_scope(*parent)).value_or("");
}

const model::Definition* Scheduler::find_definition(const std::string& name) const {
  const model::Workflow& newest = renewed_.empty() ? workflow_ : renewed_.back();
  auto found = newest.definitions.find(name);
  return found == newest.definitions.end() ? nullptr : &found->second;
}

// Groups that have begun stay what they are; what is called from now on is as it is written now.
void Scheduler::renew_definitions() {
  if (!std::exchange(documents_changed_, false)) return;
  auto kept = catalog::Documents(parts_.home).list();
  auto dialect = find_dialect(parts_.dialects, run_.dialect);
  if (!kept || !dialect) return;
  std::vector<model::SourceText> written;
  for (const auto& each : *kept) {
    std::error_code gone;
    const auto at = std::filesystem::last_write_time(each.path, gone);
    if (gone || std::chrono::file_clock::to_sys(at) < run_.created) continue;
    if (auto text = read_file(each.path, kLargestWritten)) written.push_back({each.path.string(), std::move(*text)});
  }
  auto seen = (*dialect)->seen_later(run_.request, written);
  if (std::ranges::equal(seen, seen_later_, {}, &model::SourceText::text, &model::SourceText::text)) return;
  model::RunRequest request = run_.request;
  request.files.insert(request.files.begin(), seen.begin(), seen.end());
  auto lowered = (*dialect)->lower(request);
  if (!lowered) return;
  seen_later_ = std::move(seen);
  renewed_.push_back(std::move(lowered->workflow));
}

// Outputs of the run that were made under an earlier owner, the last of a name last.
void Scheduler::take_globals() {
  note_earlier_secrets();
  std::vector<const model::NodeRecord*> ended;
  for (const model::NodeRecord* record : earlier_)
    if (is_kept(*record)) ended.push_back(record);
  std::ranges::sort(ended, {}, &model::NodeRecord::finished);
  for (const model::NodeRecord* record : ended) scope_->add_globals(*record);
}

// What was to run again and was not reached is none of it: what it was part of went another way, and may do so again.
void Scheduler::gather_nodes() {
  catalog::Changes changes;
  changes.run = run_.name;
  for (model::NodeRecord& record : records_) {
    if (earlier_.contains(&record) && !model::is_final(record.state)) {
      if (record.output_artifacts.empty()) {
        changes.removed.push_back(record.names.name);
        continue;
      }
      record.state = State::stopped;  // what was saved while it ran stays
      committer_.node(record);
    }
    run_.nodes.push_back(record);
  }
  if (changes.removed.empty()) return;
  model::RunRecord shown = run_;
  shown.nodes.clear();
  committer_.run(std::move(changes), std::move(shown));
}

Node& Scheduler::make_node(Node::Role role, Node* parent, std::size_t index, const model::Hook* hook) {
  renew_definitions();
  const model::NodePlace place = place_of(role, parent, index, hook);
  model::NodeNames names = wording_.names(place);
  Node& node = nodes_.emplace_back(record_for(names), role);
  node.names = std::move(names);
  node.parent = parent;
  node.hook = hook;
  node.definition = find_definition(place.definition);
  node.at_exit = hook != nullptr && !hook->expression;
  if (parent != nullptr) {
    node.depth = role == Node::Role::step ? parent->depth + 1 : parent->depth;
    node.at_exit = node.at_exit || parent->at_exit;
    // A definition without a name is written in its step, and says what the step may say.
    const bool inlined = parent->definition != nullptr && parent->definition->label.empty();
    if (role != Node::Role::step || inlined) node.item = parent->item;
  }
  if (role == Node::Role::step) {
    node.step = parent->group->plan->steps[index];
    node.step_index = static_cast<StepIndex>(index);
    parent->group->children[index] = &node;
  } else if (role == Node::Role::item || role == Node::Role::attempt) {
    node.step = parent->step;
    node.step_index = parent->step_index;
  }
  if (role == Node::Role::item) {
    node.item = parent->loop->items[index];
    parent->loop->children[index] = &node;
    parent->loop->members[index] = &node.record;
  }
  if (is_kept(node.record)) return node;

  model::NodeRecord& record = node.record;
  if (parent != nullptr) record.parent = parent->record.names.name;
  if (role != Node::Role::hook) record.step = place.step;
  if (hook != nullptr) record.hook = hook->name;
  if (role == Node::Role::item || role == Node::Role::attempt) record.index = place.index;
  record.definition = place.definition;
  record.kind = kind_of(node);
  record.stage = place.stage;
  begin_again(record);
  if (record.created == Time{}) record.created = parts_.clock();
  return node;
}

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
