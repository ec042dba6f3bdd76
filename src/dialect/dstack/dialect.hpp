// dstack's workflow files of its first year (0.0.10 – 0.9.2): `.dstack/workflows.yaml` and `.dstack/workflows/*.yaml`,
// providers bash and docker. docs/dialects/dstack.md tells users what is read and how.
#pragma once

#include "model/dialect.hpp"

namespace kist::dialect::dstack {

// The one instance; lives as long as the program. Thread-safe.
const model::Dialect& dialect();

}  // namespace kist::dialect::dstack
