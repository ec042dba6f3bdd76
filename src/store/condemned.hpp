// The list of containers that a collector found nobody needs: the file `condemned` (docs/format.md, "Condemned
// containers"). Whoever takes a hold reads it afterwards and does not count on what is in it: it stores such a chunk
// again. So once all holds are gone that are older than a condemnation, nobody can come to need the container any more.
//
// Each version of the list differs from all others, also an empty one, so that a process sees that something was
// collected since it looked last.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "store/container.hpp"
#include "store/lease.hpp"

namespace kist::store {

struct Condemned {
  Container container;
  std::uint64_t inode = 0;  // of the file that was condemned: another one of the same name is not
  // Since when every process that takes a hold sees it here; nullopt: since it was written, or since before this start
  // of the machine.
  std::optional<Moment> since;
  Time when;
};

struct CondemnedList {
  std::vector<Condemned> items;

  // What the file says; empty where there is none. Errors: corrupt.
  static Result<CondemnedList> parse(std::string_view text);
  std::string to_text() const;
};

// The file's bytes; empty where there is none.
Result<std::string> read_condemned(const StoreDirectory& directory);
// Replaces the file. Only for who holds gc.lock.
Status write_condemned(const StoreDirectory& directory, Lease& lease, const CondemnedList& list);

}  // namespace kist::store
