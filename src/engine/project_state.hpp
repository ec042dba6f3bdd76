// What the project directory holds at a moment, as one digest: two that are alike give a task the same files.
#pragma once

#include <filesystem>
#include <optional>

#include "base/digest.hpp"
#include "model/record.hpp"

namespace kist::engine {

// The names, sizes, modes and times of all that is in the project directory of a run, without version control's own
// directory, kist's home, and the workflow files: those count by what they say. nullopt: it cannot be read, or is so
// large that looking would take long.
std::optional<Digest> state_of_project(const model::RunRecord& run, const std::filesystem::path& home);

}  // namespace kist::engine
