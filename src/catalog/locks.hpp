// Locks that the runs of a home share: rows of those who hold them and of those who wait, in the order they get them.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "base/result.hpp"
#include "catalog/catalog.hpp"
#include "catalog/sqlite.hpp"

namespace kist::catalog {

// In a transaction that writes; see Catalog::acquire() and release().
Result<LockAnswer> acquire_locks(Database& database, const LockSeeker& seeker, std::span<const LockWish> wishes,
                                 const std::function<bool(std::string_view run)>& is_lost);
Status release_locks(Database& database, std::string_view run, std::string_view node);

}  // namespace kist::catalog
