// Metrics as Argo writes them: texts of their own, which may ask for what nothing else may.
#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "dialect/argo/documents.hpp"
#include "dialect/argo/lower.hpp"
#include "dialect/argo/texts.hpp"

namespace kist::dialect::argo {
namespace {

// Argo's controller publishes them under its own name.
constexpr std::string_view kPrefix = "argo_workflows_";

using model::Metric;

const yaml::Node* mapping(const yaml::Node& node, std::string_view key) {
  const yaml::Node* found = node.find(key);
  return found != nullptr && found->is_mapping() ? found : nullptr;
}

Metric lower_metric(const yaml::Node& written) {
  Metric metric;
  metric.name = make_text(fmt::format("{}{}", kPrefix, text_at(written, {"name"})));
  metric.help = make_text(text_at(written, {"help"}));
  if (const std::string_view when = text_at(written, {"when"}); !when.empty()) metric.condition = make_text(when);
  if (const yaml::Node* labels = written.find("labels"); labels != nullptr && labels->is_sequence())
    for (const yaml::Node& label : labels->items)
      metric.labels.emplace_back(text_at(label, {"key"}), make_text(text_at(label, {"value"})));
  const yaml::Node* value = mapping(written, "gauge");
  if (value != nullptr) {
    metric.live = text_at(*value, {"realtime"}) == "true";
    const std::string_view operation = text_at(*value, {"operation"});
    if (operation == "Add") metric.operation = Metric::Operation::add;
    if (operation == "Sub") metric.operation = Metric::Operation::subtract;
  } else if ((value = mapping(written, "histogram")) != nullptr) {
    metric.kind = Metric::Kind::histogram;
    if (const yaml::Node* buckets = value->find("buckets"); buckets != nullptr && buckets->is_sequence())
      for (const yaml::Node& bucket : buckets->items)
        if (const auto bound = bucket_bound(bucket.text); bound && std::isfinite(*bound))
          metric.buckets.push_back(*bound);  // all there are come beyond the last in any case
    std::ranges::sort(metric.buckets);
    const auto again = std::ranges::unique(metric.buckets);
    metric.buckets.erase(again.begin(), again.end());
  } else {
    metric.kind = Metric::Kind::counter;
    value = mapping(written, "counter");
  }
  if (value != nullptr) metric.value = make_text(text_at(*value, {"value"}));
  return metric;
}

}  // namespace

std::optional<double> bucket_bound(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double bound = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bound);
  return error == std::errc() && end == text.data() + text.size() && !std::isnan(bound) ? std::optional(bound)
                                                                                        : std::nullopt;
}

std::vector<Metric> lower_metrics(const yaml::Node& written) {
  std::vector<Metric> metrics;
  const yaml::Node* all = written.is_mapping() ? written.find("prometheus") : nullptr;
  if (all == nullptr || !all->is_sequence()) return metrics;
  for (const yaml::Node& each : all->items)
    if (each.is_mapping()) metrics.push_back(lower_metric(each));
  return metrics;
}

}  // namespace kist::dialect::argo
