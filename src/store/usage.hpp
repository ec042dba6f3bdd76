// What runs cost: which chunks each needs, and which of them nobody else does.
#pragma once

#include "store/chunks.hpp"
#include "store/maintenance.hpp"

namespace kist::store {

// What cannot be read is left out.
Result<std::vector<Cost>> costs(const StoreDirectory& directory, Chunks& chunks, const Groups& groups);

}  // namespace kist::store
