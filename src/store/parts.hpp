// The parts of a store that is taken care of: what who collects (collect.hpp) and who checks (check.hpp) works with.
#pragma once

#include "store/chunks.hpp"
#include "store/publisher.hpp"
#include "store/views.hpp"

namespace kist::store {

// All must outlive it.
struct StoreParts {
  const StoreDirectory& directory;
  Lease& lease;
  Chunks& chunks;
  Publisher& publisher;
  Views& views;
};

}  // namespace kist::store
