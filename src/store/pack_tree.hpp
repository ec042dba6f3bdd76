// An artifact, or a part of it, as a stream into an archive: nothing is written to disk on the way, and no more is held
// than a block of the tree and a chunk.
#pragma once

#include <string>

#include "archive/writer.hpp"
#include "base/result.hpp"
#include "store/place.hpp"

namespace kist::store {

// Adds what lies at the place as NAME, and what lies below it as NAME/…; with an empty name (of a directory only) what
// lies below it at the archive's top. Hard links among what is packed, and extended attributes, go along where the
// archive has such. Errors: not_found, corrupt (with the path), invalid (an empty name for a file),
// those of the writer.
Status pack_tree(const Place& place, const std::string& name, archive::Writer& writer);

}  // namespace kist::store
