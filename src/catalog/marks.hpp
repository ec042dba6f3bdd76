// What is written on runs: labels, annotations, and what goes with a run when it is removed.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "catalog/catalog.hpp"
#include "catalog/sqlite.hpp"

namespace kist::catalog {

// See Catalog::mark_run(), marks(), add_owned() and owned(). Errors of write_…: not_found (the run).
Status write_marks(Database& database, std::string_view run, const model::Marks& marks);
Result<model::Marks> read_marks(Database& database, std::string_view run);
Status write_owned(Database& database, std::string_view run, const Owned& owned);
Result<std::vector<Owned>> read_owned(Database& database, std::string_view run);
Status remove_marks(Database& database, std::string_view run);

}  // namespace kist::catalog
