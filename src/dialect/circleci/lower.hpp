// A workflow of a config as a model: a graph of its jobs, or the one implicit job.
#pragma once

#include "dialect/circleci/config.hpp"
#include "model/dialect.hpp"

namespace kist::dialect::circleci {

// As model::Dialect::lower.
Result<model::Lowered> lower(const model::RunRequest& request);

}  // namespace kist::dialect::circleci
