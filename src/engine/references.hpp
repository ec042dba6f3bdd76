// References of the store that follow the catalog.
#pragma once

#include <string>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace kist::store {
class Store;
}

namespace kist::engine {

// Lets a reference lead to a record, whatever it led to before, and whoever else writes it meanwhile: the last one
// wins.
Status refer(store::Store& store, const std::string& name, const Digest& record);

}  // namespace kist::engine
