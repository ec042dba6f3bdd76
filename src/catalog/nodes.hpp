// The table of nodes, as the catalog keeps it.
#pragma once

#include <string_view>
#include <vector>

#include "catalog/catalog.hpp"
#include "catalog/sqlite.hpp"

namespace kist::catalog {

// Adds it to its run, or replaces the one of its name.
Status write_node(Database& database, std::string_view run, const model::NodeRecord& node);
Status delete_node(Database& database, std::string_view run, std::string_view name);
Status delete_nodes(Database& database, std::string_view run);
// In the order in which they were added.
Result<std::vector<model::NodeRecord>> read_nodes(Database& database, std::string_view run);
// See Catalog::find_work().
Result<Work> read_work(Database& database, std::string_view fingerprint, Time before);

}  // namespace kist::catalog
