// The files of a run's artifacts as `ls` shows them: dstack's table PATH FILE SIZE. Only metadata is read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "model/record.hpp"
#include "store/store.hpp"

namespace kist::cli {

// A row. PATH and FILE joined by '/' are what `cat` and `cp` take.
struct Listed {
  std::string artifact;  // the artifact's address
  std::string file;      // inside the artifact; a directory's ends with '/'; empty: the artifact itself
  store::Entry entry;
  std::optional<std::uint64_t> size;  // of a file, or of all below a directory where totals were asked for
};

struct ListingOptions {
  std::string prefix;      // an artifact, a directory in it, or how the addresses begin; empty: everything
  bool recursive = false;  // every file; else what lies directly in the artifact or the directory
  bool totals = false;     // sizes of directories
};

// Errors: not_found (nothing begins with the prefix), invalid (the prefix is the name of several artifacts), corrupt.
Result<std::vector<Listed>> list_files(store::Store& store, const model::RunRecord& run, const ListingOptions& options);

// PATH FILE SIZE, an artifact's address once per group.
std::string listing_as_table(const std::vector<Listed>& files, bool colored);
Json listing_as_json(const std::vector<Listed>& files);

}  // namespace kist::cli
