// What a run sent beyond its own artifacts: to locations outside, and under keys of the default repository; and its
// deletion there, where the file asks for it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/committer.hpp"
#include "engine/engine.hpp"
#include "engine/sending.hpp"
#include "model/record.hpp"
#include "model/workflow.hpp"
#include "task/mask.hpp"

namespace kist::engine {

// `bound`: with literal texts. `may_stay`: of all of them (Workflow::may_leave_sent).
std::vector<Sending> sendings_of(const model::Task& bound, bool may_stay);

// Where an artifact lies is recorded and listed, and asked for by that name when it is fetched or deleted, so it can
// neither hold a value of a secret nor be hidden. Errors: invalid (it holds one), before anything has run.
Status check_place(const Sending& sending, const task::Mask& secrets);

// Writes into the node's outputs where each was sent.
void note_sent(const std::vector<Sending>& sendings, model::NodeRecord& node);

// Puts what the node sent to keys under them. `notice`: another step of the run, or another run, had put something else
// there. Errors: those of the catalog.
Status put_under_keys(const Parts& parts, const std::string& run, const model::NodeRecord& node,
                      const std::function<void(const std::string&)>& notice);

// When a run has ended: deletes what is to be deleted by then, and marks it in the records. What cannot be deleted is
// told, and tried again when the run is removed.
void collect_at_completion(const Parts& parts, model::RunRecord& run, Committer& committer,
                           const std::function<void(const std::string&)>& notice);

// Before a run is removed: deletes all that is left to be deleted. What cannot be deleted is told. Errors: unavailable
// (something of it, and neither `force` nor the run's file says that it may stay).
Status collect_before_removal(const Parts& parts, std::string_view run, bool force,
                              const std::function<void(const std::string&)>& notice);

}  // namespace kist::engine
