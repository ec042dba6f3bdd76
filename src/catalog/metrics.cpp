#include "catalog/metrics.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "catalog/rows.hpp"

namespace kist::catalog {
namespace {

using model::Metric;

constexpr auto kKinds = std::to_array({Metric::Kind::gauge, Metric::Kind::counter, Metric::Kind::histogram});

// A text: it keeps what numbers of databases have no place for (NaN, infinity).
double to_value(const std::string& text) {
  double value = std::numeric_limits<double>::quiet_NaN();
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string labels_text(const Series& series) {
  Json labels = Json::object();
  for (const auto& [name, value] : series.labels) labels[name] = value;
  return to_text(labels);
}

// From the columns name, labels, kind, help, value, buckets, count, since, run.
Result<Series> series_from_row(const Query& row) {
  Series series;
  series.name = row.text(0);
  const auto damaged = [&] {
    return fail(ErrorKind::corrupt, fmt::format("what the catalog has of the metric '{}' is damaged", series.name));
  };
  KIST_TRY_ASSIGN(const Json labels, parse_json(row.text(1)));
  for (const auto& [name, value] : labels.items()) {
    if (!value.is_string()) return damaged();
    series.labels.emplace_back(name, value.get<std::string>());
  }
  const std::string kind = row.text(2);
  for (const Metric::Kind one : kKinds)
    if (to_string(one) == kind) series.kind = one;
  series.help = row.text(3);
  series.value = to_value(row.text(4));
  KIST_TRY_ASSIGN(const Json buckets, parse_json(row.text(5)));
  for (const Json& bucket : buckets) {
    const bool is_whole = bucket.is_array() && bucket.size() == 2 && bucket[0].is_number() && bucket[1].is_number();
    if (!is_whole) return damaged();
    series.buckets.push_back({.bound = bucket[0].get<double>(), .count = bucket[1].get<std::uint64_t>()});
  }
  series.count = static_cast<std::uint64_t>(row.number(6));
  series.since = to_time(row.number(7));
  series.run = row.text(8);
  return series;
}

// The series with what was measured.
Series combine(const std::optional<Series>& known, const Measurement& measured) {
  const Series& now = measured.series;
  if (now.kind == Metric::Kind::histogram) {
    Series sum = known.value_or(now);
    if (!known || sum.buckets.empty()) sum.buckets = now.buckets;
    if (!known) {
      sum.value = 0;
      sum.count = 0;
      for (auto& bucket : sum.buckets) bucket.count = 0;
    }
    sum.value += now.value;
    ++sum.count;
    for (auto& bucket : sum.buckets)
      if (now.value <= bucket.bound) ++bucket.count;
    return sum;
  }
  Series next = now;
  const double before = known && known->since == Time{} ? known->value : 0;
  const bool adds = now.kind == Metric::Kind::counter || measured.operation == Metric::Operation::add;
  if (adds) next.value = before + now.value;
  if (!adds && measured.operation == Metric::Operation::subtract) next.value = before - now.value;
  return next;
}

Result<std::optional<Series>> find_series(Database& database, const Series& like) {
  auto row = database.query(
      "SELECT name, labels, kind, help, value, buckets, count, since, run FROM metrics WHERE name = $1 AND labels = "
      "$2");
  KIST_TRY_ASSIGN(bool found, row.bind(like.name).bind(labels_text(like)).step());
  if (!found) return std::nullopt;
  KIST_TRY_ASSIGN(Series series, series_from_row(row));
  return series;
}

Status forget_oldest(Database& database) {
  return database
      .query("DELETE FROM metrics WHERE number <= (SELECT number FROM metrics ORDER BY number DESC LIMIT 1 OFFSET $1)")
      .bind(static_cast<std::int64_t>(Catalog::kMostSeries))
      .run();
}

}  // namespace

Status check_series(Database& database, const Series& series) {
  auto row = database.query("SELECT kind, help FROM metrics WHERE name = $1 LIMIT 1");
  KIST_TRY_ASSIGN(bool found, row.bind(series.name).step());
  if (!found) return {};
  if (row.text(0) != to_string(series.kind))
    return fail(ErrorKind::conflict, fmt::format("there is a {} of this name already, and this is a {}", row.text(0),
                                                 to_string(series.kind)));
  if (row.text(1) != series.help)
    return fail(ErrorKind::conflict, fmt::format("its help is already set to {}, it cannot be changed", row.text(1)));
  return {};
}

Status write_measurement(Database& database, const Measurement& measured) {
  auto fits = check_series(database, measured.series);
  if (!fits && fits.error().kind == ErrorKind::conflict) return {};
  KIST_TRY(fits);
  KIST_TRY_ASSIGN(const auto known, find_series(database, measured.series));
  const bool is_new = !known;
  const Series series = combine(known, measured);
  Json buckets = Json::array();
  for (const auto& bucket : series.buckets) buckets.push_back({bucket.bound, bucket.count});
  KIST_TRY_ASSIGN(const std::int64_t number, count(database, "metrics"));
  KIST_TRY(database
               .query("INSERT INTO metrics (name, labels, number, kind, help, value, buckets, count, since, run) "
                      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (name, labels) DO UPDATE SET "
                      "number = excluded.number, value = excluded.value, buckets = excluded.buckets, "
                      "count = excluded.count, since = excluded.since, run = excluded.run")
               .bind(series.name)
               .bind(labels_text(series))
               .bind(number)
               .bind(to_string(series.kind))
               .bind(series.help)
               .bind(fmt::format("{}", series.value))
               .bind(to_text(buckets))
               .bind(static_cast<std::int64_t>(series.count))
               .bind(to_number(series.since))
               .bind(series.run)
               .run());
  return is_new ? forget_oldest(database) : Status();
}

Result<std::vector<Series>> list_series(Database& database) {
  auto row = database.query(
      "SELECT name, labels, kind, help, value, buckets, count, since, run FROM metrics ORDER BY name, labels");
  std::vector<Series> all;
  while (true) {
    KIST_TRY_ASSIGN(bool more, row.step());
    if (!more) return all;
    KIST_TRY_ASSIGN(Series series, series_from_row(row));
    all.push_back(std::move(series));
  }
}

}  // namespace kist::catalog
