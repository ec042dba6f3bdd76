#include "catalog/tags.hpp"

#include <fmt/format.h>

#include "catalog/rows.hpp"

namespace kist::catalog {
namespace {

std::unexpected<Error> no_tag(std::string_view name) {
  return fail(ErrorKind::not_found, fmt::format("there is no tag '{}'", name));
}

Result<Tag> tag_from_row(const Query& row) {
  Tag tag;
  tag.name = row.text(0);
  tag.run = row.text(1);
  KIST_TRY_ASSIGN(tag.record, to_digest(row, 2));
  tag.created = to_time(row.number(3));
  return tag;
}

struct Row {
  std::string_view name;
  std::string_view run;
  bool removed;  // the run is not here, or is another one of its name
  std::optional<std::string> record;
  Time created;
};

// In place of what was there, and the newest then.
Status put_tag(Database& database, const Row& row) {
  KIST_TRY_ASSIGN(std::int64_t number, count(database, "tags"));
  return database
      .query(
          "INSERT INTO tags (name, number, run, removed, record, created) VALUES ($1, $2, $3, $4, $5, $6) "
          "ON CONFLICT (name) DO UPDATE SET number = excluded.number, run = excluded.run, "
          "removed = excluded.removed, record = excluded.record, created = excluded.created")
      .bind(row.name)
      .bind(number)
      .bind(row.run)
      .bind(std::int64_t{row.removed})
      .bind(row.record)
      .bind(to_number(row.created))
      .run();
}

}  // namespace

Status write_tag(Database& database, std::string_view name, std::string_view run, Time created, bool replace) {
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
  return put_tag(database, {name, run, false, record, created});
}

Status write_foreign_tag(Database& database, const Tag& tag) {
  KIST_TRY(check_name("tag", tag.name));
  KIST_TRY_ASSIGN(bool exists, run_exists(database, tag.run));
  return put_tag(database, {tag.name, tag.run, !exists, to_text_or_null(tag.record), tag.created});
}

Result<Tag> read_tag(Database& database, std::string_view name) {
  auto row = database.query("SELECT name, run, record, created FROM tags WHERE name = $1");
  KIST_TRY_ASSIGN(bool found, row.bind(name).step());
  if (!found) return no_tag(name);
  return tag_from_row(row);
}

Result<std::vector<Tag>> list_tags(Database& database) {
  auto row = database.query("SELECT name, run, record, created FROM tags ORDER BY number DESC");
  std::vector<Tag> tags;
  while (true) {
    KIST_TRY_ASSIGN(bool more, row.step());
    if (!more) return tags;
    KIST_TRY_ASSIGN(Tag tag, tag_from_row(row));
    tags.push_back(std::move(tag));
  }
}

Status delete_tag(Database& database, std::string_view name) {
  KIST_TRY(database.query("DELETE FROM tags WHERE name = $1").bind(name).run());
  if (database.changed() == 0) return no_tag(name);
  return {};
}

Status give_record_to_tags(Database& database, std::string_view run, std::string_view record) {
  return database.query("UPDATE tags SET record = $2 WHERE run = $1 AND removed = 0").bind(run).bind(record).run();
}

Status part_tags_from_run(Database& database, std::string_view run) {
  return database.query("UPDATE tags SET removed = 1 WHERE run = $1").bind(run).run();
}

}  // namespace kist::catalog
