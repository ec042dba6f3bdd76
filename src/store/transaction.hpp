// A transaction on a store on disk.
#pragma once

#include <memory>

#include "store/pending.hpp"
#include "store/store.hpp"

namespace kist::store {

// All must outlive it. `attributes`: of StoreOptions.
Result<std::unique_ptr<Transaction>> begin_transaction(const StoreDirectory& directory, Lease& lease, Chunks& chunks,
                                                       Publisher& publisher, bool attributes);

}  // namespace kist::store
