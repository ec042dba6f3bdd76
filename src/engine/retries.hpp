// Whether a failed attempt is followed by another one, and when.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/result.hpp"
#include "base/time.hpp"
#include "expression/text.hpp"
#include "model/dialect.hpp"
#include "model/record.hpp"
#include "model/workflow.hpp"

namespace kist::engine {

// A retry whose texts are filled and read.
struct RetryRule {
  model::Retry::Policy policy = model::Retry::Policy::on_failure;
  std::optional<std::int64_t> limit;  // further attempts
  std::optional<std::chrono::nanoseconds> backoff;
  double factor = 1;
  std::optional<std::chrono::nanoseconds> cap;
  std::optional<std::chrono::nanoseconds> max_duration;
  std::optional<model::Text> expression;
};

// Errors: the scope's; invalid for what is no number or no duration.
Result<RetryRule> read_rule(const model::Retry& retry, const expression::Scope& scope);

// An attempt that has ended.
struct LastAttempt {
  model::State state = model::State::failed;
  std::string word;  // the state in the dialect's words
  std::string message;
  std::optional<int> exit_code;
  Time started;
  Time finished;
};

// "lastRetry.exitCode", ".status", ".duration" (seconds), ".message", and "retries": how many attempts came before.
// Also for the first attempt, with nothing behind it. nullopt: another name.
std::optional<std::string> find_in_retry(std::string_view name, const std::optional<LastAttempt>& last, int retries);

// There is no further attempt. Nullopt: this failure is none that is tried again; its message says all.
struct NoMore {
  std::optional<model::RetryEnd> why = std::nullopt;
};
struct Again {
  Time when;
};

// `attempts`: how many there were, the first of which began at `first_started`. Errors: those of the expression.
Result<std::variant<NoMore, Again>> decide(const RetryRule& rule, const LastAttempt& last, int attempts,
                                           Time first_started, Time now, const expression::Scope& scope);

}  // namespace kist::engine
