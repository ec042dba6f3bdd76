#include "catalog/nodes.hpp"

#include <nlohmann/json.hpp>

#include "catalog/rows.hpp"

namespace kist::catalog {

Status write_node(Database& database, std::string_view run, const model::NodeRecord& node) {
  // Only of what succeeded the fingerprint is a column: others are not looked for by it.
  const bool is_found = node.state == model::State::succeeded && !node.fingerprint.empty();
  return database
      .query(
          "INSERT INTO nodes (run, name, position, content, fingerprint, finished) VALUES ($1, $2, "
          "(SELECT COALESCE(MAX(position), 0) + 1 FROM nodes WHERE run = $1), $3, $4, $5) "
          "ON CONFLICT (run, name) DO UPDATE SET content = excluded.content, fingerprint = excluded.fingerprint, "
          "finished = excluded.finished")
      .bind(run)
      .bind(node.names.name)
      .bind(to_text(to_json(node)))
      .bind(is_found ? std::optional(node.fingerprint) : std::nullopt)
      .bind(to_number(node.finished))
      .run();
}

Status delete_node(Database& database, std::string_view run, std::string_view name) {
  return database.query("DELETE FROM nodes WHERE run = $1 AND name = $2").bind(run).bind(name).run();
}

Status delete_nodes(Database& database, std::string_view run) {
  return database.query("DELETE FROM nodes WHERE run = $1").bind(run).run();
}

Result<std::vector<model::NodeRecord>> read_nodes(Database& database, std::string_view run) {
  auto row = database.query("SELECT content FROM nodes WHERE run = $1 ORDER BY position");
  row.bind(run);
  std::vector<model::NodeRecord> nodes;
  while (true) {
    KIST_TRY_ASSIGN(bool more, row.step());
    if (!more) return nodes;
    KIST_TRY_ASSIGN(Json content, parse_json(row.text(0)));
    KIST_TRY_ASSIGN(model::NodeRecord node, model::node_from_json(content));
    nodes.push_back(std::move(node));
  }
}

Result<Work> read_work(Database& database, std::string_view fingerprint, Time before) {
  auto row = database.query(
      "SELECT run, content FROM nodes WHERE fingerprint = $1 AND finished < $2 ORDER BY finished DESC LIMIT 1");
  KIST_TRY_ASSIGN(bool found, row.bind(fingerprint).bind(to_number(before)).step());
  if (!found) return fail(ErrorKind::not_found, "no earlier run did this");
  KIST_TRY_ASSIGN(Json content, parse_json(row.text(1)));
  Work work;
  work.run = row.text(0);
  KIST_TRY_ASSIGN(work.node, model::node_from_json(content));
  return work;
}

}  // namespace kist::catalog
