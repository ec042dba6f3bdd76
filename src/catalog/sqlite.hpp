// SQLite with errors as results and handles that close themselves. Nothing here knows what is stored.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace kist::catalog {

// One use of a prepared statement: parameters in order, then rows. An error of any call is returned by the next step().
// Lives no longer than its database; only one use of one statement at a time.
class Query {
 public:
  Query(sqlite3* database, Result<sqlite3_stmt*> statement);
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  // The next parameter ($1, $2, …).
  Query& bind(std::string_view text);
  Query& bind(std::int64_t number);
  Query& bind_null();
  template <typename T>
  Query& bind(const std::optional<T>& value) {
    return value ? bind(*value) : bind_null();
  }

  // Whether there is a (further) row.
  Result<bool> step();
  // To the end, for statements without rows.
  Status run();

  // Columns of the row, from 0.
  std::string text(int column) const;
  std::int64_t number(int column) const;
  bool is_null(int column) const;

 private:
  int next_parameter();

  sqlite3* database_;
  Result<sqlite3_stmt*> statement_;
  int bound_ = 0;
};

// A connection. Not thread-safe.
class Database {
 public:
  enum class Mode {
    write,      // created where it is missing; WAL, synchronous FULL
    read,       // nothing is written but SQLite's own bookkeeping
    immutable,  // the file alone is read: there is no bookkeeping, and nobody can write
  };
  // Errors: denied, no_space, corrupt, unavailable, not_found.
  static Result<Database> open(const std::filesystem::path& path, Mode mode);

  // A statement, prepared once. `sql` must be a literal: it is known by its address.
  Query query(const char* sql);
  // Several statements without parameters or rows.
  Status execute(const char* sql);
  // Rows that the last statement changed.
  std::int64_t changed() const;

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Database(sqlite3* handle) : handle_(handle) {}

  std::unique_ptr<sqlite3, Close> handle_;
  std::unordered_map<const char*, std::unique_ptr<sqlite3_stmt, Finalize>> statements_;
};

// Rolled back on destruction unless committed.
class DatabaseTransaction {
 public:
  enum class Kind { read, write };
  // A writing one holds the database's only write lock from its beginning.
  static Result<DatabaseTransaction> begin(Database& database, Kind kind);
  ~DatabaseTransaction();
  DatabaseTransaction(DatabaseTransaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  DatabaseTransaction& operator=(DatabaseTransaction&&) = delete;

  Status commit();

 private:
  explicit DatabaseTransaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace kist::catalog
