// What makes a run that has ended last: its logs and its record in the store, a reference to it, its row.
#pragma once

#include <vector>

#include "base/result.hpp"
#include "engine/committer.hpp"
#include "engine/engine.hpp"
#include "model/record.hpp"
#include "model/workflow.hpp"

namespace kist::engine {

// Saves the logs (into `run.logs`) and the record, and gives the run its final state and the time it expires at, with
// what is measured of it. All is durable on return.
Status finish_run(const Parts& parts, model::RunRecord& run, const model::Workflow& workflow, Committer& committer,
                  std::vector<catalog::Measurement> measured = {});

// Saves the record of a run that has not ended, for its tags.
Status keep_record(const Parts& parts, const model::RunRecord& run);

}  // namespace kist::engine
