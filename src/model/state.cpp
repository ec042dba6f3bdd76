#include "model/state.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace kist::model {
namespace {

struct StateWord {
  State state;
  std::string_view word;
};

constexpr auto kStates = std::to_array<StateWord>({
    {State::pending, "pending"},
    {State::running, "running"},
    {State::stopping, "stopping"},
    {State::succeeded, "succeeded"},
    {State::failed, "failed"},
    {State::error, "error"},
    {State::skipped, "skipped"},
    {State::omitted, "omitted"},
    {State::stopped, "stopped"},
    {State::aborted, "aborted"},
    {State::interrupted, "interrupted"},
});

}  // namespace

std::string_view to_string(State state) {
  return std::ranges::find(kStates, state, &StateWord::state)->word;
}

Result<State> parse_state(std::string_view word) {
  const auto* found = std::ranges::find(kStates, word, &StateWord::word);
  if (found == kStates.end()) return fail(ErrorKind::invalid, fmt::format("'{}' is not a state", word));
  return found->state;
}

bool is_final(State state) {
  switch (state) {
    case State::pending:
    case State::running:
    case State::stopping:
    case State::interrupted:
      return false;
    default:
      return true;
  }
}

bool is_success(State state) {
  return state == State::succeeded || state == State::skipped || state == State::omitted;
}

bool has_failed(State state) {
  return state == State::failed || state == State::error;
}

}  // namespace kist::model
