// Reading all of a store, to see whether it is still what was stored.
#pragma once

#include "store/chunks.hpp"
#include "store/store.hpp"

namespace kist::store {

Result<VerifyReport> verify_store(const StoreDirectory& directory, Chunks& chunks);

}  // namespace kist::store
