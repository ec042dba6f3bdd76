// A run as Argo's API shows it: an object of kind Workflow. What clients of the API and conditions of resource
// templates look at: metadata, spec as it was written, status with phase, times, progress, outputs and nodes.
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"
#include "model/objects.hpp"
#include "model/record.hpp"

namespace kist::dialect::argo {

Json run_object(const model::RunRecord& run);

// Does to a run what turns one object of it into another: labels, annotations, spec.shutdown, spec.suspend. Errors:
// unsupported (any other difference).
Status change_run(const Json& before, const Json& after, model::Objects& objects);

}  // namespace kist::dialect::argo
