// Reads a tree from disk into a transaction.
#pragma once

#include <filesystem>
#include <functional>

#include "store/pending.hpp"
#include "store/store.hpp"

namespace kist::store {

// What a save works with. All must outlive it.
struct SaveContext {
  const StoreDirectory& directory;
  Lease& lease;
  Pending& pending;
  std::function<Status()> publish;  // called when much is pending: makes it part of the store
};

Result<Saved> save_tree(const SaveContext& context, const std::filesystem::path& source, const SaveOptions& options);

}  // namespace kist::store
