#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "dialect/argo/check.hpp"
#include "dialect/argo/names.hpp"
#include "dialect/argo/texts.hpp"

namespace kist::dialect::argo {
namespace {

constexpr std::size_t kWorkflowNameLimit = 63;
constexpr std::size_t kNameLimit = 128;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// [a-zA-Z0-9][-a-zA-Z0-9]*
bool is_step_name(std::string_view name) {
  return is_letter_or_digit(name.front()) &&
         std::ranges::all_of(name, [](char c) { return is_letter_or_digit(c) || c == '-'; });
}

bool is_parameter_name(std::string_view name) {
  return std::ranges::all_of(name, [](char c) { return is_letter_or_digit(c) || c == '-' || c == '_'; });
}

bool is_artifact_name(std::string_view name) {
  return std::ranges::all_of(name,
                             [](char c) { return is_letter_or_digit(c) || std::string_view("-_{}.").contains(c); });
}

// When the names of a list must be known.
enum class Known { now, when_used };

// The names of one list: each there, well formed, and once.
class NameList {
 public:
  NameList(Report& report, std::string where, bool (*well_formed)(std::string_view), std::string_view rule,
           Known known = Known::now)
      : report_(report), where_(std::move(where)), well_formed_(well_formed), rule_(rule), known_(known) {}

  void add(const Scalar& name) {
    const std::size_t index = count_++;
    if (name.text.empty()) {
      report_.error(name.mark, fmt::format("{}[{}].name is required", where_, index));
    } else if (const std::string form = known_ == Known::when_used ? skeleton(name.text) : name.text;
               is_late(form) || !well_formed_(form)) {
      report_.error(name.mark, fmt::format("{}[{}].name: '{}' is invalid: {}", where_, index, name.text, rule_));
    } else if (name.text.size() > kNameLimit) {
      report_.error(name.mark, fmt::format("{}[{}].name: '{}' must be no more than {} characters", where_, index,
                                           name.text, kNameLimit));
    } else if (!seen_.insert(name.text).second) {
      report_.error(name.mark, fmt::format("{}[{}].name '{}' is not unique", where_, index, name.text));
    }
  }

 private:
  Report& report_;
  std::string where_;
  bool (*well_formed_)(std::string_view);
  std::string_view rule_;
  Known known_;
  std::size_t count_ = 0;
  std::set<std::string, std::less<>> seen_;
};

constexpr std::string_view kStepRule = "letters, digits and '-', the first a letter or a digit";

void check_exchange(const Exchange& exchange, const std::string& where, Report& report, Known known = Known::now) {
  NameList parameters(report, where + ".parameters", is_parameter_name, "letters, digits, '-' and '_'", known);
  for (const Parameter& parameter : exchange.parameters) parameters.add(parameter.name);
  NameList artifacts(report, where + ".artifacts", is_artifact_name, "letters, digits, '-', '_' and '.'", known);
  for (const Artifact& artifact : exchange.artifacts) artifacts.add(artifact.name);
}

void check_step_names(const Template& group, Report& report) {
  // Steps of all stages share one set of names: they are referred to without their stage.
  std::set<std::string, std::less<>> seen;
  for (std::size_t stage = 0; stage < group.stages.size(); ++stage) {
    const std::string where = fmt::format("{}.steps[{}]", where_of(group), stage);
    for (const StepSpec& step : group.stages[stage]) {
      if (step.name.text.empty())
        report.error(step.name.mark, where + ".name is required");
      else if (!is_step_name(skeleton(step.name.text)) || step.name.text.size() > kNameLimit)
        report.error(step.name.mark, fmt::format("{}.name: '{}' is invalid: {}", where, step.name.text, kStepRule));
      else if (!seen.insert(step.name.text).second)
        report.error(step.name.mark, fmt::format("{}.name '{}' is not unique", where, step.name.text));
    }
  }
  NameList tasks(report, where_of(group) + ".tasks", is_step_name, kStepRule);
  for (const StepSpec& task : group.tasks) tasks.add(task.name);
  for_each_step(group, [&](const StepSpec& step, const std::string& where) {
    check_exchange(step.arguments, where + ".arguments", report, Known::when_used);
  });
}

// Kubernetes' names: lower-case letters, digits, '-' and '.', the first a letter or a digit.
bool is_object_name(std::string_view name) {
  return is_letter_or_digit(name.front()) && std::ranges::all_of(name, [](char c) {
           return (is_letter_or_digit(c) && !(c >= 'A' && c <= 'Z')) || c == '-' || c == '.';
         });
}

constexpr std::size_t kCronNameLimit = 52;

void check_workflow_name(const Spec& spec, std::string_view kind, Report& report) {
  const std::size_t limit = spec.kind == Spec::Kind::cron ? kCronNameLimit : kWorkflowNameLimit;
  if (spec.name && spec.name->text.size() > limit)
    report.error(spec.name->mark, fmt::format("{} name \"{}\" must not be more than {} characters long (currently {})",
                                              kind, spec.name->text, limit, spec.name->text.size()));
  for (const auto* name : {&spec.name, &spec.generate_name})
    if (*name && !(*name)->text.empty() && !is_object_name((*name)->text))
      report.warning((*name)->mark,
                     fmt::format("'{}' is no name for Kubernetes (lower-case letters, digits, '-' and '.'): runs are "
                                 "named '{}'",
                                 (*name)->text, object_name((*name)->text)));
}

}  // namespace

void check_names(const Spec& spec, std::string_view kind, Report& report) {
  check_workflow_name(spec, kind, report);
  check_exchange(spec.arguments, "spec.arguments", report);
  NameList templates(report, "templates", is_step_name, kStepRule);
  for (const Template& each : spec.templates) {
    report.enter(each.key);
    // Templates of other documents are named there; inline ones have no name.
    if (each.scope.empty() && !(each.name.text.empty() && !each.key.starts_with('#'))) templates.add(each.name);
    const std::string where = where_of(each);
    check_exchange(each.inputs, where + ".inputs", report);
    check_exchange(each.outputs, where + ".outputs", report, Known::when_used);
    check_step_names(each, report);
  }
  report.enter("");
}

}  // namespace kist::dialect::argo
