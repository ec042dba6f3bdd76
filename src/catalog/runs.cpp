#include "catalog/runs.hpp"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "catalog/history.hpp"
#include "catalog/marks.hpp"
#include "catalog/metrics.hpp"
#include "catalog/nodes.hpp"
#include "catalog/requests.hpp"
#include "catalog/rows.hpp"
#include "catalog/tags.hpp"
#include "model/names.hpp"

namespace kist::catalog {
namespace {

using model::RunNaming;
using model::RunRecord;

constexpr int kAttempts = 1000;  // to find a name that is free
constexpr std::string_view kRandomCharacters = "bcdfghjklmnpqrstvwxz2456789";

Result<std::string> choose_name(Database& database, const RunNaming& naming,
                                const std::function<std::uint32_t(std::uint32_t)>& random) {
  auto one_of = [&](auto words) { return words[random(static_cast<std::uint32_t>(words.size()))]; };
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string name = naming.stem;
    if (naming.kind == RunNaming::Kind::counted) {
      name = fmt::format("{}-{}", one_of(model::adjectives()), one_of(model::animals()));
      KIST_TRY_ASSIGN(std::int64_t number, count(database, "run " + name));
      name += fmt::format("-{}", number);
    } else if (naming.kind == RunNaming::Kind::random) {
      for (int i = 0; i < 5; ++i) name += one_of(kRandomCharacters);
    }
    KIST_TRY(check_name("run", name));
    KIST_TRY_ASSIGN(bool taken, run_exists(database, name));
    if (!taken) return name;
    if (naming.kind == RunNaming::Kind::given)
      return fail(
          ErrorKind::conflict,
          fmt::format("there is a run '{}' already: give another name, or remove it with `kist rm {}`", name, name));
  }
  return fail(ErrorKind::conflict, fmt::format("no free name that begins with '{}' was found", naming.stem));
}

Result<RunRecord> run_from_row(const Query& row) {
  RunRecord run;
  run.name = row.text(0);
  run.id = row.text(1);
  run.workflow = row.text(2);
  run.dialect = row.text(3);
  run.project = row.text(4);
  run.user = row.text(5);
  KIST_TRY_ASSIGN(run.state, model::parse_state(row.text(6)));
  run.message = row.text(7);
  run.created = to_time(row.number(8));
  run.started = to_time(row.number(9));
  run.finished = to_time(row.number(10));
  KIST_TRY_ASSIGN(Json request, parse_json(row.text(11)));
  KIST_TRY_ASSIGN(run.request, model::request_from_json(request));
  KIST_TRY_ASSIGN(Json used_runs, parse_json(row.text(12)));
  for (const Json& value : used_runs) {
    KIST_TRY_ASSIGN(model::UsedRun used, model::used_run_from_json(value));
    run.used_runs.push_back(std::move(used));
  }
  if (!row.is_null(13)) {
    KIST_TRY_ASSIGN(Json logs, parse_json(row.text(13)));
    KIST_TRY_ASSIGN(run.logs, model::artifact_from_json(logs));
  }
  run.expires = to_time(row.number(14));
  run.history = history_from_row(row, 15);
  return run;
}

Result<RunSummary> summary_from_row(const Query& row) {
  RunSummary summary;
  summary.name = row.text(0);
  summary.workflow = row.text(1);
  summary.dialect = row.text(2);
  summary.project = row.text(3);
  KIST_TRY_ASSIGN(summary.state, model::parse_state(row.text(4)));
  summary.message = row.text(5);
  summary.created = to_time(row.number(6));
  summary.started = to_time(row.number(7));
  summary.finished = to_time(row.number(8));
  KIST_TRY_ASSIGN(summary.record, to_digest(row, 9));
  summary.expires = to_time(row.number(10));
  summary.history = history_from_row(row, 11);
  return summary;
}

Status insert_run(Database& database, const std::string& name, std::int64_t number, const RunRecord& run) {
  Json used_runs = Json::array();
  for (const model::UsedRun& used : run.used_runs) used_runs.push_back(to_json(used));
  return database
      .query(
          "INSERT INTO runs (name, number, id, workflow, dialect, project, user_name, state, message, "
          "created, started, finished, request, used_runs, expires, keep_succeeded, keep_failed) "
          "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)")
      .bind(name)
      .bind(number)
      .bind(run.id)
      .bind(run.workflow)
      .bind(run.dialect)
      .bind(run.project)
      .bind(run.user)
      .bind(model::to_string(run.state))
      .bind(run.message)
      .bind(to_number(run.created))
      .bind(to_number(run.started))
      .bind(to_number(run.finished))
      .bind(to_text(to_json(run.request)))
      .bind(to_text(used_runs))
      .bind(to_number(run.expires))
      .bind(kept_of(run.history, &model::History::succeeded))
      .bind(kept_of(run.history, &model::History::failed))
      .run();
}

}  // namespace

Result<std::string> add_run(Database& database, const RunRecord& run, const RunNaming& naming,
                            const std::function<std::uint32_t(std::uint32_t)>& random) {
  KIST_TRY_ASSIGN(std::string name, choose_name(database, naming, random));
  KIST_TRY_ASSIGN(std::int64_t number, count(database, "runs"));
  KIST_TRY(insert_run(database, name, number, run));
  if (run.request.tag) KIST_TRY(write_tag(database, *run.request.tag, name, run.created, true));
  return name;
}

Status write_changes(Database& database, const Changes& changes) {
  auto state = changes.state.transform([](model::State value) { return model::to_string(value); });
  auto logs = changes.logs.transform([](const auto& value) { return to_text(to_json(value)); });
  auto record = to_text_or_null(changes.record);
  if (state || changes.message || changes.started || changes.finished || changes.expires || record || logs) {
    KIST_TRY(database
                 .query("UPDATE runs SET state = COALESCE($2, state), message = COALESCE($3, message), "
                        "started = COALESCE($4, started), finished = COALESCE($5, finished), "
                        "record = COALESCE($6, record), logs = COALESCE($7, logs), "
                        "expires = COALESCE($8, expires) WHERE name = $1")
                 .bind(changes.run)
                 .bind(state)
                 .bind(changes.message)
                 .bind(to_number(changes.started))
                 .bind(to_number(changes.finished))
                 .bind(record)
                 .bind(logs)
                 .bind(to_number(changes.expires))
                 .run());
    if (database.changed() == 0) return no_run(changes.run);
  }
  if (record) KIST_TRY(give_record_to_tags(database, changes.run, *record));
  for (const std::string& name : changes.removed) KIST_TRY(delete_node(database, changes.run, name));
  for (const std::int64_t number : changes.answered) KIST_TRY(delete_request(database, changes.run, number));
  for (const model::NodeRecord& node : changes.nodes) KIST_TRY(write_node(database, changes.run, node));
  for (const Measurement& measured : changes.measured) KIST_TRY(write_measurement(database, measured));
  return {};
}

Status add_foreign_run(Database& database, const RunRecord& run, const Digest& record,
                       const std::optional<Digest>& instead_of) {
  KIST_TRY(check_name("run", run.name));
  bool is_older = false;
  {
    auto row = database.query("SELECT id, record FROM runs WHERE name = $1");
    KIST_TRY_ASSIGN(bool taken, row.bind(run.name).step());
    const bool is_it = taken && row.text(0) == run.id;
    is_older = is_it && instead_of && !row.is_null(1) && row.text(1) == instead_of->to_string();
    if (taken && !is_older && (!is_it || (!row.is_null(1) && row.text(1) != record.to_string())))
      return fail(ErrorKind::conflict, fmt::format("there is another run '{}' already: remove it first", run.name));
    if (taken && !is_older) return {};
  }
  if (is_older) {
    KIST_TRY(rewrite_run(database, run));
  } else {
    KIST_TRY_ASSIGN(std::int64_t number, count(database, "runs"));
    KIST_TRY(insert_run(database, run.name, number, run));
  }
  KIST_TRY(write_marks(database, run.name, run.marks));
  Changes changes{.run = run.name, .record = record, .logs = run.logs, .nodes = run.nodes};
  return write_changes(database, changes);
}

Status rewrite_run(Database& database, const RunRecord& run) {
  KIST_TRY(database
               .query("UPDATE runs SET request = $2, state = $3, message = $4, started = $5, finished = $6, "
                      "record = NULL, logs = NULL, expires = $7 WHERE name = $1")
               .bind(run.name)
               .bind(to_text(to_json(run.request)))
               .bind(model::to_string(run.state))
               .bind(run.message)
               .bind(to_number(run.started))
               .bind(to_number(run.finished))
               .bind(to_number(run.expires))
               .run());
  if (database.changed() == 0) return no_run(run.name);
  KIST_TRY(delete_requests(database, run.name));
  KIST_TRY(delete_nodes(database, run.name));
  for (const model::NodeRecord& node : run.nodes) KIST_TRY(write_node(database, run.name, node));
  return {};
}

Result<RunRecord> read_run(Database& database, std::string_view name) {
  auto row = database.query(
      "SELECT name, id, workflow, dialect, project, user_name, state, message, created, started, finished, "
      "request, used_runs, logs, expires, keep_succeeded, keep_failed FROM runs WHERE name = $1");
  KIST_TRY_ASSIGN(bool found, row.bind(name).step());
  if (!found) return no_run(name);
  KIST_TRY_ASSIGN(RunRecord run, run_from_row(row));
  KIST_TRY_ASSIGN(run.marks, read_marks(database, name));
  KIST_TRY_ASSIGN(run.nodes, read_nodes(database, name));
  return run;
}

Result<RunSummary> read_summary(Database& database, std::string_view name) {
  auto row = database.query(
      "SELECT name, workflow, dialect, project, state, message, created, started, finished, record, expires, "
      "keep_succeeded, keep_failed FROM runs WHERE name = $1");
  KIST_TRY_ASSIGN(bool found, row.bind(name).step());
  if (!found) return no_run(name);
  KIST_TRY_ASSIGN(RunSummary summary, summary_from_row(row));
  auto tags = database.query("SELECT name FROM tags WHERE run = $1 AND removed = 0 ORDER BY number");
  tags.bind(name);
  while (true) {
    KIST_TRY_ASSIGN(bool more, tags.step());
    if (!more) return summary;
    summary.tags.push_back(tags.text(0));
  }
}

Result<std::vector<RunSummary>> list_runs(Database& database, const RunFilter& filter) {
  std::unordered_map<std::string, std::vector<std::string>> tags;
  auto tag = database.query("SELECT run, name FROM tags WHERE removed = 0 ORDER BY number");
  while (true) {
    KIST_TRY_ASSIGN(bool more, tag.step());
    if (!more) break;
    tags[tag.text(0)].push_back(tag.text(1));
  }
  auto row = database.query(
      "SELECT name, workflow, dialect, project, state, message, created, started, finished, record, expires, "
      "keep_succeeded, keep_failed FROM runs "
      "WHERE ($1 IS NULL OR project = $1) AND ($2 IS NULL OR workflow = $2) "
      "AND ($3 = 0 OR state IN ('pending', 'running', 'stopping', 'interrupted')) ORDER BY number DESC LIMIT $4");
  row.bind(filter.project).bind(filter.workflow).bind(std::int64_t{filter.unfinished_only});
  row.bind(static_cast<std::int64_t>(std::min<std::size_t>(filter.limit, INT64_MAX)));
  std::vector<RunSummary> summaries;
  while (true) {
    KIST_TRY_ASSIGN(bool more, row.step());
    if (!more) return summaries;
    KIST_TRY_ASSIGN(RunSummary summary, summary_from_row(row));
    if (auto found = tags.find(summary.name); found != tags.end()) summary.tags = std::move(found->second);
    summaries.push_back(std::move(summary));
  }
}

Result<std::string> find_run_name(Database& database, std::string_view prefix) {
  if (prefix.empty()) return fail(ErrorKind::invalid, "the name of a run is missing");
  // What follows the prefix in order begins with it, or nothing does; the name itself comes first.
  auto row = database.query("SELECT name FROM runs WHERE name >= $1 ORDER BY name LIMIT 10");
  row.bind(prefix);
  std::vector<std::string> names;
  while (true) {
    KIST_TRY_ASSIGN(bool more, row.step());
    if (!more || !row.text(0).starts_with(prefix)) break;
    names.push_back(row.text(0));
  }
  if (names.empty()) return no_run(prefix);
  if (names.size() == 1 || names.front() == prefix) return names.front();
  return fail(ErrorKind::invalid, fmt::format("several runs begin with '{}': {}", prefix, fmt::join(names, ", ")));
}

Result<std::string> find_newest_succeeded(Database& database, std::string_view project, std::string_view workflow) {
  auto row = database.query(
      "SELECT name FROM runs WHERE project = $1 AND workflow = $2 AND state = 'succeeded' "
      "ORDER BY finished DESC, number DESC LIMIT 1");
  KIST_TRY_ASSIGN(bool found, row.bind(project).bind(workflow).step());
  if (found) return row.text(0);
  return fail(ErrorKind::not_found,
              fmt::format("workflow '{}' has no run in {} that succeeded: run it first", workflow, project));
}

Status delete_run(Database& database, std::string_view name) {
  KIST_TRY(count_removed_run(database, name));
  KIST_TRY(database.query("DELETE FROM runs WHERE name = $1").bind(name).run());
  if (database.changed() == 0) return no_run(name);
  KIST_TRY(delete_nodes(database, name));
  KIST_TRY(delete_requests(database, name));
  KIST_TRY(database.query("DELETE FROM locks WHERE run = $1").bind(name).run());
  KIST_TRY(remove_marks(database, name));
  return part_tags_from_run(database, name);
}

}  // namespace kist::catalog
