// What version control says of a project, for the record of a run.
#pragma once

#include <filesystem>
#include <optional>

#include "model/record.hpp"

namespace kist::engine {

// The commit that a directory's git repository stands at. Nothing where it is in none, has no commit yet, git is not
// there or does not answer within a few seconds: a run does not depend on it.
std::optional<model::Revision> revision_of(const std::filesystem::path& project);

}  // namespace kist::engine
