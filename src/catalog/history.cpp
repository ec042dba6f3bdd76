#include "catalog/history.hpp"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "catalog/rows.hpp"

namespace kist::catalog {
namespace {

// The counters of those that were removed. A path has no line ends where a workflow's name begins.
std::string removed_counter(std::string_view what, std::string_view project, std::string_view workflow) {
  return fmt::format("{} removed\n{}\n{}", what, project, workflow);
}

Result<std::int64_t> counted(Database& database, const std::string& counter) {
  auto row = database.query("SELECT value FROM counters WHERE name = $1");
  KIST_TRY_ASSIGN(bool found, row.bind(counter).step());
  return found ? row.number(0) : 0;
}

}  // namespace

std::optional<std::int64_t> kept_of(const std::optional<model::History>& history,
                                    std::optional<std::size_t> model::History::* which) {
  if (!history) return std::nullopt;
  const auto& kept = (*history).*which;
  return kept ? static_cast<std::int64_t>(std::min<std::size_t>(*kept, INT64_MAX)) : -1;
}

std::optional<model::History> history_from_row(const Query& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  auto kept = [&](int which) {
    const std::int64_t number = row.number(which);
    return number < 0 ? std::optional<std::size_t>() : std::optional(static_cast<std::size_t>(number));
  };
  return model::History{.succeeded = kept(column), .failed = kept(column + 1)};
}

Result<EarlierRuns> read_earlier_runs(Database& database, std::string_view project, std::string_view workflow) {
  EarlierRuns earlier;
  auto take_newest = [&](std::int64_t created) {
    if (created > 0) earlier.last = std::max(earlier.last.value_or(Time{}), to_time(created));
  };
  auto row = database.query(
      "SELECT name, state, created FROM runs WHERE project = $1 AND workflow = $2 AND keep_succeeded IS NOT NULL "
      "ORDER BY number");
  row.bind(project).bind(workflow);
  while (true) {
    KIST_TRY_ASSIGN(bool more, row.step());
    if (!more) break;
    KIST_TRY_ASSIGN(const model::State state, model::parse_state(row.text(1)));
    take_newest(row.number(2));
    if (!model::is_final(state))
      earlier.under_way.push_back(row.text(0));
    else
      ++(model::is_success(state) ? earlier.succeeded : earlier.failed);
  }
  KIST_TRY_ASSIGN(const std::int64_t succeeded, counted(database, removed_counter("succeeded", project, workflow)));
  KIST_TRY_ASSIGN(const std::int64_t failed, counted(database, removed_counter("failed", project, workflow)));
  KIST_TRY_ASSIGN(const std::int64_t last, counted(database, removed_counter("last", project, workflow)));
  earlier.succeeded += static_cast<std::size_t>(succeeded);
  earlier.failed += static_cast<std::size_t>(failed);
  take_newest(last);
  return earlier;
}

Status count_removed_run(Database& database, std::string_view name) {
  std::string project;
  std::string workflow;
  std::int64_t created = 0;
  model::State state = model::State::pending;
  {
    auto row = database.query(
        "SELECT project, workflow, state, created FROM runs WHERE name = $1 AND keep_succeeded IS NOT NULL");
    KIST_TRY_ASSIGN(bool found, row.bind(name).step());
    if (!found) return {};
    project = row.text(0);
    workflow = row.text(1);
    KIST_TRY_ASSIGN(state, model::parse_state(row.text(2)));
    created = row.number(3);
  }
  if (model::is_final(state)) {
    const std::string_view what = model::is_success(state) ? "succeeded" : "failed";
    KIST_TRY(count(database, removed_counter(what, project, workflow)));
  }
  return database
      .query(
          "INSERT INTO counters (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = "
          "CASE WHEN excluded.value > counters.value THEN excluded.value ELSE counters.value END")
      .bind(removed_counter("last", project, workflow))
      .bind(created)
      .run();
}

}  // namespace kist::catalog
