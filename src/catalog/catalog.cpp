// One connection writes; while it does, another one reads (WAL), so a listing or a poll for requests does not wait for
// an fsync. Each has its mutex. A read takes whichever is free, and the second is opened only when that is neither.
//
// Where the home cannot be written (read-only file system, full disk) reading still works as far as SQLite can; writing
// gives the error that opening for writing gave.
#include "catalog/catalog.hpp"

#include <chrono>
#include <mutex>
#include <thread>
#include <unordered_map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "catalog/keys.hpp"
#include "catalog/locks.hpp"
#include "catalog/marks.hpp"
#include "catalog/memos.hpp"
#include "catalog/schema.hpp"
#include "catalog/sqlite.hpp"
#include "model/names.hpp"

namespace kist::catalog {
namespace {

using model::NodeRecord;
using model::RunNaming;
using model::RunRecord;

constexpr std::size_t kLongestName = 200;  // it is a file name, with something behind it
constexpr int kAttempts = 1000;            // to find a name that is free
constexpr std::string_view kRandomCharacters = "bcdfghjklmnpqrstvwxz2456789";

std::int64_t to_number(Time time) {
  return time.time_since_epoch().count();
}
Time to_time(std::int64_t number) {
  return Time(std::chrono::nanoseconds(number));
}
std::optional<std::int64_t> to_number(const std::optional<Time>& time) {
  return time ? std::optional(to_number(*time)) : std::nullopt;
}
std::optional<std::string> to_text(const std::optional<Digest>& digest) {
  return digest ? std::optional(digest->to_string()) : std::nullopt;
}

Result<std::optional<Digest>> to_digest(const Query& query, int column) {
  if (query.is_null(column)) return std::nullopt;
  KIST_TRY_ASSIGN(Digest digest, Digest::parse(query.text(column)));
  return digest;
}

std::unexpected<Error> no_run(std::string_view name) {
  return fail(ErrorKind::not_found, fmt::format("there is no run '{}'", name));
}
std::unexpected<Error> no_tag(std::string_view name) {
  return fail(ErrorKind::not_found, fmt::format("there is no tag '{}'", name));
}

// Names are parts of paths and of addresses (":TAG", "RUN/…").
Status check_name(std::string_view what, std::string_view name) {
  bool printable = std::ranges::none_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (!name.empty() && name.size() <= kLongestName && printable && !name.contains('/') && !name.starts_with('.') &&
      !name.starts_with(':') && !name.starts_with('-'))
    return {};
  return fail(ErrorKind::invalid,
              fmt::format("'{}' cannot be the name of a {}: it has 1 to {} characters, no '/', and does not begin with "
                          "'.', ':' or '-'",
                          name, what, kLongestName));
}

// The next value of a counter, from 1.
Result<std::int64_t> count(Database& database, std::string_view counter) {
  auto query = database.query(
      "INSERT INTO counters (name, value) VALUES ($1, 1) "
      "ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value");
  KIST_TRY(query.bind(counter).step());
  std::int64_t value = query.number(0);
  KIST_TRY(query.step());
  return value;
}

Result<bool> run_exists(Database& database, std::string_view name) {
  return database.query("SELECT 1 FROM runs WHERE name = $1").bind(name).step();
}

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
  return summary;
}

Result<Tag> tag_from_row(const Query& row) {
  Tag tag;
  tag.name = row.text(0);
  tag.run = row.text(1);
  KIST_TRY_ASSIGN(tag.record, to_digest(row, 2));
  tag.created = to_time(row.number(3));
  return tag;
}

std::string_view word_of(Request::Kind kind) {
  switch (kind) {
    case Request::Kind::stop:
      return "stop";
    case Request::Kind::abort:
      return "abort";
    case Request::Kind::approve:
      break;
  }
  return "approve";
}

std::optional<std::string> content_of(const Request& request) {
  if (request.kind != Request::Kind::approve) return std::nullopt;
  Json parameters = Json::array();
  for (const auto& [name, value] : request.parameters) parameters.push_back({{"name", name}, {"value", value}});
  return kist::to_text(Json{{"node", request.node}, {"parameters", parameters}});
}

Result<Request> request_from_row(const Query& row) {
  Request request;
  const std::string word = row.text(0);
  if (word == "abort") request.kind = Request::Kind::abort;
  if (word != "approve") return request;
  request.kind = Request::Kind::approve;
  KIST_TRY_ASSIGN(Json content, parse_json(row.text(1)));
  request.node = content.value("node", "");
  for (const Json& parameter : content.value("parameters", Json::array()))
    request.parameters.emplace_back(parameter.value("name", ""), parameter.value("value", ""));
  return request;
}

class SqliteCatalog : public Catalog {
 public:
  SqliteCatalog(std::filesystem::path path, Database writer)
      : path_(std::move(path)), writer_(std::move(writer)), readers_mode_(Database::Mode::read) {}
  SqliteCatalog(std::filesystem::path path, Database reader, Database::Mode mode, Error cannot_write)
      : path_(std::move(path)),
        reader_(std::move(reader)),
        readers_mode_(mode),
        cannot_write_(std::move(cannot_write)) {}

  Result<std::string> create_run(const RunRecord& run, const RunNaming& naming,
                                 const std::function<std::uint32_t(std::uint32_t)>& random) override {
    return write([&](Database& database) -> Result<std::string> {
      KIST_TRY_ASSIGN(std::string name, choose_name(database, naming, random));
      KIST_TRY_ASSIGN(std::int64_t number, count(database, "runs"));
      KIST_TRY(insert_run(database, name, number, run));
      if (run.request.tag) KIST_TRY(write_tag(database, *run.request.tag, name, run.created, true));
      return name;
    });
  }

  Status import_run(const RunRecord& run, const Digest& record) override {
    return write([&](Database& database) -> Status {
      KIST_TRY(check_name("run", run.name));
      {
        auto row = database.query("SELECT id, record FROM runs WHERE name = $1");
        KIST_TRY_ASSIGN(bool taken, row.bind(run.name).step());
        if (taken && (row.text(0) != run.id || (!row.is_null(1) && row.text(1) != record.to_string())))
          return fail(ErrorKind::conflict, fmt::format("there is another run '{}' already: remove it first", run.name));
        if (taken) return {};
      }
      KIST_TRY_ASSIGN(std::int64_t number, count(database, "runs"));
      KIST_TRY(insert_run(database, run.name, number, run));
      KIST_TRY(write_marks(database, run.name, run.marks));
      Changes changes{.run = run.name, .record = record, .logs = run.logs, .nodes = run.nodes};
      return apply(database, changes);
    });
  }

  Status import_tag(const Tag& tag) override {
    return write([&](Database& database) -> Status {
      KIST_TRY(check_name("tag", tag.name));
      KIST_TRY_ASSIGN(bool exists, run_exists(database, tag.run));
      KIST_TRY_ASSIGN(std::int64_t number, count(database, "tags"));
      return database
          .query(
              "INSERT INTO tags (name, number, run, removed, record, created) VALUES ($1, $2, $3, $4, $5, $6) "
              "ON CONFLICT (name) DO UPDATE SET number = excluded.number, run = excluded.run, "
              "removed = excluded.removed, record = excluded.record, created = excluded.created")
          .bind(tag.name)
          .bind(number)
          .bind(tag.run)
          .bind(std::int64_t{!exists})
          .bind(to_text(tag.record))
          .bind(to_number(tag.created))
          .run();
    });
  }

  Status apply(std::span<const Changes> all) override {
    return write([&](Database& database) -> Status {
      for (const Changes& changes : all) KIST_TRY(apply(database, changes));
      return {};
    });
  }

  Result<RunRecord> run(std::string_view name) override {
    return read([&](Database& database) -> Result<RunRecord> {
      auto row = database.query(
          "SELECT name, id, workflow, dialect, project, user_name, state, message, created, started, finished, "
          "request, used_runs, logs FROM runs WHERE name = $1");
      KIST_TRY_ASSIGN(bool found, row.bind(name).step());
      if (!found) return no_run(name);
      KIST_TRY_ASSIGN(RunRecord run, run_from_row(row));
      KIST_TRY_ASSIGN(run.marks, read_marks(database, name));
      auto nodes = database.query("SELECT content FROM nodes WHERE run = $1 ORDER BY position");
      nodes.bind(name);
      while (true) {
        KIST_TRY_ASSIGN(bool more, nodes.step());
        if (!more) return run;
        KIST_TRY_ASSIGN(Json content, parse_json(nodes.text(0)));
        KIST_TRY_ASSIGN(NodeRecord node, model::node_from_json(content));
        run.nodes.push_back(std::move(node));
      }
    });
  }

  Result<RunSummary> summary(std::string_view name) override {
    return read([&](Database& database) -> Result<RunSummary> {
      auto row = database.query(
          "SELECT name, workflow, dialect, project, state, message, created, started, finished, record FROM runs "
          "WHERE name = $1");
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
    });
  }

  Result<std::vector<RunSummary>> runs(const RunFilter& filter) override {
    return read([&](Database& database) -> Result<std::vector<RunSummary>> {
      std::unordered_map<std::string, std::vector<std::string>> tags;
      auto tag = database.query("SELECT run, name FROM tags WHERE removed = 0 ORDER BY number");
      while (true) {
        KIST_TRY_ASSIGN(bool more, tag.step());
        if (!more) break;
        tags[tag.text(0)].push_back(tag.text(1));
      }
      auto row = database.query(
          "SELECT name, workflow, dialect, project, state, message, created, started, finished, record FROM runs "
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
    });
  }

  Result<std::string> complete_run_name(std::string_view prefix) override {
    return read([&](Database& database) -> Result<std::string> {
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
    });
  }

  Result<std::string> newest_succeeded(std::string_view project, std::string_view workflow) override {
    return read([&](Database& database) -> Result<std::string> {
      auto row = database.query(
          "SELECT name FROM runs WHERE project = $1 AND workflow = $2 AND state = 'succeeded' "
          "ORDER BY finished DESC, number DESC LIMIT 1");
      KIST_TRY_ASSIGN(bool found, row.bind(project).bind(workflow).step());
      if (found) return row.text(0);
      return fail(ErrorKind::not_found,
                  fmt::format("workflow '{}' has no run in {} that succeeded: run it first", workflow, project));
    });
  }

  Status reopen(const RunRecord& run) override {
    return write([&](Database& database) -> Status {
      KIST_TRY(database
                   .query("UPDATE runs SET request = $2, state = $3, message = $4, started = $5, finished = $6, "
                          "record = NULL, logs = NULL WHERE name = $1")
                   .bind(run.name)
                   .bind(kist::to_text(to_json(run.request)))
                   .bind(model::to_string(run.state))
                   .bind(run.message)
                   .bind(to_number(run.started))
                   .bind(to_number(run.finished))
                   .run());
      if (database.changed() == 0) return no_run(run.name);
      KIST_TRY(database.query("DELETE FROM requests WHERE run = $1").bind(run.name).run());
      KIST_TRY(database.query("DELETE FROM nodes WHERE run = $1").bind(run.name).run());
      for (const NodeRecord& node : run.nodes) KIST_TRY(write_node(database, run.name, node));
      return {};
    });
  }

  Result<Work> find_work(std::string_view fingerprint, Time before) override {
    return read([&](Database& database) -> Result<Work> {
      auto row = database.query(
          "SELECT run, content FROM nodes WHERE fingerprint = $1 AND finished < $2 ORDER BY finished DESC LIMIT 1");
      KIST_TRY_ASSIGN(bool found, row.bind(fingerprint).bind(to_number(before)).step());
      if (!found) return fail(ErrorKind::not_found, "no earlier run did this");
      KIST_TRY_ASSIGN(Json content, parse_json(row.text(1)));
      Work work;
      work.run = row.text(0);
      KIST_TRY_ASSIGN(work.node, model::node_from_json(content));
      return work;
    });
  }

  Status remove_run(std::string_view name) override {
    return write([&](Database& database) -> Status {
      KIST_TRY(database.query("DELETE FROM runs WHERE name = $1").bind(name).run());
      if (database.changed() == 0) return no_run(name);
      KIST_TRY(database.query("DELETE FROM nodes WHERE run = $1").bind(name).run());
      KIST_TRY(database.query("DELETE FROM requests WHERE run = $1").bind(name).run());
      KIST_TRY(database.query("DELETE FROM locks WHERE run = $1").bind(name).run());
      KIST_TRY(remove_marks(database, name));
      // A later run of this name is another one: it does not get these tags.
      return database.query("UPDATE tags SET removed = 1 WHERE run = $1").bind(name).run();
    });
  }

  Status set_tag(std::string_view name, std::string_view run, Time created, bool replace) override {
    return write([&](Database& database) { return write_tag(database, name, run, created, replace); });
  }

  Result<Tag> tag(std::string_view name) override {
    return read([&](Database& database) -> Result<Tag> {
      auto row = database.query("SELECT name, run, record, created FROM tags WHERE name = $1");
      KIST_TRY_ASSIGN(bool found, row.bind(name).step());
      if (!found) return no_tag(name);
      return tag_from_row(row);
    });
  }

  Result<std::vector<Tag>> tags() override {
    return read([&](Database& database) -> Result<std::vector<Tag>> {
      auto row = database.query("SELECT name, run, record, created FROM tags ORDER BY number DESC");
      std::vector<Tag> tags;
      while (true) {
        KIST_TRY_ASSIGN(bool more, row.step());
        if (!more) return tags;
        KIST_TRY_ASSIGN(Tag tag, tag_from_row(row));
        tags.push_back(std::move(tag));
      }
    });
  }

  Status remove_tag(std::string_view name) override {
    return write([&](Database& database) -> Status {
      KIST_TRY(database.query("DELETE FROM tags WHERE name = $1").bind(name).run());
      if (database.changed() == 0) return no_tag(name);
      return {};
    });
  }

  Status set_key(const Key& key) override {
    return write([&](Database& database) { return write_key(database, key); });
  }
  Result<Key> key(std::string_view name) override {
    return read([&](Database& database) { return read_key(database, name); });
  }
  Result<std::vector<Key>> keys(std::string_view prefix) override {
    return read([&](Database& database) { return list_keys(database, prefix); });
  }
  Status remove_key(std::string_view name, const std::optional<Digest>& tree) override {
    return write([&](Database& database) { return delete_key(database, name, tree); });
  }

  Status mark_run(std::string_view run, const model::Marks& marks) override {
    return write([&](Database& database) -> Status {
      KIST_TRY_ASSIGN(bool exists, run_exists(database, run));
      if (!exists) return no_run(run);
      return write_marks(database, run, marks);
    });
  }
  Result<model::Marks> marks(std::string_view run) override {
    return read([&](Database& database) { return read_marks(database, run); });
  }
  Status add_owned(std::string_view run, const Owned& owned) override {
    return write([&](Database& database) -> Status {
      KIST_TRY_ASSIGN(bool exists, run_exists(database, run));
      if (!exists) return no_run(run);
      return write_owned(database, run, owned);
    });
  }
  Result<std::vector<Owned>> owned(std::string_view run) override {
    return read([&](Database& database) { return read_owned(database, run); });
  }

  Status check() override {
    return read([&](Database& database) -> Status {
      auto row = database.query("PRAGMA quick_check(1)");
      KIST_TRY_ASSIGN(bool found, row.step());
      if (found && row.text(0) != "ok")
        return fail(ErrorKind::corrupt, fmt::format("{} is damaged: {}", path_.string(), row.text(0)));
      return {};
    });
  }

  Status add_request(std::string_view run, const Request& request) override {
    return write([&](Database& database) -> Status {
      KIST_TRY_ASSIGN(bool exists, run_exists(database, run));
      if (!exists) return no_run(run);
      KIST_TRY_ASSIGN(std::int64_t number, count(database, "requests"));
      return database.query("INSERT INTO requests (number, run, kind, content) VALUES ($1, $2, $3, $4)")
          .bind(number)
          .bind(run)
          .bind(word_of(request.kind))
          .bind(content_of(request))
          .run();
    });
  }

  Result<std::vector<Request>> take_requests(std::string_view run) override {
    auto some = read([&](Database& database) -> Result<bool> {
      return database.query("SELECT 1 FROM requests WHERE run = $1 LIMIT 1").bind(run).step();
    });
    if (!some) return std::unexpected(some.error());
    if (!*some) return std::vector<Request>();
    return write([&](Database& database) -> Result<std::vector<Request>> {
      std::vector<Request> requests;
      {
        auto row = database.query("SELECT kind, content FROM requests WHERE run = $1 ORDER BY number");
        row.bind(run);
        while (true) {
          KIST_TRY_ASSIGN(bool more, row.step());
          if (!more) break;
          KIST_TRY_ASSIGN(requests.emplace_back(), request_from_row(row));
        }
      }
      KIST_TRY(database.query("DELETE FROM requests WHERE run = $1").bind(run).run());
      return requests;
    });
  }

  Result<LockAnswer> acquire(std::string_view run, std::string_view node, std::span<const LockWish> wishes,
                             const std::function<bool(std::string_view run)>& is_lost) override {
    return write_lightly([&](Database& database) { return acquire_locks(database, run, node, wishes, is_lost); });
  }

  Status release(std::string_view run, std::string_view node) override {
    return write_lightly([&](Database& database) { return release_locks(database, run, node); });
  }

  Status remember(std::string_view cache, std::string_view key, const Memo& memo) override {
    return write([&](Database& database) { return write_memo(database, cache, key, memo); });
  }

  Result<Memo> recall(std::string_view cache, std::string_view key) override {
    return read([&](Database& database) { return read_memo(database, cache, key); });
  }

  Status forget(std::string_view cache, std::string_view key) override {
    return write([&](Database& database) { return remove_memo(database, cache, key); });
  }

  Status memos(const std::function<Status(std::string_view, std::string_view, const Memo&)>& each) override {
    return read([&](Database& database) { return each_memo(database, each); });
  }

 private:
  // Runs `work` in one transaction; durable when it returns without an error.
  template <typename Work>
  auto write(Work work) -> std::invoke_result_t<Work, Database&> {
    if (!writer_) return std::unexpected(cannot_write_);
    std::lock_guard lock(writer_mutex_);
    KIST_TRY_ASSIGN(auto transaction, DatabaseTransaction::begin(*writer_, DatabaseTransaction::Kind::write));
    auto result = work(*writer_);
    if (result) KIST_TRY(transaction.commit());
    return result;
  }

  // The same for what means nothing once the machine has stopped: who holds what of it is gone with its owner. Nothing
  // is synced; a later write does it.
  template <typename Work>
  auto write_lightly(Work work) -> std::invoke_result_t<Work, Database&> {
    if (!writer_) return std::unexpected(cannot_write_);
    std::lock_guard lock(writer_mutex_);
    KIST_TRY(writer_->execute("PRAGMA synchronous = NORMAL"));
    auto result = [&]() -> std::invoke_result_t<Work, Database&> {
      KIST_TRY_ASSIGN(auto transaction, DatabaseTransaction::begin(*writer_, DatabaseTransaction::Kind::write));
      auto done = work(*writer_);
      if (done) KIST_TRY(transaction.commit());
      return done;
    }();
    if (auto back = writer_->execute("PRAGMA synchronous = FULL"); !back) return std::unexpected(back.error());
    return result;
  }

  template <typename Work>
  auto read(Work work) -> std::invoke_result_t<Work, Database&> {
    if (std::unique_lock lock(writer_mutex_, std::try_to_lock); lock && writer_) return read_from(*writer_, work);
    std::lock_guard lock(reader_mutex_);
    if (!reader_) {
      KIST_TRY_ASSIGN(reader_, Database::open(path_, readers_mode_));
    }
    return read_from(*reader_, work);
  }

  // What several statements of one read see is one moment.
  template <typename Work>
  auto read_from(Database& database, Work work) -> std::invoke_result_t<Work, Database&> {
    KIST_TRY_ASSIGN(auto transaction, DatabaseTransaction::begin(database, DatabaseTransaction::Kind::read));
    auto result = work(database);
    if (result) KIST_TRY(transaction.commit());
    return result;
  }

  static Status insert_run(Database& database, const std::string& name, std::int64_t number, const RunRecord& run) {
    Json used_runs = Json::array();
    for (const model::UsedRun& used : run.used_runs) used_runs.push_back(to_json(used));
    return database
        .query(
            "INSERT INTO runs (name, number, id, workflow, dialect, project, user_name, state, message, "
            "created, started, finished, request, used_runs) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)")
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
        .bind(kist::to_text(to_json(run.request)))
        .bind(kist::to_text(used_runs))
        .run();
  }

  static Status apply(Database& database, const Changes& changes) {
    auto state = changes.state.transform([](model::State value) { return model::to_string(value); });
    auto logs = changes.logs.transform([](const auto& value) { return kist::to_text(to_json(value)); });
    auto record = to_text(changes.record);
    if (state || changes.message || changes.started || changes.finished || record || logs) {
      KIST_TRY(database
                   .query("UPDATE runs SET state = COALESCE($2, state), message = COALESCE($3, message), "
                          "started = COALESCE($4, started), finished = COALESCE($5, finished), "
                          "record = COALESCE($6, record), logs = COALESCE($7, logs) WHERE name = $1")
                   .bind(changes.run)
                   .bind(state)
                   .bind(changes.message)
                   .bind(to_number(changes.started))
                   .bind(to_number(changes.finished))
                   .bind(record)
                   .bind(logs)
                   .run());
      if (database.changed() == 0) return no_run(changes.run);
    }
    if (record)
      KIST_TRY(database.query("UPDATE tags SET record = $2 WHERE run = $1 AND removed = 0")
                   .bind(changes.run)
                   .bind(record)
                   .run());
    for (const std::string& name : changes.removed)
      KIST_TRY(database.query("DELETE FROM nodes WHERE run = $1 AND name = $2").bind(changes.run).bind(name).run());
    for (const NodeRecord& node : changes.nodes) KIST_TRY(write_node(database, changes.run, node));
    return {};
  }

  // Only of what succeeded the fingerprint is a column: others are not looked for by it.
  static Status write_node(Database& database, const std::string& run, const NodeRecord& node) {
    const bool is_found = node.state == model::State::succeeded && !node.fingerprint.empty();
    return database
        .query(
            "INSERT INTO nodes (run, name, position, content, fingerprint, finished) VALUES ($1, $2, "
            "(SELECT COALESCE(MAX(position), 0) + 1 FROM nodes WHERE run = $1), $3, $4, $5) "
            "ON CONFLICT (run, name) DO UPDATE SET content = excluded.content, fingerprint = excluded.fingerprint, "
            "finished = excluded.finished")
        .bind(run)
        .bind(node.names.name)
        .bind(kist::to_text(to_json(node)))
        .bind(is_found ? std::optional(node.fingerprint) : std::nullopt)
        .bind(to_number(node.finished))
        .run();
  }

  static Status write_tag(Database& database, std::string_view name, std::string_view run, Time created, bool replace) {
    KIST_TRY(check_name("tag", name));
    std::optional<std::string> record;
    {
      auto row = database.query("SELECT record FROM runs WHERE name = $1");
      KIST_TRY_ASSIGN(bool found, row.bind(run).step());
      if (!found) return no_run(run);
      if (!row.is_null(0)) record = row.text(0);
    }
    {
      auto row = database.query("SELECT run FROM tags WHERE name = $1");
      KIST_TRY_ASSIGN(bool taken, row.bind(name).step());
      if (taken && !replace)
        return fail(ErrorKind::conflict,
                    fmt::format("there is a tag '{}' already, of run '{}': remove it first, or give another name", name,
                                row.text(0)));
    }
    KIST_TRY_ASSIGN(std::int64_t number, count(database, "tags"));
    return database
        .query(
            "INSERT INTO tags (name, number, run, removed, record, created) VALUES ($1, $2, $3, 0, $4, $5) "
            "ON CONFLICT (name) DO UPDATE SET number = excluded.number, run = excluded.run, removed = 0, "
            "record = excluded.record, created = excluded.created")
        .bind(name)
        .bind(number)
        .bind(run)
        .bind(record)
        .bind(to_number(created))
        .run();
  }

  std::filesystem::path path_;
  std::mutex writer_mutex_;
  std::optional<Database> writer_;
  std::mutex reader_mutex_;
  std::optional<Database> reader_;
  Database::Mode readers_mode_;
  Error cannot_write_;
};

// Two processes that create one database at once can meet where SQLite does not wait by itself.
Result<Database> open_to_write(const std::filesystem::path& path) {
  using namespace std::chrono_literals;
  auto deadline = std::chrono::steady_clock::now() + 10s;
  while (true) {
    auto attempt = [&]() -> Result<Database> {
      KIST_TRY_ASSIGN(Database database, Database::open(path, Database::Mode::write));
      KIST_TRY(prepare_schema(database));
      return database;
    }();
    bool busy = !attempt && attempt.error().kind == ErrorKind::unavailable;
    if (!busy || std::chrono::steady_clock::now() > deadline) return attempt;
    std::this_thread::sleep_for(10ms);
  }
}

bool has_log(const std::filesystem::path& database) {
  std::error_code error;
  auto size = std::filesystem::file_size(database.string() + "-wal", error);
  return !error && size > 0;
}

}  // namespace

Result<std::unique_ptr<Catalog>> Catalog::open(const Home& home) {
  std::filesystem::path path = home.catalog();
  auto writer = open_to_write(path);
  if (writer) return std::make_unique<SqliteCatalog>(path, std::move(*writer));
  ErrorKind kind = writer.error().kind;
  if (kind != ErrorKind::denied && kind != ErrorKind::no_space && kind != ErrorKind::io)
    return std::unexpected(writer.error());
  for (Database::Mode mode : {Database::Mode::read, Database::Mode::immutable}) {
    // What is still in the log would be missing without a word.
    if (mode == Database::Mode::immutable && has_log(path)) break;
    auto reader = Database::open(path, mode);
    if (reader && check_schema(*reader))
      return std::make_unique<SqliteCatalog>(path, std::move(*reader), mode, writer.error());
  }
  return std::unexpected(writer.error());
}

}  // namespace kist::catalog
