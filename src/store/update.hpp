// One tree out of the last one and what has changed since. As in combine.hpp, who gives the last one holds it.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string_view>

#include "store/store.hpp"
#include "store/tree.hpp"

namespace kist::store {

// The tree of `base` with the entries of `fresh` in place of its own. Of `looked_at`, the paths that were looked for to
// make `fresh`, those that are not in it are gone, with all below them; what was not looked at stays, unless something
// above it is gone or is no directory any more. Hard links are kept among what comes from one of the two.
Result<Saved> update_tree(ChunkSource& source, const Put& put, const ArtifactId& base, const ArtifactId& fresh,
                          const std::set<std::string_view>& looked_at);

}  // namespace kist::store
