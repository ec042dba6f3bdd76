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
  bool attributes = false;          // extended attributes are kept
};

Result<Saved> save_tree(const SaveContext& context, const std::filesystem::path& source, const SaveOptions& options);

// A tree of the entries at these paths alone, with the directories on the way to them. Paths are clean, ascending and
// each once. What is not there is left out; so are files that are to be settled and changed while they were read, whose
// paths go to `unsettled`, in order.
Result<Saved> save_entries(const SaveContext& context, const std::filesystem::path& directory,
                           std::span<const Change> changes, std::vector<std::string>& unsettled);

}  // namespace kist::store
