// How dstack names and words what happens in a run.
#pragma once

#include "model/dialect.hpp"

namespace kist::dialect::dstack {

// A job's id: RUN,WORKFLOW,INDEX; a workflow is one job, so its index is 0.
std::string job_id(std::string_view run, std::string_view workflow);

const model::Wording& wording();

}  // namespace kist::dialect::dstack
