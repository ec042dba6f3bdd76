// Paths as dstack's files write them: artifacts and working directories.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace kist::dialect::dstack {

struct ArtifactPath {
  std::string path;  // cleaned: "output", "dir2/dir22", "/opt/envs/mine", "~/.cache/pip"
  std::string name;  // what it is called: the same without a leading slash
};

// Relative paths hang off the working directory. Errors: invalid (empty, `.`, `/` or `~` alone: all of a directory that
// holds other things; `..` that leads out).
Result<ArtifactPath> artifact_path(std::string_view written);

// A directory below the project, cleaned; empty for the project itself. Errors: invalid (absolute, or `..` that leads
// out).
Result<std::string> working_directory(std::string_view written);

}  // namespace kist::dialect::dstack
