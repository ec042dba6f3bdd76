// In Argo's order: what stops it for good, its condition, and what is under way.
#include "engine/recurrence.hpp"

#include <chrono>
#include <map>
#include <span>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "expression/condition.hpp"
#include "expression/expression.hpp"
#include "expression/moment.hpp"

namespace kist::engine {
namespace {

using model::Recurrence;

constexpr std::string_view kPrefix = "cronworkflow.";
constexpr std::chrono::seconds kBeginning(30);  // from a run's row to its owner, at most

// "cronworkflow.…": what the file says of itself, and what has become of its runs.
class RecurrenceScope : public expression::Scope {
 public:
  RecurrenceScope(const Parts& parts, const model::Workflow& workflow, const catalog::EarlierRuns& earlier) {
    surroundings_ = {.now = parts.clock, .random = [random = parts.random](std::span<std::byte> bytes) {
                       for (std::byte& one : bytes) one = static_cast<std::byte>(random(256));
                     }};
    for (const auto& [name, value] : workflow.variables)
      if (name.starts_with(kPrefix)) values_[name] = value;
    values_["cronworkflow.succeeded"] = earlier.succeeded;
    values_["cronworkflow.failed"] = earlier.failed;
    values_["cronworkflow.lastScheduledTime"] = earlier.last ? expression::moment_value(*earlier.last) : Json();
  }

  Result<std::optional<std::string>> find(std::string_view name) const override {
    const auto found = values_.find(name);
    if (found == values_.end()) return std::nullopt;
    if (const auto moment = expression::moment_of(found->second)) return to_rfc3339(*moment);
    if (found->second.is_null()) return std::string("<nil>");  // as Go prints it
    return found->second.is_string() ? found->second.get<std::string>() : to_text(found->second);
  }
  Result<std::optional<Json>> value(std::string_view name) const override {
    const auto found = values_.find(name);
    return found == values_.end() ? std::optional<Json>() : std::optional(found->second);
  }
  std::vector<std::string> names(std::string_view prefix) const override {
    std::vector<std::string> all;
    for (const auto& [name, value] : values_)
      if (prefix.empty() || (name.starts_with(prefix) && name.size() > prefix.size() && name[prefix.size()] == '.'))
        all.push_back(name);
    return all;
  }
  const expression::Surroundings* surroundings() const override { return &surroundings_; }

 private:
  std::map<std::string, Json, std::less<>> values_;
  expression::Surroundings surroundings_;
};

Result<bool> is_stopped(const Recurrence& recurrence, const expression::Scope& scope) {
  if (!recurrence.stop) return false;
  KIST_TRY_ASSIGN(const auto parsed, expression::Expression::parse(*recurrence.stop));
  return expression::evaluate_bool(parsed, scope);
}

bool is_under_way(const Parts& parts, const std::string& run) {
  if (is_owned(parts.home, run)) return true;
  const auto summary = parts.catalog.summary(run);
  return summary && summary->state == model::State::pending && parts.clock() - summary->created < kBeginning;
}

// Why a run of the workflow is not to begin now.
Result<std::optional<std::string>> why_not_now(const Recurrence& recurrence, const std::string& name,
                                               const catalog::EarlierRuns& earlier, const expression::Scope& scope) {
  auto stopped = is_stopped(recurrence, scope);
  if (!stopped) return with_context("stopStrategy.expression", stopped.error());
  if (*stopped)
    return fmt::format("'{}' is not run any more: `{}` holds ({} of its runs succeeded, {} failed)", name,
                       *recurrence.stop, earlier.succeeded, earlier.failed);
  if (recurrence.condition) {
    auto holds = [&]() -> Result<bool> {
      KIST_TRY_ASSIGN(const std::string condition, expression::evaluate(*recurrence.condition, scope));
      return expression::evaluate_condition(condition);
    }();
    if (!holds) return with_context(fmt::format("`when` of '{}'", name), holds.error());
    if (!*holds)
      return fmt::format("'{}' is not run now: when '{}' evaluated false", name, recurrence.condition->source());
  }
  if (recurrence.overlap != Recurrence::Overlap::forbid || earlier.under_way.empty()) return std::nullopt;
  return fmt::format("'{}' is not run now: its run {} goes on, and there is to be one at a time", name,
                     earlier.under_way.front());
}

}  // namespace

Result<Turn> take_turn(const Parts& parts, const std::string& project, const model::Workflow& workflow) {
  KIST_TRY_ASSIGN(auto lock, FileLock::lock(parts.home.path() / "recurrence.lock", FileLock::Kind::exclusive));
  KIST_TRY_ASSIGN(auto earlier, parts.catalog.earlier_runs(project, workflow.name));
  std::erase_if(earlier.under_way, [&](const std::string& run) { return !is_under_way(parts, run); });
  const RecurrenceScope scope(parts, workflow, earlier);
  KIST_TRY_ASSIGN(auto why_not, why_not_now(*workflow.recurrence, workflow.name, earlier, scope));
  Turn turn{.lock = std::move(lock), .why_not = std::move(why_not), .replaced = {}};
  if (workflow.recurrence->overlap == Recurrence::Overlap::replace) turn.replaced = std::move(earlier.under_way);
  return turn;
}

Status end_replaced(const Parts& parts, const std::vector<std::string>& runs,
                    const std::function<void(const model::Notice&)>& notice) {
  for (const std::string& run : runs) {
    const auto asked = parts.catalog.add_request(run, {.kind = catalog::Request::Kind::abort});
    if (!asked && asked.error().kind == ErrorKind::not_found) continue;  // it has ended and was removed
    KIST_TRY(asked);
    notice({.level = model::Notice::Level::information,
            .origin = {},
            .text = fmt::format("{} is aborted: this run replaces it", run)});
  }
  return {};
}

}  // namespace kist::engine
