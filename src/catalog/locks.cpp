#include "catalog/locks.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <unordered_map>

#include "catalog/rows.hpp"

namespace kist::catalog {
namespace {

// Once: the place in the line is kept however often it is asked.
Status stand_in_line(Database& database, std::string_view name, const LockSeeker& seeker) {
  return database
      .query(
          "INSERT INTO locks (number, name, run, node, held, priority, created) "
          "VALUES ((SELECT COALESCE(MAX(number), 0) + 1 FROM locks), $1, $2, $3, 0, $4, $5) ON CONFLICT DO NOTHING")
      .bind(name)
      .bind(seeker.run)
      .bind(seeker.node)
      .bind(seeker.priority)
      .bind(to_number(seeker.created))
      .run();
}

struct Line {
  std::size_t before = 0;  // who holds it or gets it earlier
  std::size_t held = 0;
  std::set<std::string> gone;  // runs without an owner
};

}  // namespace

Result<LockAnswer> acquire_locks(Database& database, const LockSeeker& seeker, std::span<const LockWish> wishes,
                                 const std::function<bool(std::string_view run)>& is_lost) {
  std::unordered_map<std::string, bool> lost;
  auto is_gone = [&](const std::string& other) {
    if (other == seeker.run) return false;
    auto [known, is_new] = lost.try_emplace(other, false);
    if (is_new) known->second = is_lost(other);
    return known->second;
  };
  auto look = [&](const LockWish& wish) -> Result<Line> {
    Line line;
    auto row = database.query(
        "SELECT run, node, held FROM locks WHERE name = $1 ORDER BY held DESC, priority DESC, created, number");
    row.bind(wish.name);
    for (bool own = false;;) {
      KIST_TRY_ASSIGN(bool more, row.step());
      if (!more) return line;
      const std::string other = row.text(0);
      if (is_gone(other)) {
        line.gone.insert(other);
        continue;
      }
      own = own || (other == seeker.run && row.text(1) == seeker.node);
      if (!own) ++line.before;
      if (row.number(2) != 0) ++line.held;
    }
  };

  LockAnswer answer{.held = true, .blocking = {}, .free = 0, .limit = 0};
  for (const LockWish& wish : wishes) {
    KIST_TRY(stand_in_line(database, wish.name, seeker));
    KIST_TRY_ASSIGN(Line line, look(wish));
    for (const std::string& other : line.gone) KIST_TRY(release_locks(database, other, ""));
    if (line.before < wish.limit || !answer.held) continue;
    answer = {.held = false,
              .blocking = wish.name,
              .free = wish.limit - std::min(line.held, wish.limit),
              .limit = wish.limit};
  }
  if (answer.held)
    KIST_TRY(database.query("UPDATE locks SET held = 1 WHERE run = $1 AND node = $2")
                 .bind(seeker.run)
                 .bind(seeker.node)
                 .run());
  return answer;
}

Status release_locks(Database& database, std::string_view run, std::string_view node) {
  return database.query("DELETE FROM locks WHERE run = $1 AND ($2 = '' OR node = $2)").bind(run).bind(node).run();
}

}  // namespace kist::catalog
