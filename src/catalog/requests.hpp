// The table of requests to the owners of runs, as the catalog keeps it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "catalog/catalog.hpp"
#include "catalog/sqlite.hpp"

namespace kist::catalog {

// Errors: not_found (the run).
Status write_request(Database& database, std::string_view run, const Request& request);
// Oldest first; without those of a kind that is not known here.
Result<std::vector<Request>> read_requests(Database& database, std::string_view run);
Status delete_request(Database& database, std::string_view run, std::int64_t number);
Status delete_requests(Database& database, std::string_view run);

}  // namespace kist::catalog
