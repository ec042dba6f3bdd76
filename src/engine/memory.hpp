// What earlier nodes did, and is taken instead of doing it again: outputs remembered under a key that the workflow
// gives (Argo: memoize), and those of a task that did the same with the same inputs (`kist run --cached`).
//
// Nobody is kept from running by what cannot be remembered; what was collected from the store since is not taken.
#pragma once

#include "base/result.hpp"
#include "engine/engine.hpp"
#include "engine/node.hpp"
#include "expression/scope.hpp"
#include "model/record.hpp"
#include "task/mask.hpp"
#include "task/task.hpp"

namespace kist::engine {

// Gives a node the outputs of another one.
void copy_outputs(const model::NodeRecord& from, model::NodeRecord& to);

// Whether the outputs of a node with a memo are remembered: then `node` has them. Notes the key either way, for
// remember(); of one with a value of a secret in it its digest. Errors: those of the memo's texts, and of reading.
Result<bool> recall(const Parts& parts, const model::Memo& memo, const expression::Scope& scope,
                    const task::Mask& secrets, model::NodeRecord& node);
// Of a node that has ended: its outputs, where it succeeded, has a key and did not have them from there.
void remember(const Parts& parts, std::string_view run, const model::NodeRecord& node);

// Whether an earlier run did what this task does, with the same inputs, and the run is to take it from there: then the
// node has the outputs, put also where it would have put them. Notes the task's fingerprint either way.
Result<bool> take_from_earlier(const Parts& parts, const model::RunRecord& run, Node& node,
                               const task::Document& document);
// Of a task that has ended: a fingerprint stands for the project it was begun with, and that may have been edited.
void check_fingerprint(const Parts& parts, const model::RunRecord& run, Node& node);

}  // namespace kist::engine
