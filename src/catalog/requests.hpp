// The table of requests to the owners of runs, as the catalog keeps it.
#pragma once

#include <string_view>
#include <vector>

#include "catalog/catalog.hpp"
#include "catalog/sqlite.hpp"

namespace kist::catalog {

// Errors: not_found (the run).
Status write_request(Database& database, std::string_view run, const Request& request);
Result<bool> has_requests(Database& database, std::string_view run);
// Oldest first; they are gone then.
Result<std::vector<Request>> pop_requests(Database& database, std::string_view run);
Status delete_requests(Database& database, std::string_view run);

}  // namespace kist::catalog
