// What ends a node from outside: its time is over, or what it is part of was stopped.
#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "engine/scheduler.hpp"
#include "expression/duration.hpp"

namespace kist::engine {
namespace {

using model::State;
using std::chrono::nanoseconds;

Result<nanoseconds> read_limit(const model::Text& text, std::string_view what, const expression::Scope& scope) {
  KIST_TRY_ASSIGN(std::string value, expression::evaluate(text, scope));
  auto limit = expression::parse_duration(value);
  if (!limit) return with_context(what, limit.error());
  return *limit;
}

// A hook goes on beside what it belongs to, and ends with what that is part of.
const Node* above(const Node& node) {
  if (node.role != Node::Role::hook) return node.parent;
  return node.parent == nullptr ? nullptr : node.parent->parent;
}

// The node and all that is below it.
template <typename Visit>
void for_each_below(Node& top, Visit visit) {
  std::vector<Node*> open = {&top};
  auto add = [&](Node* child) {
    if (child == nullptr) return;
    open.push_back(child);
    if (child->hooks) open.insert(open.end(), child->hooks->made.begin(), child->hooks->made.end());
  };
  while (!open.empty()) {
    Node& node = *open.back();
    open.pop_back();
    visit(node);
    if (node.group) std::ranges::for_each(node.group->children, add);
    if (node.loop) std::ranges::for_each(node.loop->children, add);
    if (node.retry) add(node.retry->child);
  }
}

}  // namespace

Status Scheduler::watch_timeout(Node& node) {
  if (!node.definition->timeout) return {};
  KIST_TRY_ASSIGN(nanoseconds limit, read_limit(*node.definition->timeout, "the timeout", NodeScope(*scope_, node)));
  set_limit(node, after(node.record.created, limit));
  return {};
}

Status Scheduler::watch_waiting(Node& node) {
  if (!node.definition->pending_timeout) return {};
  KIST_TRY_ASSIGN(nanoseconds limit,
                  read_limit(*node.definition->pending_timeout, "the pending timeout", NodeScope(*scope_, node)));
  const bool repeated = node.record.first_started != Time{};  // it had begun, under an owner that was lost
  timers_.at(after(repeated ? parts_.clock() : node.record.created, limit), [this, &node] {
    if (node.record.state != State::pending) return;
    node.too_late = true;
    time_is_over(node);
  });
  return {};
}

Status Scheduler::read_deadline(Node& node) {
  if (!node.definition->deadline) return {};
  KIST_TRY_ASSIGN(node.deadline, read_limit(*node.definition->deadline, "the deadline", NodeScope(*scope_, node)));
  return {};
}

void Scheduler::watch_deadline(Node& node) {
  if (!node.deadline) return;
  const bool repeated = node.record.first_started != Time{};  // since its owner was lost: its time has gone on
  set_limit(node, after(repeated ? node.record.first_started : node.record.started, *node.deadline));
}

Status Scheduler::watch_run() {
  if (workflow_.parallelism) {
    KIST_TRY_ASSIGN(std::size_t most, read_parallelism(*workflow_.parallelism, *scope_));
    most_with_place_ = std::min(most_with_place_, most);
  }
  if (!workflow_.deadline) return {};
  KIST_TRY_ASSIGN(nanoseconds limit, read_limit(*workflow_.deadline, "the workflow's deadline", *scope_));
  scope_->set_deadline(after(run_.started, limit));
  set_limit(*entry_, *scope_->deadline());
  return {};
}

Result<std::size_t> Scheduler::read_parallelism(const model::Text& text, const expression::Scope& scope) {
  KIST_TRY_ASSIGN(std::string value, expression::evaluate(text, scope));
  std::size_t most = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), most);
  if (error == std::errc() && end == value.data() + value.size() && most > 0) return most;
  return fail(ErrorKind::invalid, fmt::format("parallelism is not a number above 0: '{}'", value));
}

void Scheduler::set_limit(Node& node, Time when) {
  timers_.at(when, [this, &node] { time_is_over(node); });
}

void Scheduler::time_is_over(Node& node) {
  if (model::is_final(node.record.state) || node.overdue) return;
  node.overdue = true;
  halt(node, task::Stop::graceful);
}

// Only what is below is looked at: of a run of many tasks, each with a limit of its own, all of it would be looked at
// again for each that ends so.
void Scheduler::halt(Node& top, task::Stop how) {
  for_each_below(top, [&](Node& node) {
    if (node.at_exit && !top.at_exit && how != task::Stop::abort && !is_overdue(node)) return;
    if (with_place_.contains(&node)) stop_task(node, how);
    if (parked_.contains(&node)) end_halted(node);
    if (!node.group) return;
    // What waits for room finds that it is not to start.
    for (const Wanted& held : std::exchange(node.group->held, {})) wanted_.push_back(held);
  });
}

void Scheduler::stop_task(Node& node, task::Stop how) {
  if (node.record.state == State::running && !node.released) {
    node.record.state = State::stopping;
    changed(node);
  }
  place_.stop(run_.name, node.record.names.name, how);
}

// Of a node that waits, or whose children did not all run.
void Scheduler::end_halted(Node& node) {
  if (is_overdue(node)) return end(node, State::failed, overdue_message(node));
  const bool aborted = stopping_ == task::Stop::abort;
  end(node, aborted ? State::aborted : State::stopped, wording_.stopped(aborted));
}

bool Scheduler::is_overdue(const Node& node) const {
  for (const Node* one = &node; one != nullptr; one = above(*one))
    if (one->overdue) return true;
  return false;
}

std::string Scheduler::overdue_message(const Node& node) const {
  return node.too_late ? wording_.too_late() : wording_.overdue();
}

bool Scheduler::may_start(const Node& below) const {
  if (is_stopping() && (stopping_ == task::Stop::abort || !below.at_exit)) return false;
  return !is_overdue(below);
}

}  // namespace kist::engine
