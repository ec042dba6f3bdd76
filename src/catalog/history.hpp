// Runs of workflows that are run again and again: how many of them are kept, and what is known of those that were.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "catalog/catalog.hpp"
#include "catalog/sqlite.hpp"

namespace kist::catalog {

// How many are kept, as it stands in a row: null where the run has no history, below 0 where all are kept.
std::optional<std::int64_t> kept_of(const std::optional<model::History>& history,
                                    std::optional<std::size_t> model::History::* which);
// From two columns that follow each other.
std::optional<model::History> history_from_row(const Query& row, int column);

// See Catalog::earlier_runs().
Result<EarlierRuns> read_earlier_runs(Database& database, std::string_view project, std::string_view workflow);
// Before the row of a run goes: it is still counted then, where it has a history.
Status count_removed_run(Database& database, std::string_view name);

}  // namespace kist::catalog
