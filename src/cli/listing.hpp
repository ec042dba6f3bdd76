// The files of a run's artifacts as `ls` shows them: dstack's table PATH FILE SIZE. Only metadata is read, and only of
// what is listed; rows are given out one by one, so that a listing of any length takes no memory.
#pragma once

#include <cstdint>
#include <functional>
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

// PATH and FILE joined: what names the row on a command line.
std::string path_of(const Listed& listed);

struct ListingOptions {
  std::string prefix = {};       // an artifact, a directory in it, or how the addresses begin; empty: everything
  bool recursive = false;        // every file; else what lies directly in the artifact or the directory
  bool totals = false;           // sizes of directories
  bool digests = false;          // of files: computed for each
  std::string after = {};        // only what comes behind this row: its path
  std::size_t limit = SIZE_MAX;  // so many rows
};

// Calls `each` for every row, artifacts in the order of their nodes, the entries of one in the order of their paths.
// Whether rows are left beyond the limit. Errors: not_found (nothing begins with the prefix, no artifact `after`),
// invalid (the prefix is the name of several artifacts), corrupt.
Result<bool> list_files(store::Store& store, const model::RunRecord& run, const ListingOptions& options,
                        const std::function<void(const Listed&)>& each);

// PATH FILE SIZE, an artifact's address once per group. Columns are as wide as the first rows want, and get wider where
// later ones do: what is printed need not wait for the end.
class ListingTable {
 public:
  explicit ListingTable(bool colored) : colored_(colored) {}
  void add(const Listed& listed);
  void finish();

 private:
  struct Row {
    std::string artifact;
    std::string file;
    std::size_t file_width = 0;  // columns
    bool directory = false;
    std::string size;
  };
  void print_waiting();
  void print_row(const Row& row);

  bool colored_;
  bool begun_ = false;
  std::string group_;
  bool in_group_ = false;
  std::vector<Row> waiting_;
  std::size_t artifact_width_ = 4;  // of the headings
  std::size_t file_width_ = 4;
};

Json listing_as_json(const Listed& listed);

// Lists to standard output, as a table or as JSON. Whether rows are left beyond the limit, and the last one printed.
struct ListingEnd {
  bool more = false;
  std::string last;  // its path
};
Result<ListingEnd> print_listing(store::Store& store, const model::RunRecord& run, const ListingOptions& options,
                                 bool json, bool colored);

// An array of JSON, printed value by value.
class JsonArrayPrinter {
 public:
  void add(const Json& value);
  void finish();

 private:
  bool begun_ = false;
};

}  // namespace kist::cli
