// What the tables of the catalog have in common: how times and digests are written in a row, names, counters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "catalog/sqlite.hpp"

namespace kist::catalog {

std::int64_t to_number(Time time);
Time to_time(std::int64_t number);
std::optional<std::int64_t> to_number(const std::optional<Time>& time);
std::optional<std::string> to_text_or_null(const std::optional<Digest>& digest);
Result<std::optional<Digest>> to_digest(const Query& query, int column);

// Names are parts of paths and of addresses (":TAG", "RUN/…"). `what` it is a name of, for the error. Errors: invalid.
Status check_name(std::string_view what, std::string_view name);

// The next value of a counter, from 1.
Result<std::int64_t> count(Database& database, std::string_view counter);

Result<bool> run_exists(Database& database, std::string_view name);
std::unexpected<Error> no_run(std::string_view name);

}  // namespace kist::catalog
