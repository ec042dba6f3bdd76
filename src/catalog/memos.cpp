#include "catalog/memos.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "catalog/rows.hpp"

namespace kist::catalog {
namespace {

Result<Memo> memo_from_row(const Query& row) {
  Memo memo;
  memo.created = to_time(row.number(0));
  memo.run = row.text(1);
  KIST_TRY_ASSIGN(Json content, parse_json(row.text(2)));
  KIST_TRY_ASSIGN(memo.node, model::node_from_json(content));
  return memo;
}

}  // namespace

Status write_memo(Database& database, std::string_view cache, std::string_view key, const Memo& memo) {
  return database
      .query(
          "INSERT INTO memos (cache, key, created, run, content) VALUES ($1, $2, $3, $4, $5) "
          "ON CONFLICT (cache, key) DO UPDATE SET created = excluded.created, run = excluded.run, "
          "content = excluded.content")
      .bind(cache)
      .bind(key)
      .bind(to_number(memo.created))
      .bind(memo.run)
      .bind(to_text(to_json(memo.node)))
      .run();
}

Result<Memo> read_memo(Database& database, std::string_view cache, std::string_view key) {
  auto row = database.query("SELECT created, run, content FROM memos WHERE cache = $1 AND key = $2");
  KIST_TRY_ASSIGN(bool found, row.bind(cache).bind(key).step());
  if (!found) return fail(ErrorKind::not_found, fmt::format("nothing is remembered as '{}' in '{}'", key, cache));
  return memo_from_row(row);
}

Status remove_memo(Database& database, std::string_view cache, std::string_view key) {
  return database.query("DELETE FROM memos WHERE cache = $1 AND key = $2").bind(cache).bind(key).run();
}

Status each_memo(Database& database,
                 const std::function<Status(std::string_view cache, std::string_view key, const Memo&)>& each) {
  auto row = database.query("SELECT created, run, content, cache, key FROM memos");
  while (true) {
    KIST_TRY_ASSIGN(bool more, row.step());
    if (!more) return {};
    KIST_TRY_ASSIGN(Memo memo, memo_from_row(row));
    KIST_TRY(each(row.text(3), row.text(4), memo));
  }
}

}  // namespace kist::catalog
