// What is written on runs: labels, annotations, and what goes with a run when it is removed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "catalog/catalog.hpp"
#include "catalog/sqlite.hpp"

namespace kist::catalog {

// See Catalog::mark_run(), marks(), add_owned(), owned(), owners() and disown(). Errors of write_…: not_found (the
// run).
Status write_marks(Database& database, std::string_view run, const model::Marks& marks);
Result<model::Marks> read_marks(Database& database, std::string_view run);
Status write_owned(Database& database, std::string_view run, const Owned& owned);
Result<std::vector<Owned>> read_owned(Database& database, std::string_view run);
Result<std::vector<std::string>> read_owners(Database& database, const Owned& owned);
Status remove_owned_mark(Database& database, const Owned& owned);
Status remove_marks(Database& database, std::string_view run);

}  // namespace kist::catalog
