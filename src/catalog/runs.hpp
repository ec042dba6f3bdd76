// The tables of runs and of their nodes, as the catalog keeps them. Errors are those that catalog.hpp gives.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog.hpp"
#include "catalog/sqlite.hpp"

namespace kist::catalog {

// A new run and the tag it asks for; gives its name.
Result<std::string> add_run(Database& database, const model::RunRecord& run, const model::RunNaming& naming,
                            const std::function<std::uint32_t(std::uint32_t)>& random);
// A run that ended elsewhere.
Status add_foreign_run(Database& database, const model::RunRecord& run, const Digest& record,
                       const std::optional<Digest>& instead_of);
Status write_changes(Database& database, const Changes& changes);
// See Catalog::reopen().
Status rewrite_run(Database& database, const model::RunRecord& run);
Result<model::RunRecord> read_run(Database& database, std::string_view name);
Result<RunSummary> read_summary(Database& database, std::string_view name);
Result<std::vector<RunSummary>> list_runs(Database& database, const RunFilter& filter);
Result<std::string> find_run_name(Database& database, std::string_view prefix);
Result<std::string> find_newest_succeeded(Database& database, std::string_view project, std::string_view workflow);
// With its nodes, requests and locks.
Status delete_run(Database& database, std::string_view name);

}  // namespace kist::catalog
