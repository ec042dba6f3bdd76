// Locks that runs share. Whoever waits for one is asked again as often as requests are looked for.
#include <charconv>

#include <fmt/format.h>

#include "engine/scheduler.hpp"

namespace kist::engine {
namespace {

using model::State;

Result<std::vector<catalog::LockWish>> wishes_of(const std::vector<model::Lock>& locks,
                                                 const expression::Scope& scope) {
  std::vector<catalog::LockWish> wishes;
  for (const model::Lock& lock : locks) {
    catalog::LockWish& wish = wishes.emplace_back();
    KIST_TRY_ASSIGN(wish.name, expression::evaluate(lock.name, scope));
    if (!lock.limit) continue;
    KIST_TRY_ASSIGN(std::string text, expression::evaluate(*lock.limit, scope));
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), wish.limit);
    if (error != std::errc() || end != text.data() + text.size())
      return fail(ErrorKind::invalid, fmt::format("the limit of {} is not a number: '{}'", wish.name, text));
  }
  return wishes;
}

}  // namespace

// Of the run: the entry holds them, until its handlers have ended too.
Result<bool> Scheduler::take_locks(Node& node, const std::vector<model::Lock>& locks, bool of_run) {
  if (locks.empty()) return true;
  locks_used_ = true;
  LockWait wait;
  wait.of_run = of_run;
  wait.holder = of_run ? "/" : node.record.names.name;  // the run and its entry are two
  if (of_run) {
    KIST_TRY_ASSIGN(wait.wishes, wishes_of(locks, *scope_));
  } else {
    KIST_TRY_ASSIGN(wait.wishes, wishes_of(locks, NodeScope(*scope_, node)));
  }
  const bool is_behind = waits_behind(node, wait);
  if (!is_behind) {
    KIST_TRY_ASSIGN(bool held, ask_for_locks(node, wait));
    if (held) return true;
  }
  parked_.insert(&node);
  waiting_for_locks_.emplace_back(&node, std::move(wait));
  return false;
}

// Of those of one run that want a lock, the first one asks for it: thousands that asked again and again, each with a
// look at the whole line, would do nothing else.
bool Scheduler::waits_behind(Node& node, const LockWait& wait) {
  for (const catalog::LockWish& wish : wait.wishes) {
    auto blocked = blocked_.find(wish.name);
    if (blocked == blocked_.end()) continue;
    tell_of_waiting(node, blocked->second);
    return true;
  }
  return false;
}

void Scheduler::tell_of_waiting(Node& node, const std::string& message) {
  if (node.record.message == message) return;
  node.record.message = message;
  changed(node);
}

Result<bool> Scheduler::ask_for_locks(Node& node, LockWait& wait) {
  auto is_lost = [&](std::string_view run) { return run != run_.name && !is_owned(parts_.home, run); };
  wait.asked = true;
  auto answer = parts_.catalog.acquire(run_.name, wait.holder, wait.wishes, is_lost);
  // A catalog that is busy is asked again.
  if (!answer && answer.error().kind == ErrorKind::unavailable) return false;
  if (!answer) return std::unexpected(answer.error());
  if (answer->held) {
    holding_.insert(wait.holder);
    return true;
  }
  const std::string message = wording_.waiting_for_lock(answer->blocking, answer->free, answer->limit);
  tell_of_waiting(node, message);
  for (const catalog::LockWish& wish : wait.wishes) blocked_.insert_or_assign(wish.name, message);
  return false;
}

void Scheduler::ask_for_locks_again() {
  blocked_.clear();
  std::vector<std::pair<Node*, LockWait>> still;
  for (auto& [node, wait] : std::exchange(waiting_for_locks_, {})) {
    if (!parked_.contains(node)) {  // it was ended meanwhile
      if (wait.asked) give_back_locks(wait.holder);
      continue;
    }
    const bool is_behind = waits_behind(*node, wait);
    auto held = is_behind ? Result<bool>(false) : ask_for_locks(*node, wait);
    if (held && !*held) {
      still.emplace_back(node, std::move(wait));
      continue;
    }
    parked_.erase(node);
    node->record.message.clear();
    changed(*node);
    if (!held)
      end(*node, State::error, held.error().text);
    else if (wait.of_run)
      start(*node, workflow_.entry);
    else if (auto started = start_locked(*node); !started)
      end(*node, State::error, started.error().text);
  }
  std::ranges::move(still, std::back_inserter(waiting_for_locks_));
}

void Scheduler::release_locks(const Node& node) {
  if (holding_.contains(node.record.names.name)) give_back_locks(node.record.names.name);
}

void Scheduler::give_back_locks(const std::string& holder) {
  holding_.erase(holder);
  lock_is_free_ = true;
  // Should it not be written, the lock is free when this run has ended.
  (void)parts_.catalog.release(run_.name, holder);
}

}  // namespace kist::engine
