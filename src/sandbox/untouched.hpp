// Whether a task left the directories that hold its root's changes as they were: nothing made, changed or removed, no
// mode, owner or attribute set. What was made and removed again does not count, nor do times.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sandbox/root.hpp"

namespace kist::sandbox {

// What there is, entry by entry. Two are equal where a task would see the same.
struct Changes {
  struct Entry {
    std::string path;
    unsigned mode = 0;
    unsigned owner = 0;
    unsigned group = 0;
    std::uint64_t device = 0;
    std::string content;     // of a file; where a link leads
    std::string attributes;  // the names of its extended attributes
    bool operator==(const Entry&) const = default;
  };
  std::vector<Entry> entries;
  bool operator==(const Changes&) const = default;
};

// Looks at all regions that lie in scratch. nullopt: it is too much to look at, or not all of it can be read.
std::optional<Changes> look_at_changes(const std::vector<Region>& regions);

}  // namespace kist::sandbox
