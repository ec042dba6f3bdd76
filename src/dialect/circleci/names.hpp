// What `store_artifacts` calls what it keeps.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace kist::dialect::circleci {

struct ArtifactName {
  std::string name;          // of the file, or what goes before the names of a directory's files
  bool at_the_root = false;  // the file asked for no name at all: the path's last part is taken instead
};

// `destination`, or `path` as it is written, without `./`, first, last and double slashes; `~` stays (so the names of
// CircleCI since 2020). Errors: invalid (`..` leads out of the artifacts; nothing is left of the path).
Result<ArtifactName> artifact_name(std::string_view path, const std::optional<std::string>& destination);

}  // namespace kist::dialect::circleci
