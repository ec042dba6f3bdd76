// The lowered model as JSON, for people and tests: `kist lint --show-model FILE`. Not a stored format.
#pragma once

#include "base/json.hpp"
#include "model/workflow.hpp"

namespace kist::cli {

Json model_as_json(const model::Workflow& workflow);

}  // namespace kist::cli
