// Checking a whole store, and repairing what can be.
#pragma once

#include "store/maintenance.hpp"
#include "store/parts.hpp"

namespace kist::store {

// The index files that are damaged now, by name. Opening a store makes the index anew where it sees damage, so who
// wants to tell of it asks before.
Result<std::vector<std::string>> damaged_index_files(const StoreDirectory& directory);

// `index_damage`: what damaged_index_files() said before the store was opened.
Result<Checked> check(const StoreParts& parts, const Roots& roots, const CheckOptions& options,
                      const std::vector<std::string>& index_damage);

}  // namespace kist::store
