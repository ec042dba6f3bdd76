// The table of keys, as the catalog keeps it.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "catalog/catalog.hpp"
#include "catalog/sqlite.hpp"

namespace kist::catalog {

Status write_key(Database& database, const Key& key);
Result<Key> read_key(Database& database, std::string_view name);
Result<std::vector<Key>> list_keys(Database& database, std::string_view prefix);
Status delete_key(Database& database, std::string_view name, const std::optional<Digest>& tree);

}  // namespace kist::catalog
