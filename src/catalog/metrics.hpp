// The series of metrics that runs leave behind. What nodes add to them is written with the nodes' own ends, so that it
// is counted once whatever happens.
#pragma once

#include <vector>

#include "base/result.hpp"
#include "catalog/catalog.hpp"
#include "catalog/sqlite.hpp"

namespace kist::catalog {

// In a transaction that writes. What does not fit its metric is left out: who measures asks before (check_series).
Status write_measurement(Database& database, const Measurement& measured);
// See Catalog::check_measurement() and metrics().
Status check_series(Database& database, const Series& series);
Result<std::vector<Series>> list_series(Database& database);

}  // namespace kist::catalog
