// The order is Argo's: the longest duration first, then what the policy says of this failure, the number of
// attempts, and last the expression.
#include "engine/retries.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/timers.hpp"
#include "expression/duration.hpp"
#include "expression/expression.hpp"

namespace kist::engine {
namespace {

using std::chrono::nanoseconds;

constexpr nanoseconds kLongestWait = std::chrono::hours(24 * 365);

template <typename Number>
Result<Number> read_number(std::string_view text, std::string_view what) {
  Number number{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  return fail(ErrorKind::invalid, fmt::format("{} of the retry is not a number: '{}'", what, text));
}

Result<std::optional<nanoseconds>> read_duration(const std::optional<model::Text>& text, std::string_view what,
                                                 const expression::Scope& scope) {
  if (!text) return std::nullopt;
  KIST_TRY_ASSIGN(std::string value, expression::evaluate(*text, scope));
  if (value.empty()) return std::nullopt;
  auto duration = expression::parse_duration(value);
  if (!duration) return with_context(fmt::format("{} of the retry", what), duration.error());
  return *duration;
}

// What a network or a busy machine does now and then, by how it is worded.
bool is_transient(std::string_view message) {
  constexpr auto kSigns = std::to_array<std::string_view>({
      "connection refused",
      "Connection refused",
      "connection reset",
      "Connection reset",
      "timed out",
      "timeout",
      "temporarily unavailable",
      "Temporary failure",
      "TLS handshake",
      "no route to host",
      "No route to host",
      "Too many requests",
      "unexpected EOF",
  });
  return std::ranges::any_of(kSigns, [&](std::string_view sign) { return message.contains(sign); });
}

bool policy_allows(const RetryRule& rule, const LastAttempt& last) {
  using Policy = model::Retry::Policy;
  switch (rule.policy) {
    case Policy::always:
      return true;
    case Policy::on_failure:
      return last.state == model::State::failed;
    case Policy::on_error:
      return last.state == model::State::error;
    case Policy::on_transient_error:
      break;
  }
  return is_transient(last.message);
}

nanoseconds wait_after(const RetryRule& rule, int attempts) {
  if (!rule.backoff) return nanoseconds(0);
  double wait = static_cast<double>(rule.backoff->count()) * std::pow(rule.factor, attempts - 1);
  const nanoseconds longest = rule.cap.value_or(kLongestWait);
  if (wait >= static_cast<double>(longest.count())) return std::max(longest, nanoseconds(0));
  return nanoseconds(static_cast<std::int64_t>(std::max(0.0, wait)));
}

class RetryScope : public expression::Scope {
 public:
  RetryScope(const expression::Scope& outer, const LastAttempt& last, int attempts)
      : outer_(outer), last_(last), attempts_(attempts) {}
  Result<std::optional<std::string>> find(std::string_view name) const override {
    if (auto found = find_in_retry(name, last_, attempts_ - 1)) return found;
    return outer_.find(name);
  }
  Result<std::optional<Json>> value(std::string_view name) const override {
    if (find_in_retry(name, last_, attempts_ - 1)) return Scope::value(name);
    return outer_.value(name);
  }
  std::vector<std::string> names(std::string_view prefix) const override {
    if (prefix == "lastRetry")
      return {"lastRetry.exitCode", "lastRetry.status", "lastRetry.duration", "lastRetry.message"};
    return outer_.names(prefix);
  }
  const expression::Surroundings* surroundings() const override { return outer_.surroundings(); }

 private:
  const expression::Scope& outer_;
  const std::optional<LastAttempt> last_;
  const int attempts_;
};

}  // namespace

Result<RetryRule> read_rule(const model::Retry& retry, const expression::Scope& scope) {
  RetryRule rule;
  rule.policy = retry.policy;
  rule.expression = retry.expression;
  if (retry.limit) {
    KIST_TRY_ASSIGN(std::string text, expression::evaluate(*retry.limit, scope));
    KIST_TRY_ASSIGN(rule.limit, read_number<std::int64_t>(text, "the limit"));
  }
  KIST_TRY_ASSIGN(rule.backoff, read_duration(retry.backoff, "the backoff", scope));
  KIST_TRY_ASSIGN(rule.cap, read_duration(retry.cap, "the cap", scope));
  KIST_TRY_ASSIGN(rule.max_duration, read_duration(retry.max_duration, "the longest duration", scope));
  if (retry.factor) {
    KIST_TRY_ASSIGN(std::string text, expression::evaluate(*retry.factor, scope));
    KIST_TRY_ASSIGN(rule.factor, read_number<double>(text, "the factor"));
    if (rule.factor <= 0) rule.factor = 1;
  }
  return rule;
}

std::optional<std::string> find_in_retry(std::string_view name, const std::optional<LastAttempt>& last, int retries) {
  if (name == "retries") return fmt::format("{}", retries);
  if (name == "lastRetry.exitCode") return fmt::format("{}", last ? last->exit_code.value_or(-1) : 0);
  if (name == "lastRetry.status") return last ? last->word : "";
  if (name == "lastRetry.message") return last ? last->message : "";
  if (name == "lastRetry.duration") {
    if (!last) return "0";
    return fmt::format("{:.0f}", std::chrono::duration<double>(last->finished - last->started).count());
  }
  return std::nullopt;
}

Result<std::variant<NoMore, Again>> decide(const RetryRule& rule, const LastAttempt& last, int attempts,
                                           Time first_started, Time now, const expression::Scope& scope) {
  const Time until = rule.max_duration ? after(first_started, *rule.max_duration) : Time::max();
  if (now > until) return NoMore{model::RetryEnd::duration};
  if (!policy_allows(rule, last)) return NoMore{};
  if (rule.limit && attempts > *rule.limit) return NoMore{model::RetryEnd::limit};
  if (rule.expression) {
    KIST_TRY_ASSIGN(bool holds, expression::evaluate_bool(*rule.expression, RetryScope(scope, last, attempts)));
    if (!holds) return NoMore{model::RetryEnd::expression};
  }
  const Time when = after(last.finished, wait_after(rule, attempts));
  if (when > until) return NoMore{model::RetryEnd::backoff};
  return Again{when};
}

}  // namespace kist::engine
