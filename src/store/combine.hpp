// One tree out of several: a merge of their sorted lists. No file's content is touched, nor is it asked whether it is
// there: who gives an artifact has held the store since it was made or was last referred to.
#pragma once

#include <span>

#include "store/store.hpp"
#include "store/tree.hpp"

namespace kist::store {

// Extended attributes come along, and hard links among what comes from one part. Of two entries with one path the later
// part's wins; what lies below an entry that is no directory (any more) goes with it. Errors: invalid (a prefix that is
// no clean path), not_found (an artifact), corrupt.
Result<Saved> combine_trees(ChunkSource& source, const Put& put, std::span<const Transaction::Part> parts);

}  // namespace kist::store
