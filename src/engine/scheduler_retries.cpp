// Definitions with a retry: each attempt is a node below the one that stands for all of them.
#include <fmt/format.h>

#include "engine/scheduler.hpp"

namespace kist::engine {
namespace {

using model::State;

}  // namespace

Status Scheduler::start_retry(Node& node) {
  node.retry = std::make_unique<RetryProgress>();
  KIST_TRY_ASSIGN(node.retry->rule, read_rule(*node.definition->retry, NodeScope(*scope_, node)));
  node.record.state = State::running;
  if (node.record.started == Time{}) node.record.started = parts_.clock();
  changed(node);
  begin_attempt(node);
  return {};
}

void Scheduler::begin_attempt(Node& node) {
  RetryProgress& progress = *node.retry;
  const Node* before = progress.child;
  const std::size_t known = records_.size();
  Node& attempt = make_node(Node::Role::attempt, &node, static_cast<std::size_t>(progress.attempts));
  ++progress.attempts;
  progress.child = &attempt;
  // Where this one is known from an earlier owner, so is what was measured of the one before.
  if (before != nullptr && records_.size() > known)
    if (auto measured = metrics_.attempt_repeated(*before, *scope_); !measured.empty())
      changed(attempt, std::move(measured));
  if (model::is_final(attempt.record.state)) {  // under an earlier owner
    ended_.push_back(&attempt);
    return;
  }
  attempt.record.input_parameters = node.record.input_parameters;
  attempt.record.input_artifacts = node.record.input_artifacts;
  attempt.record.input_sources = node.record.input_sources;
  attempt.inputs = node.inputs;
  if (progress.attempts > 1 && progress.rule.max_duration) {
    attempt.attempts_end = after(progress.first_started, *progress.rule.max_duration);
    set_limit(attempt, *attempt.attempts_end);
  }
  auto started = watch_waiting(attempt);
  if (started) started = start_body(attempt);
  if (!started) end(attempt, State::error, started.error().text);
}

void Scheduler::attempt_ended(Node& retry, Node& attempt) {
  RetryProgress& progress = *retry.retry;
  const model::NodeRecord& record = attempt.record;
  if (!model::is_final(record.state)) {  // a daemon that is ready
    retry.record.daemoned = true;
    retry.record.address = record.address;
    changed(retry);
    return complete(retry);
  }
  if (progress.attempts == 1)
    progress.first_started = record.first_started == Time{} ? record.started : record.first_started;
  const bool again = has_failed(record.state) && !retry.record.daemoned && may_start(retry);
  if (!again) return end_retry(retry, attempt, is_overdue(retry) ? overdue_message(retry) : record.message);

  progress.last = LastAttempt{.state = record.state,
                              .word = wording_.state(record.state),
                              .message = record.message,
                              .exit_code = record.exit_code,
                              .started = record.started,
                              .finished = record.finished};
  const Time now = parts_.clock();
  auto decided =
      decide(progress.rule, *progress.last, progress.attempts, progress.first_started, now, NodeScope(*scope_, retry));
  if (!decided) {
    copy_outputs(attempt.record, retry.record);
    return end(retry, State::error, decided.error().text);
  }
  if (const auto* no_more = std::get_if<NoMore>(&*decided))
    return end_retry(retry, attempt, no_more->why ? wording_.not_retried(*no_more->why) : record.message);
  const Time when = std::get<Again>(*decided).when;
  if (when <= now) return begin_attempt(retry);
  retry.record.message = wording_.waiting_to_retry(when - now);
  changed(retry);
  parked_.insert(&retry);
  timers_.at(when, [this, &retry] {
    if (parked_.erase(&retry) == 0) return;  // it was ended meanwhile
    retry.record.message.clear();
    changed(retry);
    begin_attempt(retry);
  });
}

void Scheduler::end_retry(Node& retry, const Node& attempt, const std::string& message) {
  copy_outputs(attempt.record, retry.record);
  end(retry, attempt.record.state, attempt.record.state == State::succeeded ? "" : message);
}

}  // namespace kist::engine
