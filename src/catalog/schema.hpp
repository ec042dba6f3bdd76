// The tables of the catalog, and how an older one becomes today's.
#pragma once

#include "base/result.hpp"
#include "catalog/sqlite.hpp"

namespace kist::catalog {

// Makes the tables, or brings them up to date; nothing is written where they are. Several processes may do it at once.
// Errors: invalid (made by a newer kist).
Status prepare_schema(Database& database);
// The same check for a database that can only be read.
Status check_schema(Database& database);

}  // namespace kist::catalog
