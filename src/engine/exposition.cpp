#include "engine/exposition.hpp"

#include <chrono>
#include <cmath>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

namespace kist::engine {
namespace {

using catalog::Series;
using model::Metric;

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

std::string escape_for_prometheus(std::string_view text, bool quoted) {
  std::string all;
  for (const char c : text) {
    if (c == '\\' || (quoted && c == '"')) all += '\\';
    if (c == '\n')
      all += "\\n";
    else
      all += c;
  }
  return all;
}

// "{a="x",le="0.5"}"; nothing where there are none.
std::string labels_text(const Series& series, std::string_view bound = {}) {
  std::string all;
  auto add = [&](std::string_view name, std::string_view value) {
    fmt::format_to(std::back_inserter(all), "{}{}=\"{}\"", all.empty() ? "" : ",", name,
                   escape_for_prometheus(value, true));
  };
  for (const auto& [name, value] : series.labels) add(name, value);
  if (!bound.empty()) add("le", bound);
  return all.empty() ? all : "{" + all + "}";
}

}  // namespace

Result<std::vector<Series>> current_metrics(const catalog::Home& home, catalog::Catalog& catalog, Time now) {
  KIST_TRY_ASSIGN(auto all, catalog.metrics());
  std::erase_if(all, [&](const Series& series) { return series.since != Time{} && !is_owned(home, series.run); });
  for (Series& series : all)
    if (series.since != Time{}) series.value = std::chrono::duration<double>(now - series.since).count();
  return all;
}

std::string prometheus_text(std::span<const Series> all) {
  std::string text;
  auto to = std::back_inserter(text);
  const std::string* last = nullptr;
  for (const Series& series : all) {
    if (last == nullptr || *last != series.name)
      fmt::format_to(to, "# HELP {0} {1}\n# TYPE {0} {2}\n", series.name, escape_for_prometheus(series.help, false),
                     to_string(series.kind));
    last = &series.name;
    if (series.kind != Metric::Kind::histogram) {
      fmt::format_to(to, "{}{} {}\n", series.name, labels_text(series), number_text(series.value));
      continue;
    }
    for (const auto& bucket : series.buckets)
      fmt::format_to(to, "{}_bucket{} {}\n", series.name, labels_text(series, number_text(bucket.bound)), bucket.count);
    fmt::format_to(to, "{}_bucket{} {}\n", series.name, labels_text(series, "+Inf"), series.count);
    fmt::format_to(to, "{}_sum{} {}\n", series.name, labels_text(series), number_text(series.value));
    fmt::format_to(to, "{}_count{} {}\n", series.name, labels_text(series), series.count);
  }
  return text;
}

}  // namespace kist::engine
