#include "engine/locks.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include <fmt/format.h>

namespace kist::engine {

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

Result<LockQueue::Waiting> LockQueue::take(Node& node, std::string_view holder, std::vector<catalog::LockWish> wishes) {
  if (wishes.empty()) return std::nullopt;
  used_ = true;
  Place place{.node = &node, .holder = std::string(holder), .wishes = std::move(wishes)};
  KIST_TRY_ASSIGN(Waiting waiting, ask(place));
  if (waiting) line_.push_back(std::move(place));
  return waiting;
}

// Of those of one run that want a lock, the first one asks for it: thousands that asked again and again, each with a
// look at the whole line, would do nothing else.
Result<LockQueue::Waiting> LockQueue::ask(Place& place) {
  for (const catalog::LockWish& wish : place.wishes)
    if (auto blocked = blocked_.find(wish.name); blocked != blocked_.end()) return blocked->second;
  auto is_lost = [&](std::string_view run) { return run != run_.name && !is_owned(parts_.home, run); };
  place.asked = true;
  auto answer = parts_.catalog.acquire(
      {.run = run_.name, .node = place.holder, .priority = priority_, .created = run_.created}, place.wishes, is_lost);
  if (!answer && answer.error().kind == ErrorKind::unavailable) return place.node->record.message;
  if (!answer) return std::unexpected(answer.error());
  if (answer->held) {
    holding_.insert(place.holder);
    return std::nullopt;
  }
  std::string message = wording_.waiting_for_lock(answer->blocking, answer->free, answer->limit);
  for (const catalog::LockWish& wish : place.wishes) blocked_.insert_or_assign(wish.name, message);
  return message;
}

void LockQueue::ask_again(const std::function<bool(Node&)>& waits,
                          const std::function<void(Node&, std::string_view holder, const Result<Waiting>&)>& answered) {
  blocked_.clear();
  std::vector<Place> still;
  for (Place& place : std::exchange(line_, {})) {
    if (!waits(*place.node)) {
      if (place.asked) release(place.holder);
      continue;
    }
    const auto waiting = ask(place);
    answered(*place.node, place.holder, waiting);
    if (waiting && *waiting) still.push_back(std::move(place));
  }
  std::ranges::move(still, std::back_inserter(line_));
}

void LockQueue::give_back(const Node& node) {
  if (holding_.contains(node.record.names.name)) release(node.record.names.name);
}

void LockQueue::give_back_all() {
  if (used_) release("");
}

void LockQueue::release(const std::string& holder) {
  holding_.erase(holder);
  freed_ = true;
  (void)parts_.catalog.release(run_.name, holder);
}

}  // namespace kist::engine
