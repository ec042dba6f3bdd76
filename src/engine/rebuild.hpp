// A lost or damaged catalog, made anew from the run records in the store.
#pragma once

#include <string>
#include <vector>

#include "catalog/catalog.hpp"
#include "catalog/home.hpp"
#include "engine/engine.hpp"
#include "store/store.hpp"

namespace kist::engine {

struct Rebuilt {
  std::size_t runs = 0;  // that the catalog did not know
  std::size_t tags = 0;
  std::vector<std::string> problems;  // records that cannot be read
  std::filesystem::path set_aside;    // where a damaged catalog was put; empty: it was not damaged
};

// Writes into the catalog what the store's references runs/ and tags/ lead to and it does not know. A catalog that
// cannot be read is put aside first. Runs that had not ended are not in the store. No other kist may use the home.
Result<Rebuilt> rebuild_catalog(const catalog::Home& home, store::Store& store);

// The store's references of runs and tags that are lost although the catalog knows them and their records are whole,
// by name. With `repair` they are set, and damaged ones too.
Result<std::vector<std::string>> lost_references(store::Store& store, catalog::Catalog& catalog, bool repair);

// The runs whose records cannot be read although the catalog knows all that stood in them. With `repair` the records
// are written again.
Result<std::vector<std::string>> lost_records(const Parts& parts, bool repair);

}  // namespace kist::engine
