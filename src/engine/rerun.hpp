// Which nodes of a run that has ended are to run again, and which keep what they have made.
//
// What has failed, was stopped or never ended runs again, and so do the groups above it and what came after it in
// them, whatever became of that: it went by a failure that is to be undone. So do the hooks of what runs again, the
// daemons of its groups, and the exit handler. A group that has succeeded is kept with all that is below it, failures
// that it tolerated included.
#pragma once

#include <span>
#include <string>

#include "base/result.hpp"
#include "model/record.hpp"
#include "model/workflow.hpp"

namespace kist::engine {

// Takes back, in the run's nodes, what is to run again: those are pending, with no trace of how they ended but the
// number of their attempt and what was saved while they were running. `steps`: these too, with all that is below them,
// though they may have succeeded, each by one of its names or the name of its step. Of a retry the first attempt is
// left. Errors: not_found (no node has such a name); conflict (nothing would run again); invalid (the workflow's groups
// are not those of the run).
Status take_back(model::RunRecord& run, const model::Workflow& workflow, std::span<const std::string> steps);

}  // namespace kist::engine
