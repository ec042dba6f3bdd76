// Portable SQL: what is here and in catalog.cpp is understood by PostgreSQL too. Times are nanoseconds since 1970,
// digests and structured values texts (JSON, as model/record.hpp writes it). `number` columns give the order of
// creation.
//
// A version is never changed once it is released: a new one adds a step to kSteps, which leads from the one before.
#include "catalog/schema.hpp"

#include <array>

#include <fmt/format.h>

namespace kist::catalog {
namespace {

constexpr auto kSteps = std::to_array<const char*>({
    R"sql(
CREATE TABLE runs (
  name TEXT PRIMARY KEY,
  number BIGINT NOT NULL UNIQUE,
  id TEXT NOT NULL,
  workflow TEXT NOT NULL,
  dialect TEXT NOT NULL,
  project TEXT NOT NULL,
  user_name TEXT NOT NULL,
  state TEXT NOT NULL,
  message TEXT NOT NULL,
  created BIGINT NOT NULL,
  started BIGINT NOT NULL,
  finished BIGINT NOT NULL,
  request TEXT NOT NULL,
  used_runs TEXT NOT NULL,
  record TEXT,
  logs TEXT
);
CREATE INDEX runs_by_workflow ON runs (project, workflow, state, number);

CREATE TABLE nodes (
  run TEXT NOT NULL,
  name TEXT NOT NULL,
  position BIGINT NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (run, name)
);
CREATE UNIQUE INDEX nodes_by_position ON nodes (run, position);

CREATE TABLE tags (
  name TEXT PRIMARY KEY,
  number BIGINT NOT NULL,
  run TEXT NOT NULL,
  removed BIGINT NOT NULL,
  record TEXT,
  created BIGINT NOT NULL
);
CREATE INDEX tags_by_run ON tags (run);

CREATE TABLE requests (
  number BIGINT PRIMARY KEY,
  run TEXT NOT NULL,
  kind TEXT NOT NULL
);
CREATE INDEX requests_by_run ON requests (run, number);

CREATE TABLE counters (
  name TEXT PRIMARY KEY,
  value BIGINT NOT NULL
);
)sql",
    R"sql(
CREATE TABLE keys (
  name TEXT PRIMARY KEY,
  tree TEXT NOT NULL,
  artifact TEXT NOT NULL,
  run TEXT NOT NULL,
  created BIGINT NOT NULL
);
)sql",
    R"sql(
ALTER TABLE requests ADD COLUMN content TEXT;

CREATE TABLE locks (
  number BIGINT NOT NULL,
  name TEXT NOT NULL,
  run TEXT NOT NULL,
  node TEXT NOT NULL,
  held BIGINT NOT NULL,
  PRIMARY KEY (name, run, node)
);
CREATE INDEX locks_by_run ON locks (run, node);

CREATE TABLE memos (
  cache TEXT NOT NULL,
  key TEXT NOT NULL,
  created BIGINT NOT NULL,
  run TEXT NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (cache, key)
);
)sql",
    R"sql(
CREATE TABLE marks (
  run TEXT NOT NULL,
  sort TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (run, sort, name, value)
);
)sql",
    R"sql(
ALTER TABLE nodes ADD COLUMN fingerprint TEXT;
ALTER TABLE nodes ADD COLUMN finished BIGINT;
CREATE INDEX nodes_by_fingerprint ON nodes (fingerprint, finished) WHERE fingerprint IS NOT NULL;
)sql",
    R"sql(
ALTER TABLE runs ADD COLUMN expires BIGINT NOT NULL DEFAULT 0;
)sql",
    R"sql(
ALTER TABLE locks ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;
ALTER TABLE locks ADD COLUMN created BIGINT NOT NULL DEFAULT 0;
)sql",
    R"sql(
ALTER TABLE runs ADD COLUMN keep_succeeded BIGINT;
ALTER TABLE runs ADD COLUMN keep_failed BIGINT;
)sql",
    R"sql(
CREATE TABLE metrics (
  name TEXT NOT NULL,
  labels TEXT NOT NULL,
  number BIGINT NOT NULL,
  kind TEXT NOT NULL,
  help TEXT NOT NULL,
  value TEXT NOT NULL,
  buckets TEXT NOT NULL,
  count BIGINT NOT NULL,
  since BIGINT NOT NULL,
  run TEXT NOT NULL,
  PRIMARY KEY (name, labels)
);
CREATE INDEX metrics_by_number ON metrics (number);
)sql",
});

constexpr auto kNewest = static_cast<std::int64_t>(kSteps.size());

// 0: there are no tables yet.
Result<std::int64_t> schema_version(Database& database) {
  auto exists = database.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'");
  KIST_TRY_ASSIGN(bool there, exists.step());
  if (!there) return 0;
  auto version = database.query("SELECT version FROM schema_version");
  KIST_TRY_ASSIGN(bool row, version.step());
  return row ? version.number(0) : 0;
}

Status check(std::int64_t version) {
  if (version <= kNewest) return {};
  return fail(ErrorKind::invalid,
              fmt::format("the catalog was made by a newer kist (its version is {}, this kist knows "
                          "{}): use that kist, or another KIST_HOME",
                          version, kNewest));
}

}  // namespace

Status prepare_schema(Database& database) {
  KIST_TRY_ASSIGN(std::int64_t version, schema_version(database));
  if (version == kNewest) return {};
  KIST_TRY_ASSIGN(auto transaction, DatabaseTransaction::begin(database, DatabaseTransaction::Kind::write));
  KIST_TRY_ASSIGN(version, schema_version(database));  // somebody may have been faster
  KIST_TRY(check(version));
  if (version == 0)
    KIST_TRY(
        database.execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL); "
                         "INSERT INTO schema_version (version) VALUES (0);"));
  for (auto step = static_cast<std::size_t>(version); step < kSteps.size(); ++step)
    KIST_TRY(database.execute(kSteps[step]));
  KIST_TRY(database.query("UPDATE schema_version SET version = $1").bind(kNewest).run());
  return transaction.commit();
}

Status check_schema(Database& database) {
  KIST_TRY_ASSIGN(std::int64_t version, schema_version(database));
  if (version == 0) return fail(ErrorKind::not_found, "the catalog is empty");
  return check(version);
}

}  // namespace kist::catalog
