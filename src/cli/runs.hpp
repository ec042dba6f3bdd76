// Lists of runs, for every command that prints or completes them.
#pragma once

#include <cstddef>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "catalog/catalog.hpp"
#include "cli/house.hpp"

namespace kist::cli {

// Newest first; a run that lost its owner is `interrupted`.
Result<std::vector<catalog::RunSummary>> list_runs(House& house, const catalog::RunFilter& filter);

// The unfinished runs; where there are none, the newest.
Result<std::vector<catalog::RunSummary>> list_current_runs(House& house, std::size_t newest);

Json summary_as_json(const catalog::RunSummary& run);

}  // namespace kist::cli
