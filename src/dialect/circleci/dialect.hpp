// CircleCI's `.circleci/config.yml`, versions 2, 2.0 and 2.1: the jobs of a workflow in the order of their `requires`,
// with the steps checkout, run and store_artifacts. Orbs, parameters, commands, workspaces and caches are named as not
// supported yet. docs/dialects/circleci.md tells users what is read and how.
#pragma once

#include "model/dialect.hpp"

namespace kist::dialect::circleci {

// The one instance; lives as long as the program. Thread-safe.
const model::Dialect& dialect();

}  // namespace kist::dialect::circleci
