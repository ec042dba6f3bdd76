#include "catalog/sqlite.hpp"

#include <array>
#include <cerrno>

#include <fmt/format.h>
#include <sqlite3.h>

namespace kist::catalog {
namespace {

constexpr int kBusyMilliseconds = 10'000;

std::unexpected<Error> sqlite_error(sqlite3* database, int code) {
  const char* file = sqlite3_db_filename(database, "main");
  std::string name = file != nullptr && *file != '\0' ? file : "the catalog";
  std::string reason = sqlite3_errmsg(database);
  int system_error = sqlite3_system_errno(database);
  switch (code & 0xff) {
    case SQLITE_FULL:
      return fail(ErrorKind::no_space,
                  fmt::format("cannot write {}: no space left on its disk; `kist rm` and `kist gc` free some of "
                              "what kist takes there",
                              name));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fail(ErrorKind::unavailable,
                  fmt::format("{} is busy: another kist has been writing for {} seconds. Try again", name,
                              kBusyMilliseconds / 1000));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return fail(
          ErrorKind::corrupt,
          fmt::format("{} is damaged ({}): `kist fsck --rebuild-catalog` makes it anew from the records in the store",
                      name, reason));
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return fail(ErrorKind::denied, fmt::format("cannot write {}: it can only be read", name));
    case SQLITE_CONSTRAINT:
      return fail(ErrorKind::conflict, fmt::format("{}: {}", name, reason));
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
      if (system_error != 0) return fail_errno(fmt::format("cannot use {}: {}", name, reason), system_error);
      return fail((code & 0xff) == SQLITE_CANTOPEN ? ErrorKind::denied : ErrorKind::io,
                  fmt::format("cannot use {}: {}", name, reason));
    default:
      return fail(ErrorKind::io, fmt::format("{}: {}", name, reason));
  }
}

}  // namespace

Query::Query(sqlite3* database, Result<sqlite3_stmt*> statement)
    : database_(database), statement_(std::move(statement)) {}

Query::~Query() {
  if (!statement_) return;
  sqlite3_reset(*statement_);
  sqlite3_clear_bindings(*statement_);
}

// SQLite numbers `$1` by where it stands first, not by what it says.
int Query::next_parameter() {
  std::array<char, 8> name{};
  fmt::format_to_n(name.data(), name.size() - 1, "${}", ++bound_);
  return sqlite3_bind_parameter_index(*statement_, name.data());
}

Query& Query::bind(std::string_view text) {
  if (statement_ && sqlite3_bind_text64(*statement_, next_parameter(), text.data(), text.size(), SQLITE_TRANSIENT,
                                        SQLITE_UTF8) != SQLITE_OK)
    statement_ = sqlite_error(database_, sqlite3_errcode(database_));
  return *this;
}

Query& Query::bind(std::int64_t number) {
  if (statement_ && sqlite3_bind_int64(*statement_, next_parameter(), number) != SQLITE_OK)
    statement_ = sqlite_error(database_, sqlite3_errcode(database_));
  return *this;
}

Query& Query::bind_null() {
  ++bound_;  // an unbound parameter is null
  return *this;
}

Result<bool> Query::step() {
  if (!statement_) return std::unexpected(statement_.error());
  int code = sqlite3_step(*statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return sqlite_error(database_, code);
}

Status Query::run() {
  KIST_TRY(step());
  return {};
}

std::string Query::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(*statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(*statement_, column))};
}

std::int64_t Query::number(int column) const {
  return sqlite3_column_int64(*statement_, column);
}

bool Query::is_null(int column) const {
  return sqlite3_column_type(*statement_, column) == SQLITE_NULL;
}

void Database::Close::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}

void Database::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Result<Database> Database::open(const std::filesystem::path& path, Mode mode) {
  std::string name = path.string();
  int flags = SQLITE_OPEN_NOMUTEX;
  if (mode == Mode::write) flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  if (mode != Mode::write) flags |= SQLITE_OPEN_READONLY;
  if (mode == Mode::immutable) {
    std::string uri = "file:";
    for (unsigned char c : name)
      uri += std::string_view("?#%").contains(static_cast<char>(c)) ? fmt::format("%{:02x}", c)
                                                                    : std::string(1, static_cast<char>(c));
    name = uri + "?immutable=1";
    flags |= SQLITE_OPEN_URI;
  }
  sqlite3* handle = nullptr;
  int code = sqlite3_open_v2(name.c_str(), &handle, flags, nullptr);
  Database database(handle);
  if (handle == nullptr) return fail(ErrorKind::io, fmt::format("cannot open {}: out of memory", path.string()));
  if (code != SQLITE_OK) {
    if (sqlite3_system_errno(handle) != 0)
      return fail_errno(fmt::format("cannot open {}", path.string()), sqlite3_system_errno(handle));
    return fail(ErrorKind::denied, fmt::format("cannot open {}: {}", path.string(), sqlite3_errmsg(handle)));
  }
  sqlite3_busy_timeout(handle, kBusyMilliseconds);
  if (mode == Mode::write) {
    if (sqlite3_db_readonly(handle, "main") == 1)
      return fail_errno(fmt::format("cannot write {}", path.string()), EROFS);
    // The -wal and -shm files stay when the last connection closes: without them a database in WAL mode cannot be read
    // where nothing can be written.
    int keep = 1;
    sqlite3_file_control(handle, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
    KIST_TRY(
        database.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
                         "PRAGMA journal_size_limit = 1048576;"));
  }
  return database;
}

Query Database::query(const char* sql) {
  auto& statement = statements_[sql];
  if (!statement) {
    sqlite3_stmt* prepared = nullptr;
    int code = sqlite3_prepare_v3(handle_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
    if (code != SQLITE_OK) return Query(handle_.get(), sqlite_error(handle_.get(), code));
    statement.reset(prepared);
  }
  return Query(handle_.get(), statement.get());
}

Status Database::execute(const char* sql) {
  int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return sqlite_error(handle_.get(), code);
  return {};
}

std::int64_t Database::changed() const {
  return sqlite3_changes64(handle_.get());
}

Result<DatabaseTransaction> DatabaseTransaction::begin(Database& database, Kind kind) {
  KIST_TRY(database.query(kind == Kind::write ? "BEGIN IMMEDIATE" : "BEGIN").run());
  return DatabaseTransaction(database);
}

DatabaseTransaction::~DatabaseTransaction() {
  if (database_ != nullptr) (void)database_->query("ROLLBACK").run();
}

Status DatabaseTransaction::commit() {
  KIST_TRY(database_->query("COMMIT").run());
  database_ = nullptr;
  return {};
}

}  // namespace kist::catalog
