// What is called beside a step or the run: once when an expression first holds, or when that has ended.
//
// A hook's own failure is seen in its node. It fails the run only where it is the run's exit handler and the run itself
// has succeeded.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/scheduler.hpp"
#include "expression/expression.hpp"

namespace kist::engine {
namespace {

using model::State;

constexpr std::string_view kExit = "exit";

// What has run, however it went. What was left out has no end that anybody waits for.
bool has_run(State state) {
  return model::is_final(state) && state != State::skipped && state != State::omitted;
}

}  // namespace

void Scheduler::gather_hooks() {
  run_hooks_ = workflow_.hooks;
  if (workflow_.on_exit) run_hooks_.push_back({.name = std::string(kExit), .call = *workflow_.on_exit});
}

const std::vector<model::Hook>& Scheduler::hooks_of(const Node& node) const {
  static const std::vector<model::Hook> kNone;
  if (node.role == Node::Role::entry) return run_hooks_;
  const bool whole = node.role == Node::Role::item || (node.role == Node::Role::step && !node.step->loop);
  return whole ? node.step->hooks : kNone;
}

void Scheduler::look_at_hooks(Node& node) {
  const auto& hooks = hooks_of(node);
  if (hooks.empty() || broken_) return;
  if (!node.hooks) node.hooks = std::make_unique<HookProgress>();
  node.hooks->fired.resize(hooks.size());
  const State state = node.record.state;
  if (node.role == Node::Role::entry && model::is_final(state)) scope_->set_result(summary());
  if (node.role != Node::Role::entry && !has_run(state) && model::is_final(state)) return;
  for (std::size_t i = 0; i < hooks.size(); ++i) {
    if (node.hooks->fired[i] || (!hooks[i].expression && !model::is_final(state))) continue;
    auto wanted = had_begun(node, hooks[i]) ? Result<bool>(true) : hook_holds(node, hooks[i]);
    const bool is_wanted = !wanted || *wanted;
    // Whether there is one at the end is decided once.
    node.hooks->fired[i] = is_wanted || !hooks[i].expression;
    if (is_wanted) start_hook(node, hooks[i], wanted ? Status() : std::unexpected(wanted.error()));
  }
}

// Under an owner that was lost: what it was called for may be over by now.
bool Scheduler::had_begun(const Node& node, const model::Hook& hook) const {
  if (earlier_.empty()) return false;
  const Node* parent = node.role == Node::Role::entry ? nullptr : &node;
  const model::NodeRecord* found = earlier_record(wording_.names(place_of(Node::Role::hook, parent, 0, &hook)));
  return found != nullptr && (found->state == State::running || found->state == State::stopping);
}

Result<bool> Scheduler::hook_holds(Node& node, const model::Hook& hook) {
  const std::optional<model::Text>& asked = hook.expression ? hook.expression : hook.condition;
  if (!asked) return true;
  // As the hook's own node will see it.
  model::NodeRecord record;
  Node asking(record, Node::Role::hook);
  asking.parent = node.role == Node::Role::entry ? nullptr : &node;
  asking.item = node.item;
  return expression::evaluate_bool(*asked, *caller_scope(asking));
}

void Scheduler::start_hook(Node& node, const model::Hook& hook, const Status& wanted) {
  Node* parent = node.role == Node::Role::entry ? nullptr : &node;
  if (!hook.expression ? stopping_ == task::Stop::abort : !may_start(node)) return;
  Node& made = make_node(Node::Role::hook, parent, 0, &hook);
  ++node.hooks->under_way;
  node.hooks->made.push_back(&made);
  if (parent == nullptr) {
    run_hook_nodes_.push_back(&made);
    if (!hook.expression) exit_node_ = &made;
  }
  if (!wanted)
    end(made, State::error, wanted.error().text);
  else
    start(made, hook.call);
}

void Scheduler::hook_ended(Node& hook) {
  Node& node = hook.parent == nullptr ? *entry_ : *hook.parent;
  --node.hooks->under_way;
  if (node.hooks->ended && node.hooks->under_way == 0) complete(node);
}

void Scheduler::node_ended(Node& node) {
  // A daemon's end, long after its step has gone on.
  if (node.completed && node.role == Node::Role::attempt) return end_retry(*node.parent, node, node.record.message);
  if (!hooks_of(node).empty()) {
    look_at_hooks(node);
    node.hooks->ended = true;
    if (node.hooks->under_way > 0) return;
  }
  complete(node);
}

RunScope::Outcome Scheduler::summary() const {
  RunScope::Outcome outcome;
  outcome.status = wording_.state(entry_->record.state);
  outcome.duration = parts_.clock() - run_.started;
  Json failures = Json::array();
  for (const model::NodeRecord& record : records_)
    if (has_failed(record.state)) failures.push_back(wording_.failure(record));
  outcome.failures = to_text(Json(to_text(failures)));
  return outcome;
}

}  // namespace kist::engine
