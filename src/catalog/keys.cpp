#include "catalog/keys.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "catalog/rows.hpp"

namespace kist::catalog {
namespace {

constexpr std::size_t kLongestKey = 1024;  // as S3 has it

// A key is a path to somebody else: what would lead elsewhere as one is refused.
Status check(std::string_view key) {
  bool good = !key.empty() && key.size() <= kLongestKey &&
              std::ranges::none_of(key, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  for (std::string_view rest = key; good;) {
    const auto slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    good = !part.empty() && part != "." && part != "..";
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  if (good) return {};
  return fail(ErrorKind::invalid,
              fmt::format("'{}' cannot be a key: it is parts with single slashes between them, none "
                          "of them '.' or '..', at most {} bytes",
                          key, kLongestKey));
}

Result<Key> key_from_row(const Query& row) {
  KIST_TRY_ASSIGN(Json value, parse_json(row.text(1)));
  Key key{.key = row.text(0), .artifact = {}, .run = row.text(2), .created = {}};
  KIST_TRY_ASSIGN(key.artifact, model::artifact_from_json(value));
  key.created = to_time(row.number(3));
  return key;
}

std::unexpected<Error> no_key(std::string_view name) {
  return fail(ErrorKind::not_found, fmt::format("there is nothing under the key '{}'", name));
}

}  // namespace

Status write_key(Database& database, const Key& key) {
  KIST_TRY(check(key.key));
  return database
      .query(
          "INSERT INTO keys (name, tree, artifact, run, created) VALUES ($1, $2, $3, $4, $5) "
          "ON CONFLICT (name) DO UPDATE SET tree = excluded.tree, artifact = excluded.artifact, "
          "run = excluded.run, created = excluded.created")
      .bind(key.key)
      .bind(key.artifact.tree.to_string())
      .bind(to_text(to_json(key.artifact)))
      .bind(key.run)
      .bind(to_number(key.created))
      .run();
}

Result<Key> read_key(Database& database, std::string_view name) {
  auto row = database.query("SELECT name, artifact, run, created FROM keys WHERE name = $1");
  KIST_TRY_ASSIGN(bool found, row.bind(name).step());
  if (!found) return no_key(name);
  return key_from_row(row);
}

Result<std::vector<Key>> list_keys(Database& database, std::string_view prefix) {
  // Names are compared by their bytes, so those with the prefix are side by side.
  auto row = database.query("SELECT name, artifact, run, created FROM keys WHERE name >= $1 ORDER BY name");
  row.bind(prefix);
  std::vector<Key> keys;
  while (true) {
    KIST_TRY_ASSIGN(bool more, row.step());
    if (!more || !row.text(0).starts_with(prefix)) return keys;
    KIST_TRY_ASSIGN(Key key, key_from_row(row));
    keys.push_back(std::move(key));
  }
}

Status delete_key(Database& database, std::string_view name, const std::optional<Digest>& tree) {
  KIST_TRY(database.query("DELETE FROM keys WHERE name = $1 AND tree = COALESCE($2, tree)")
               .bind(name)
               .bind(to_text_or_null(tree))
               .run());
  return database.changed() == 0 ? Status(no_key(name)) : Status();
}

}  // namespace kist::catalog
