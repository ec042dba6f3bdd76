#include "engine/metrics.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "expression/condition.hpp"

namespace kist::engine {
namespace {

using model::Metric;
using std::chrono::duration;
using std::chrono::nanoseconds;

constexpr std::size_t kLongestSeries = 8 << 10;  // of a series' name, help and labels together
constexpr std::string_view kDuration = "duration";
constexpr std::string_view kRunDuration = "workflow.duration";

std::string seconds_text(nanoseconds time) {
  return fmt::format("{:f}", duration<double>(time).count());
}

// How a node went, before all else that its texts may ask for.
class MeasuredScope : public expression::Scope {
 public:
  MeasuredScope(const expression::Scope& outer, const Node& node, std::string status, nanoseconds took,
                nanoseconds worked, nanoseconds run_took)
      : outer_(outer) {
    values_["status"] = std::move(status);
    values_[std::string(kDuration)] = seconds_text(took);
    values_[std::string(kRunDuration)] = seconds_text(run_took);
    // As Argo counts for a container that asks for nothing: a tenth of a processor and 100 MiB, in whole seconds.
    const double seconds = duration<double>(worked).count();
    values_["resourcesDuration.cpu"] = fmt::format("{:.0f}", std::round(seconds / 10));
    values_["resourcesDuration.memory"] = fmt::format("{:.0f}", std::round(seconds));
    const model::NodeRecord& record = node.record;
    if (record.exit_code) values_["exitCode"] = fmt::format("{}", *record.exit_code);
    if (node.retry) values_["retries"] = fmt::format("{}", std::max(node.retry->attempts - 1, 0));
    if (record.result) values_["outputs.result"] = *record.result;
    for (const model::ParameterRecord& parameter : record.output_parameters)
      values_["outputs.parameters." + parameter.name] = parameter.value;
  }

  Result<std::optional<std::string>> find(std::string_view name) const override {
    if (const auto found = values_.find(name); found != values_.end()) return found->second;
    return outer_.find(name);
  }
  Result<std::optional<Json>> value(std::string_view name) const override {
    if (values_.contains(name)) return Scope::value(name);
    return outer_.value(name);
  }
  std::vector<std::string> names(std::string_view prefix) const override {
    std::vector<std::string> all = outer_.names(prefix);
    for (const auto& [name, value] : values_)
      if (name.starts_with(prefix) && name.size() > prefix.size() && (prefix.empty() || name[prefix.size()] == '.'))
        all.push_back(name);
    return all;
  }
  const expression::Surroundings* surroundings() const override { return outer_.surroundings(); }

 private:
  const expression::Scope& outer_;
  std::map<std::string, std::string, std::less<>> values_;
};

// As Prometheus has it, and without colons, which are for rules.
bool is_name(std::string_view name) {
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name.front())) == 0 &&
         std::ranges::all_of(name, [](unsigned char c) { return c < 128 && (std::isalnum(c) != 0 || c == '_'); });
}

Result<double> read_value(std::string_view text) {
  std::string_view rest = text;
  if (rest.starts_with('+')) rest.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (error == std::errc() && end == rest.data() + rest.size()) return value;
  return fail(ErrorKind::invalid, fmt::format("'{}' is no number", text));
}

// Since when a series grows that is asked for while it does. Errors: it is made of something else.
Result<Time> grows_since(const Metric& metric, Time node, Time run) {
  const auto names = expression::references(metric.value);
  if (names.size() != 1) return fail(ErrorKind::invalid, "real time metrics can only be used with metric variables");
  if (names.front() == kDuration) return node;
  if (names.front() == kRunDuration) return run;
  return fail(ErrorKind::invalid, fmt::format("'{}' is not available as a real time metric", names.front()));
}

}  // namespace

Metrics::Measured Metrics::node_begins(const Node& node, const RunScope& scope) {
  return node.definition == nullptr ? Measured() : measure(node.definition->metrics, node, scope, true);
}

Metrics::Measured Metrics::run_begins(const Node& entry, const RunScope& scope) {
  return measure(workflow_.metrics, entry, scope, true);
}

Metrics::Measured Metrics::node_ended(const Node& node, const RunScope& scope) {
  const model::NodeRecord& record = node.record;
  if (record.kind == model::NodeKind::task) note_time(node);
  if (node.role == Node::Role::attempt || node.definition == nullptr) return {};
  const bool ran = record.state != model::State::skipped && record.state != model::State::omitted;
  if (!ran || record.kind == model::NodeKind::loop) return {};
  return measure(node.definition->metrics, node, scope, false);
}

Metrics::Measured Metrics::attempt_repeated(const Node& attempt, const RunScope& scope) {
  return measure(attempt.definition->metrics, attempt, scope, false);
}

Metrics::Measured Metrics::run_ended(const Node& entry, const RunScope& scope) {
  return measure(workflow_.metrics, entry, scope, false);
}

void Metrics::note_time(const Node& task) {
  const model::NodeRecord& record = task.record;
  if (record.started == Time{} || record.finished <= record.started) return;
  for (const Node* node = &task; node != nullptr; node = node->parent)
    worked_[node] += record.finished - record.started;
}

Metrics::Measured Metrics::measure(const std::vector<Metric>& metrics, const Node& node, const RunScope& scope,
                                   bool begins) {
  Measured all;
  if (metrics.empty()) return all;
  const model::NodeRecord& record = node.record;
  const auto worked = worked_.find(&node);
  const NodeScope own(scope, node);
  const MeasuredScope measured_scope(
      node.definition == nullptr ? static_cast<const expression::Scope&>(scope) : own, node,
      wording_.state(record.state), begins ? nanoseconds(0) : record.finished - record.started,
      worked == worked_.end() ? nanoseconds(0) : worked->second, parts_.clock() - run_.started);
  for (const Metric& metric : metrics) {
    if (begins && !metric.live) continue;
    auto measured = measure(metric, measured_scope, begins);
    if (measured && *measured) all.push_back(std::move(**measured));
    if (measured || !told_.insert(&metric).second) continue;
    audience_.tell([&](Observer& observer) {
      observer.notice({.level = model::Notice::Level::warning,
                       .origin = {},
                       .text = fmt::format("metric '{}': {}", metric.name.source(), measured.error().text)});
    });
  }
  return all;
}

Result<std::optional<catalog::Measurement>> Metrics::measure(const Metric& metric, const expression::Scope& scope,
                                                             bool begins) {
  catalog::Measurement measured;
  catalog::Series& series = measured.series;
  measured.operation = metric.operation;
  series.kind = metric.kind;
  KIST_TRY_ASSIGN(series.name, expression::evaluate(metric.name, scope));
  KIST_TRY_ASSIGN(series.help, expression::evaluate(metric.help, scope));
  std::size_t length = series.name.size() + series.help.size();
  for (const auto& [name, text] : metric.labels) {
    KIST_TRY_ASSIGN(std::string value, expression::evaluate(text, scope));
    length += name.size() + value.size();
    if (metric.kind == Metric::Kind::histogram && name == "le")
      return fail(ErrorKind::invalid, "metric label 'le' is invalid: the buckets of a histogram have it");
    if (!is_name(name))
      return fail(
          ErrorKind::invalid,
          fmt::format("metric label '{}' is invalid: keys may only contain alphanumeric characters or '_'", name));
    series.labels.emplace_back(name, std::move(value));
  }
  if (metric.condition) {
    KIST_TRY_ASSIGN(const std::string condition, expression::evaluate(*metric.condition, scope));
    KIST_TRY_ASSIGN(const bool holds, expression::evaluate_condition(condition));
    if (!holds) return std::nullopt;
  }
  if (!is_name(series.name))
    return fail(ErrorKind::invalid, "metric name is invalid: names may only contain alphanumeric characters or '_'");
  if (series.help.empty()) return fail(ErrorKind::invalid, "it must contain a help string under 'help: ' field");
  if (length > kLongestSeries)
    return fail(ErrorKind::invalid, fmt::format("its name, help and labels are longer than {} bytes", kLongestSeries));
  for (const double bound : metric.buckets) series.buckets.push_back({.bound = bound, .count = 0});
  if (metric.live) {
    KIST_TRY_ASSIGN(const Time since, grows_since(metric, parts_.clock(), run_.started));
    if (begins) {
      series.since = since;
      series.run = run_.name;
    }
  }
  if (series.since == Time{}) {
    KIST_TRY_ASSIGN(const std::string value, expression::evaluate(metric.value, scope));
    KIST_TRY_ASSIGN(series.value, read_value(value));
    const bool adds = metric.kind != Metric::Kind::gauge || metric.operation != Metric::Operation::set;
    if (adds && !std::isfinite(series.value))
      return fail(ErrorKind::invalid, fmt::format("'{}' cannot be added to what there is", value));
  }
  std::ranges::sort(series.labels);
  KIST_TRY(check(series));
  return measured;
}

// What this run has measured may not be in the catalog yet.
Status Metrics::check(const catalog::Series& series) {
  const auto known = known_.find(series.name);
  if (known == known_.end()) {
    KIST_TRY(parts_.catalog.check_measurement(series));
    known_.try_emplace(series.name, series.kind, series.help);
    return {};
  }
  const auto& [kind, help] = known->second;
  if (kind != series.kind)
    return fail(ErrorKind::conflict, fmt::format("there is a {} of this name already, and this is a {}",
                                                 to_string(kind), to_string(series.kind)));
  if (help != series.help)
    return fail(ErrorKind::conflict, fmt::format("its help is already set to {}, it cannot be changed", help));
  return {};
}

}  // namespace kist::engine
