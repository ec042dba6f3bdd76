// Which index files become one, and which rows go. Whoever replaces index files holds index.lock, and has loaded the
// index since, so that no row is lost between two who do.
#pragma once

#include "store/chunks.hpp"

namespace kist::store {

// Of a set as Chunks::index() gives it, the files whose rows are to go into a new one together with so many added ones
// (index.hpp, kSmallIndex), the smallest first. Empty: the new ones stand beside.
IndexSet to_absorb(const IndexSet& set, std::uint64_t added);

// Writes the index files that name containers which are not there anew, without them.
Status forget_missing_containers(const StoreDirectory& directory, Lease& lease, Chunks& chunks);

}  // namespace kist::store
