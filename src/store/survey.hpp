// What of a directory is not as it was saved, by what the file system says of it: no content is read.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>

#include "store/store.hpp"
#include "store/tree.hpp"

namespace kist::store {

// Store::survey(). Memory: the names of the directories on the way to where it is.
Status survey_tree(ChunkSource& source, const std::optional<ArtifactId>& id, const std::filesystem::path& directory,
                   const std::function<bool(const Surveyed&)>& each);

}  // namespace kist::store
