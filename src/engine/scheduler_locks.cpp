// Nodes that need locks go on once they hold them. Whoever waits is asked again as often as requests are looked for.
#include <utility>

#include "engine/scheduler.hpp"

namespace kist::engine {

using model::State;

Result<bool> Scheduler::take_locks(Node& node, const std::vector<model::Lock>& locks, const expression::Scope& scope,
                                   std::string_view holder) {
  KIST_TRY_ASSIGN(auto wishes, wishes_of(locks, scope));
  KIST_TRY_ASSIGN(const LockQueue::Waiting waiting, locks_.take(node, holder, std::move(wishes)));
  if (!waiting) return true;
  parked_.insert(&node);
  tell_of_waiting(node, *waiting);
  return false;
}

void Scheduler::tell_of_waiting(Node& node, const std::string& message) {
  if (node.record.message == message) return;
  node.record.message = message;
  changed(node);
}

void Scheduler::ask_for_locks_again() {
  locks_.ask_again([this](Node& node) { return parked_.contains(&node); },
                   [this](Node& node, std::string_view holder, const Result<LockQueue::Waiting>& waiting) {
                     go_on_with_locks(node, holder, waiting);
                   });
}

void Scheduler::go_on_with_locks(Node& node, std::string_view holder, const Result<LockQueue::Waiting>& waiting) {
  if (waiting && *waiting) return tell_of_waiting(node, **waiting);
  parked_.erase(&node);
  tell_of_waiting(node, "");
  if (!waiting) return end(node, State::error, waiting.error().text);
  if (holder == LockQueue::kWholeRun) return start(node, workflow_.entry);
  if (auto started = start_locked(node); !started) end(node, State::error, started.error().text);
}

}  // namespace kist::engine
