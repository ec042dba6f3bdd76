// Outputs of nodes that are remembered by key.
#pragma once

#include <functional>
#include <string_view>

#include "base/result.hpp"
#include "catalog/catalog.hpp"
#include "catalog/sqlite.hpp"

namespace kist::catalog {

// In a transaction; see Catalog::remember(), recall(), forget() and memos().
Status write_memo(Database& database, std::string_view cache, std::string_view key, const Memo& memo);
Result<Memo> read_memo(Database& database, std::string_view cache, std::string_view key);
Status remove_memo(Database& database, std::string_view cache, std::string_view key);
Status each_memo(Database& database,
                 const std::function<Status(std::string_view cache, std::string_view key, const Memo&)>& each);

}  // namespace kist::catalog
