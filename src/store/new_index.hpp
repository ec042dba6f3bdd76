// Rows on their way into one new index file, whatever their number: what does not fit into memory is put aside in tmp/,
// sorted, and merged at the end.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "store/chunks.hpp"
#include "store/temporary.hpp"

namespace kist::store {

// Not thread-safe.
class NewIndex {
 public:
  // Both must outlive it.
  NewIndex(const StoreDirectory& directory, Lease& lease) : directory_(directory), lease_(lease) {}

  // The rows that are added next are of this container. Their own numbers do not count.
  void begin(const Container& container);
  Status add(IndexRecord record);
  // So many rows are to be added: their place in memory is found at once.
  void expect(std::size_t rows) { records_.reserve(std::min(rows, kIndexRowsAtOnce)); }
  std::uint64_t rows() const { return put_aside_rows_ + records_.size(); }

  // Writes all rows that were added, and those of `absorbed`, as one file. Once, when all are there.
  Status write(const IndexSet& absorbed);
  // The name it is to have; empty where there were no rows.
  const std::string& name() const { return name_; }
  // Of what was written; nothing to do where that is nothing.
  Status sync();
  Status move_in();

 private:
  Status put_aside();

  const StoreDirectory& directory_;
  Lease& lease_;
  std::vector<Container> containers_;
  std::vector<IndexRecord> records_;
  std::vector<TemporaryFile> put_aside_;
  std::uint64_t put_aside_rows_ = 0;
  std::optional<TemporaryFile> file_;
  std::string name_;
};

}  // namespace kist::store
