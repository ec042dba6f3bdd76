// What surrounds the work. Pod collection and resources of pods do nothing on one machine, but a mistake in them is one
// on a cluster too, and said.
#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>

#include <fmt/format.h>

#include "base/cron.hpp"
#include "dialect/argo/check.hpp"
#include "dialect/argo/documents.hpp"
#include "dialect/argo/fields.hpp"
#include "dialect/argo/lower.hpp"
#include "dialect/argo/resources.hpp"
#include "dialect/argo/texts.hpp"
#include "expression/expression.hpp"

namespace kist::dialect::argo {
namespace {

bool is_word(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
}

void check_metric(const yaml::Node& metric, const std::string& where, Report& report) {
  Fields fields(report, metric, kMetric, where + ".metrics");
  for (const auto& [key, table] : {std::pair("gauge", &kGauge), {"counter", &kCounter}, {"histogram", &kHistogram}})
    if (const yaml::Node* value = fields.mapping(key)) Fields(report, *value, *table, where + ".metrics." + key);
  const std::string name(text_at(metric, {"name"}));
  if (!is_word(skeleton(name))) {
    report.error(metric.mark, fmt::format("{} metric name '{}' is invalid. Metric names must contain alphanumeric "
                                          "characters or '_'",
                                          where, name));
    return;
  }
  if (text_at(metric, {"help"}).empty())
    report.error(metric.mark,
                 fmt::format("{} metric '{}' must contain a help string under 'help: ' field", where, name));
  if (const yaml::Node* labels = metric.find("labels"); labels != nullptr && labels->is_sequence())
    for (const yaml::Node& label : labels->items)
      if (!is_word(text_at(label, {"key"})))
        report.error(label.mark,
                     fmt::format("{} metric '{}' error: metric label '{}' is invalid: keys may only contain "
                                 "alphanumeric characters or '_'",
                                 where, name, text_at(label, {"key"})));
  if (const yaml::Node* gauge = metric.find("gauge"); gauge != nullptr && gauge->is_mapping()) {
    const std::string_view value = text_at(*gauge, {"value"});
    if (value.empty()) report.error(gauge->mark, fmt::format("{} metric '{}' error: missing gauge.value", where, name));
    if (text_at(*gauge, {"realtime"}) == "true" && value.contains("resourcesDuration."))
      report.error(gauge->mark, fmt::format("{} metric '{}' error: 'resourcesDuration.*' metrics cannot be used in "
                                            "real-time",
                                            where, name));
  }
  if (const yaml::Node* histogram = metric.find("histogram"); histogram != nullptr && histogram->is_mapping())
    if (const yaml::Node* buckets = histogram->find("buckets"); buckets != nullptr && buckets->is_sequence())
      for (const yaml::Node& bucket : buckets->items)
        if (!bucket_bound(bucket.text))
          report.error(bucket.mark,
                       fmt::format("{} metric '{}' error: a bucket is a number, not '{}'", where, name, bucket.text));
  for (const std::string_view kind : {"counter", "histogram"})
    if (const yaml::Node* each = metric.find(kind); each != nullptr && text_at(*each, {"value"}).empty())
      report.error(each->mark, fmt::format("{} metric '{}' error: missing {}.value", where, name, kind));
}

void check_metrics(const yaml::Node& metrics, const std::string& where, Report& report) {
  const yaml::Node* all = metrics.is_mapping() ? metrics.find("prometheus") : nullptr;
  if (all == nullptr || !all->is_sequence()) return;
  for (const yaml::Node& metric : all->items)
    if (metric.is_mapping()) check_metric(metric, where, report);
}

void check_pod_collection(const yaml::Node& node, Report& report) {
  if (!node.is_mapping()) return;
  constexpr auto kStrategies = std::to_array<std::string_view>(
      {"", "OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess"});
  const std::string_view strategy = text_at(node, {"strategy"});
  if (std::ranges::count(kStrategies, strategy) == 0)
    report.error(node.mark, fmt::format("podGC.strategy unknown strategy '{}'", strategy));
  const yaml::Node* selector = node.find("labelSelector");
  const yaml::Node* rules =
      selector != nullptr && selector->is_mapping() ? selector->find("matchExpressions") : nullptr;
  if (rules == nullptr || !rules->is_sequence()) return;
  constexpr auto kOperators = std::to_array<std::string_view>({"In", "NotIn", "Exists", "DoesNotExist"});
  for (const yaml::Node& rule : rules->items)
    if (std::ranges::count(kOperators, text_at(rule, {"operator"})) == 0)
      report.error(rule.mark, fmt::format("podGC.labelSelector invalid: \"{}\" is not a valid label selector operator",
                                          text_at(rule, {"operator"})));
}

void check_pod_resources(const yaml::Node& node, const std::string& where, Report& report) {
  if (!node.is_mapping()) return;
  for (const std::string_view part : {"requests", "limits"}) {
    const yaml::Node* amounts = node.find(part);
    if (amounts == nullptr || !amounts->is_mapping()) continue;
    for (const auto& [name, value] : amounts->entries)
      if (name.text != "cpu" && name.text != "memory" && !name.text.starts_with("hugepages-"))
        report.error(name.mark, fmt::format("{}: \"{}\" is not a valid pod-level resource", where, name.text));
  }
  if (node.find("claims") != nullptr) report.error(node.mark, where + ".claims is not supported");
}

std::string_view kind_text(Template::Kind kind) {
  switch (kind) {
    case Template::Kind::http:
      return "HTTP templates";
    case Template::Kind::steps:
      return "Steps templates, which do not create a pod";
    case Template::Kind::dag:
      return "DAG templates, which do not create a pod";
    case Template::Kind::suspend:
      return "Suspend templates, which do not create a pod";
    case Template::Kind::plugin:
      return "Plugin templates";
    default:
      return "";
  }
}

// A number of seconds, or a text that is one once its references are filled.
void check_deadline(const std::optional<Scalar>& deadline, const std::string& where, Report& report) {
  if (!deadline || deadline->text.contains("{{")) return;
  const bool digits = !deadline->text.empty() &&
                      std::ranges::all_of(deadline->text, [](unsigned char c) { return std::isdigit(c) != 0; });
  if (!digits || deadline->text.find_first_not_of('0') == std::string::npos)
    report.error(deadline->mark, fmt::format("{}.activeDeadlineSeconds must be a positive integer > 0", where));
}

void check_timeouts(const Template& each, const std::string& where, Report& report) {
  for (const auto& [key, limit] : {std::pair("timeout", &each.timeout), {"pendingTimeout", &each.pending_timeout}})
    if (is_group(each.kind) && *limit)
      report.error((*limit)->mark, fmt::format("{}: {} template doesn't support {} field", where,
                                               each.kind == Template::Kind::dag ? "DAG" : "Steps", key));
  if (each.timeout && std::ranges::all_of(each.timeout->text, [](unsigned char c) { return std::isdigit(c) != 0; }))
    report.error(each.timeout->mark,
                 fmt::format("{} has invalid duration format in timeout: expected such as 30s or 1h30m, not '{}'",
                             where, each.timeout->text));
}

void check_retry(const std::optional<RetrySpec>& retry, const std::string& where, Report& report) {
  if (!retry) return;
  constexpr auto kPolicies =
      std::to_array<std::string_view>({"", "Always", "OnFailure", "OnError", "OnTransientError"});
  if (retry->policy && std::ranges::count(kPolicies, std::string_view(retry->policy->text)) == 0)
    report.error(retry->policy->mark,
                 fmt::format("{}.retryStrategy.retryPolicy must be one of Always, OnFailure, OnError and "
                             "OnTransientError, not '{}'",
                             where, retry->policy->text));
}

void check_locks(const std::vector<LockSpec>& locks, const std::string& where, Report& report) {
  for (const LockSpec& lock : locks)
    if (!lock.limit && lock.name.text.empty())
      report.error(lock.mark, lock.of_database ? where + ".synchronization: a semaphore of a database needs a key"
                                               : where + ".synchronization: a mutex needs a name");
}

void check_volumes(const std::vector<VolumeSpec>& volumes, const std::string& where, Report& report) {
  for (const VolumeSpec& volume : volumes) {
    if (!volume.host_type || host_kind(volume.host_type->text)) continue;
    const auto& [text, mark] = *volume.host_type;
    if (is_late(text))
      report.unsupported(mark, "a hostPath.type that is known only later", where + ".volumes");
    else
      report.error(mark, fmt::format("{}.volumes.{}: hostPath.type must be one of Directory, DirectoryOrCreate, File, "
                                     "FileOrCreate, Socket, CharDevice and BlockDevice, not '{}'",
                                     where, volume.name.text, text));
  }
}

// Argo holds it always. Here that is for who said so: nobody else would know why the run does not go on.
void check_pauses(const Spec& spec, const Program& program, Report& report) {
  for (const Variable& variable : program.environment)
    if (!spec.pauses && (variable.name.text == kPauseBefore || variable.name.text == kPauseAfter))
      report.warning(variable.name.mark,
                     fmt::format("{}: the process is not held; `kist run --pause` does it", variable.name.text));
}

// Kubernetes does not start such a pod; Argo's lint says nothing of it.
void check_resource_fields(const Spec& spec, const Template& each, Report& report) {
  if (!is_pod(each.kind)) return;
  const std::string where = where_of(each);
  const auto check = [&](const Program& program, const std::optional<ResourceField>& field, std::string_view of) {
    if (!field) return;
    if (auto amount = amount_of(each, program, *field); !amount)
      report.lacking(field->mark, fmt::format("{}.{}.resourceFieldRef: {}", where, of, amount.error().text));
  };
  for (const Program* program : programs_of(each))
    for (const Variable& variable : program->environment) check(*program, variable.resource, variable.name.text);
  for (const auto* volumes : {&each.volumes, &spec.volumes})
    for (const VolumeSpec& volume : *volumes)
      for (const VolumeSpec::Part& part : volume.parts)
        for (const VolumeSpec::Item& item : part.items) check(each.program, item.resource, volume.name.text);
}

void check_template(const Spec& spec, const Template& each, Report& report) {
  const std::string where = where_of(each);
  check_metrics(each.metrics, where, report);
  const std::string_view unfit = kind_text(each.kind);
  if (each.pod_resources.is_mapping()) {
    if (!unfit.empty())
      report.error(each.pod_resources.mark, fmt::format("{}.podResources is not supported for {}", where, unfit));
    else
      check_pod_resources(each.pod_resources, where + ".podResources", report);
  }
  if (each.resource_claims && !unfit.empty())
    report.error(each.mark, fmt::format("{}.resourceClaims is not supported for {}", where, unfit));
  if (!is_group(each.kind)) check_deadline(each.deadline, where, report);
  if (is_group(each.kind) && each.deadline)
    report.error(each.deadline->mark, where + ".activeDeadlineSeconds is only valid for leaf templates");
  check_timeouts(each, where, report);
  check_retry(each.retry, where, report);
  check_locks(each.locks, where, report);
  if (each.memo && each.memo->cache.text.empty())
    report.error(each.memo->mark,
                 where + ".memoize.cache.configMap.name is required: where the results are remembered");
  auto known = [&](const Mount& mount) {
    auto named = [&](const VolumeSpec& volume) { return may_be(volume.name.text, mount.volume.text); };
    return std::ranges::any_of(each.volumes, named) || std::ranges::any_of(spec.volumes, named) ||
           std::ranges::any_of(spec.claims, named);
  };
  auto check_mounts = [&](const std::vector<Mount>& mounts) {
    for (const Mount& mount : mounts)
      if (!mount.volume.text.contains("{{") && !known(mount))
        report.lacking(
            mount.volume.mark,
            fmt::format("{}: volume '{}' is not defined in its template or in spec.volumes", where, mount.volume.text));
  };
  check_mounts(each.program.mounts);
  check_mounts(each.set_mounts);
  for (const auto* programs : {&each.containers, &each.initial, &each.sidecars})
    for (const Program& program : *programs) check_mounts(program.mounts);
  check_resource_fields(spec, each, report);
  check_pauses(spec, each.program, report);
  for (const Program& program : each.containers) check_pauses(spec, program, report);
  check_volumes(each.volumes, where, report);
  for (const VolumeSpec& volume : each.volumes)
    if (volume.parts.size() > 1 &&
        std::ranges::any_of(volume.parts, [](const auto& part) { return part.kind == VolumeSpec::Part::Kind::secret; }))
      report.unsupported(volume.mark, "a projected volume of a secret and something else", where + ".volumes");
}

void check_cron(const CronSpec& cron, Report& report) {
  constexpr auto kPolicies = std::to_array<std::string_view>({"Allow", "Forbid", "Replace"});
  if (cron.concurrency && std::ranges::count(kPolicies, std::string_view(cron.concurrency->text)) == 0)
    report.error(cron.concurrency->mark, fmt::format("'{}' is not a valid concurrencyPolicy: it must be one of Allow, "
                                                     "Forbid and Replace",
                                                     cron.concurrency->text));
  if (cron.stop)
    if (auto parsed = expression::Expression::parse(cron.stop->text); !parsed)
      report.error(cron.stop->mark, "spec.stopStrategy.expression: " + parsed.error().text);
  if (cron.condition)
    if (auto parsed = expression::Text::parse(cron.condition->text); !parsed)
      report.error(cron.condition->mark, "spec.when: " + parsed.error().text);
}

}  // namespace

void check_policies(const Spec& spec, Report& report) {
  check_metrics(spec.metrics, "spec", report);
  check_pod_collection(spec.pod_collection, report);
  constexpr auto kVolumeCollections =
      std::to_array<std::string_view>({"", "OnWorkflowCompletion", "OnWorkflowSuccess"});
  if (spec.volume_collection && std::ranges::count(kVolumeCollections, spec.volume_collection->text) == 0)
    report.error(spec.volume_collection->mark, fmt::format("spec.volumeClaimGC.strategy must be OnWorkflowCompletion "
                                                           "or OnWorkflowSuccess, not '{}'",
                                                           spec.volume_collection->text));
  check_pod_resources(spec.pod_resources, "spec.podResources", report);
  check_retry(spec.retry, "spec", report);
  check_locks(spec.locks, "spec", report);
  check_volumes(spec.volumes, "spec", report);
  check_cron(spec.cron, report);
  for (const Scalar& schedule : spec.schedules)
    if (auto line = CronLine::parse(schedule.text); !line)
      report.error(schedule.mark, "cron schedule is malformed: " + line.error().text);
  if (spec.timezone && !spec.timezone->text.empty()) {
    const std::filesystem::path zones = "/usr/share/zoneinfo";
    std::error_code ignored;
    const bool safe = !spec.timezone->text.contains("..") && !spec.timezone->text.starts_with('/');
    // Where the machine has no zones nothing is known of them.
    if (!safe || (std::filesystem::exists(zones, ignored) && spec.timezone->text != "Local" &&
                  !std::filesystem::is_regular_file(zones / spec.timezone->text, ignored)))
      report.error(spec.timezone->mark, fmt::format("invalid timezone \"{}\"", spec.timezone->text));
  }
  for (const Template& each : spec.templates) {
    report.enter(each.key);
    check_template(spec, each, report);
  }
  report.enter("");
}

}  // namespace kist::dialect::argo
