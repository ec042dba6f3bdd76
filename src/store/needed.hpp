// What roots need of the chunks that an index has: for who collects the rest (collect.hpp).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "store/maintenance.hpp"
#include "store/reach.hpp"
#include "store/rows.hpp"

namespace kist::store {

// Marks the rows of all chunks that roots need. Grows only. Memory: a few bits a row. Not thread-safe.
class Needed final : public ReachVisitor {
 public:
  // Both must outlive it.
  Needed(Chunks& chunks, Rows& rows);

  // Errors: something that the root needs cannot be read.
  Status take(const Root& root);

  struct Sum {
    std::uint64_t chunks = 0;
    std::uint64_t bytes = 0;  // stored
  };
  // What is needed of a container, by its number in the rows.
  const Sum& of(std::uint32_t container) const { return per_container_[container]; }
  bool has(std::uint64_t row) const { return needed_.test(row); }
  bool has(const Digest& id) const;
  // The same, or that it cannot be told.
  bool may_have(const Digest& id) const;
  // Whether something is needed that no index file had: what is in no index file may hold it.
  bool lacks_some() const { return !rowless_.empty(); }

  Result<bool> enter(const Digest& id, Kind kind, unsigned depth) override;
  Status leaf(const Digest& id, std::uint32_t length, std::string_view path, bool file) override;
  Status broken(const Digest& id, std::string_view path, const Error& why) override;

 private:
  Status mark(const Digest& id);

  Chunks& chunks_;
  Rows& rows_;
  RowBits needed_;
  std::vector<Sum> per_container_;
  // Needed, but in no index file when the rows were taken: newer, or its row was lost.
  std::unordered_set<Digest> rowless_;
  std::array<RowBits, 7> inside_;  // what was entered: as tree, block of a tree, times, list of depth 1 to 4
};

}  // namespace kist::store
