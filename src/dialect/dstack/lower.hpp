// One dstack workflow as a model: one task that loads its deps, runs its commands and keeps its artifacts.
#pragma once

#include "dialect/dstack/workflows.hpp"
#include "model/dialect.hpp"

namespace kist::dialect::dstack {

// As model::Dialect::lower, for one workflow of `workflows`.
Result<model::Lowered> lower(const Entry& entry, const Workflows& workflows, const model::RunRequest& request);

}  // namespace kist::dialect::dstack
