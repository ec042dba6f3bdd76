// One connection writes; while it does, another one reads (WAL), so a listing or a poll for requests does not wait for
// an fsync. Each has its mutex. A read takes whichever is free, and the second is opened only when that is neither.
//
// Where the home cannot be written (read-only file system, full disk) reading still works as far as SQLite can; writing
// gives the error that opening for writing gave.
#include "catalog/catalog.hpp"

#include <chrono>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "catalog/history.hpp"
#include "catalog/keys.hpp"
#include "catalog/locks.hpp"
#include "catalog/marks.hpp"
#include "catalog/memos.hpp"
#include "catalog/metrics.hpp"
#include "catalog/nodes.hpp"
#include "catalog/requests.hpp"
#include "catalog/runs.hpp"
#include "catalog/schema.hpp"
#include "catalog/sqlite.hpp"
#include "catalog/tags.hpp"

namespace kist::catalog {
namespace {

class SqliteCatalog : public Catalog {
 public:
  SqliteCatalog(std::filesystem::path path, Database writer)
      : path_(std::move(path)), writer_(std::move(writer)), readers_mode_(Database::Mode::read) {}
  SqliteCatalog(std::filesystem::path path, Database reader, Database::Mode mode, Error cannot_write)
      : path_(std::move(path)),
        reader_(std::move(reader)),
        readers_mode_(mode),
        cannot_write_(std::move(cannot_write)) {}

  Result<std::string> create_run(const model::RunRecord& run, const model::RunNaming& naming,
                                 const std::function<std::uint32_t(std::uint32_t)>& random) override {
    return write([&](Database& database) { return add_run(database, run, naming, random); });
  }

  Status import_run(const model::RunRecord& run, const Digest& record,
                    const std::optional<Digest>& instead_of) override {
    return write([&](Database& database) { return add_foreign_run(database, run, record, instead_of); });
  }

  Status import_tag(const Tag& tag) override {
    return write([&](Database& database) { return write_foreign_tag(database, tag); });
  }

  Status apply(std::span<const Changes> all) override {
    return write([&](Database& database) -> Status {
      for (const Changes& changes : all) KIST_TRY(write_changes(database, changes));
      return {};
    });
  }

  Result<model::RunRecord> run(std::string_view name) override {
    return read([&](Database& database) { return read_run(database, name); });
  }

  Result<RunSummary> summary(std::string_view name) override {
    return read([&](Database& database) { return read_summary(database, name); });
  }

  Result<std::vector<RunSummary>> runs(const RunFilter& filter) override {
    return read([&](Database& database) { return list_runs(database, filter); });
  }

  Result<std::string> complete_run_name(std::string_view prefix) override {
    return read([&](Database& database) { return find_run_name(database, prefix); });
  }

  Result<std::string> newest_succeeded(std::string_view project, std::string_view workflow) override {
    return read([&](Database& database) { return find_newest_succeeded(database, project, workflow); });
  }

  Result<EarlierRuns> earlier_runs(std::string_view project, std::string_view workflow) override {
    return read([&](Database& database) { return read_earlier_runs(database, project, workflow); });
  }

  Status reopen(const model::RunRecord& run) override {
    return write([&](Database& database) { return rewrite_run(database, run); });
  }

  Status remove_run(std::string_view name) override {
    return write([&](Database& database) { return delete_run(database, name); });
  }

  Status set_tag(std::string_view name, std::string_view run, Time created, bool replace) override {
    return write([&](Database& database) { return write_tag(database, name, run, created, replace); });
  }

  Result<Tag> tag(std::string_view name) override {
    return read([&](Database& database) { return read_tag(database, name); });
  }

  Result<std::vector<Tag>> tags() override {
    return read([&](Database& database) { return list_tags(database); });
  }

  Status remove_tag(std::string_view name) override {
    return write([&](Database& database) { return delete_tag(database, name); });
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
    return write([&](Database& database) { return write_marks(database, run, marks); });
  }
  Result<model::Marks> marks(std::string_view run) override {
    return read([&](Database& database) { return read_marks(database, run); });
  }
  Status add_owned(std::string_view run, const Owned& owned) override {
    return write([&](Database& database) { return write_owned(database, run, owned); });
  }
  Result<std::vector<Owned>> owned(std::string_view run) override {
    return read([&](Database& database) { return read_owned(database, run); });
  }
  Result<std::vector<std::string>> owners(const Owned& owned) override {
    return read([&](Database& database) { return read_owners(database, owned); });
  }
  Status disown(const Owned& owned) override {
    return write([&](Database& database) { return remove_owned_mark(database, owned); });
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
    return write([&](Database& database) { return write_request(database, run, request); });
  }

  Result<std::vector<Request>> requests(std::string_view run) override {
    return read([&](Database& database) { return read_requests(database, run); });
  }

  Result<LockAnswer> acquire(const LockSeeker& seeker, std::span<const LockWish> wishes,
                             const std::function<bool(std::string_view run)>& is_lost) override {
    return write_lightly([&](Database& database) { return acquire_locks(database, seeker, wishes, is_lost); });
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

  Result<Work> find_work(std::string_view fingerprint, Time before) override {
    return read([&](Database& database) { return read_work(database, fingerprint, before); });
  }

  Status check_measurement(const Series& series) override {
    return read([&](Database& database) { return check_series(database, series); });
  }

  Result<std::vector<Series>> metrics() override {
    return read([&](Database& database) { return list_series(database); });
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
