// What differs between two artifacts, or between parts of them: types, modes, content by its digest, link targets.
// Times never count. Blocks that both trees have in common are not read, so that a small change in a large tree is
// found in little more time than it takes to read the two roots.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "store/place.hpp"

namespace kist::store {

struct Difference {
  std::string path;         // below the compared place; empty: that place itself
  const TreeEntry* before;  // nullptr: added. Valid during the call, their paths are whole
  const TreeEntry* after;   // nullptr: removed
  bool type = false;        // which of these differ, where both are there
  bool mode = false;
  bool content = false;
  bool target = false;
};

// Calls `each` for every difference, in the order of paths, until it returns false. Errors: not_found (an artifact or a
// path), corrupt, those of `each`.
Status compare(const Place& before, const Place& after, const std::function<Result<bool>(const Difference&)>& each);

// Whether two files hold the same.
bool same_content(const FileContent& a, const FileContent& b);

}  // namespace kist::store
