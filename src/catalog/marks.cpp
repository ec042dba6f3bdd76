#include "catalog/marks.hpp"

#include "catalog/rows.hpp"

namespace kist::catalog {
namespace {

constexpr std::string_view kLabel = "label";
constexpr std::string_view kAnnotation = "annotation";
constexpr std::string_view kOwned = "owned";

Status write_mark(Database& database, std::string_view run, std::string_view sort, std::string_view name,
                  std::string_view value) {
  return database
      .query(
          "INSERT INTO marks (run, sort, name, value) VALUES ($1, $2, $3, $4) "
          "ON CONFLICT (run, sort, name, value) DO NOTHING")
      .bind(run)
      .bind(sort)
      .bind(name)
      .bind(value)
      .run();
}

}  // namespace

Status write_marks(Database& database, std::string_view run, const model::Marks& marks) {
  KIST_TRY_ASSIGN(bool exists, run_exists(database, run));
  if (!exists) return no_run(run);
  for (const auto& [sort, pairs] : {std::pair(kLabel, &marks.labels), std::pair(kAnnotation, &marks.annotations)}) {
    KIST_TRY(database.query("DELETE FROM marks WHERE run = $1 AND sort = $2").bind(run).bind(sort).run());
    for (const auto& [name, value] : *pairs) KIST_TRY(write_mark(database, run, sort, name, value));
  }
  return {};
}

Result<model::Marks> read_marks(Database& database, std::string_view run) {
  model::Marks marks;
  auto row = database.query("SELECT sort, name, value FROM marks WHERE run = $1 ORDER BY name");
  row.bind(run);
  while (true) {
    KIST_TRY_ASSIGN(bool more, row.step());
    if (!more) return marks;
    const std::string sort = row.text(0);
    if (sort == kLabel) marks.labels.emplace_back(row.text(1), row.text(2));
    if (sort == kAnnotation) marks.annotations.emplace_back(row.text(1), row.text(2));
  }
}

Status write_owned(Database& database, std::string_view run, const Owned& owned) {
  KIST_TRY_ASSIGN(bool exists, run_exists(database, run));
  if (!exists) return no_run(run);
  return write_mark(database, run, kOwned, owned.sort, owned.name);
}

Result<std::vector<Owned>> read_owned(Database& database, std::string_view run) {
  std::vector<Owned> all;
  auto row = database.query("SELECT name, value FROM marks WHERE run = $1 AND sort = $2 ORDER BY name, value");
  row.bind(run).bind(kOwned);
  while (true) {
    KIST_TRY_ASSIGN(bool more, row.step());
    if (!more) return all;
    all.push_back({row.text(0), row.text(1)});
  }
}

Result<std::vector<std::string>> read_owners(Database& database, const Owned& owned) {
  std::vector<std::string> runs;
  auto row = database.query("SELECT run FROM marks WHERE sort = $1 AND name = $2 AND value = $3 ORDER BY run");
  row.bind(kOwned).bind(owned.sort).bind(owned.name);
  while (true) {
    KIST_TRY_ASSIGN(bool more, row.step());
    if (!more) return runs;
    runs.push_back(row.text(0));
  }
}

Status remove_owned_mark(Database& database, const Owned& owned) {
  return database.query("DELETE FROM marks WHERE sort = $1 AND name = $2 AND value = $3")
      .bind(kOwned)
      .bind(owned.sort)
      .bind(owned.name)
      .run();
}

Status remove_marks(Database& database, std::string_view run) {
  KIST_TRY(remove_owned_mark(database, {"run", std::string(run)}));
  return database.query("DELETE FROM marks WHERE run = $1").bind(run).run();
}

}  // namespace kist::catalog
