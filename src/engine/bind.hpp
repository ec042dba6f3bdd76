// Fills texts and finds artifacts, just before a node runs.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <vector>

#include "base/result.hpp"
#include "engine/node.hpp"
#include "engine/scope.hpp"
#include "expression/text.hpp"
#include "model/workflow.hpp"
#include "task/task.hpp"

namespace kist::engine {

// The same task with every Text literal. Errors: those of the scope.
Result<model::Task> bind(const model::Task& task, const expression::Scope& scope);

// A name that was not known when the workflow was read. Errors: those of the scope; invalid where nothing is left, or a
// '/' is in it.
Result<std::string> evaluate_name(const expression::Text& name, const expression::Scope& scope);

// What is pinned for the artifacts of earlier runs that a run uses.
const model::UsedRun* find_used_run(const std::vector<model::UsedRun>& used, const model::RunArtifacts& wanted);

// Where a caller's names lead. `artifact` finds a reference by its name.
struct Caller {
  const expression::Scope& scope;
  std::function<Result<ArtifactValue>(std::string_view name)> artifact;
  const std::vector<model::UsedRun>& used_runs;
  // What lies under a key of the default repository. Errors: not_found.
  std::function<Result<model::ArtifactRecord>(std::string_view key)> key = {};
};

// What a source stands for. Errors: invalid, not_found (a key with nothing under it).
Result<ArtifactValue> resolve(const model::ArtifactSource& source, const Caller& caller);

// Gives a node the inputs of its definition from the arguments of its call: parameters and artifacts, in the record and
// in `inputs`. Errors: invalid, for the node's message: an input that was not supplied, a value that is not allowed.
Status bind_inputs(Node& node, const model::Arguments& arguments, const Caller& caller, const RunScope& run,
                   const std::vector<model::UsedRun>& used_runs);

// What each Load of the (bound) task brings; adds what comes from earlier runs to the node's input artifacts.
Result<std::map<std::size_t, task::ResolvedLoad>> resolve_loads(Node& node, const model::Task& bound,
                                                                const Caller& own);

// What the watched directories of the (bound) task begin with, by the index of the Watch: what an earlier attempt left
// there, else what the run was to restore.
std::map<std::size_t, model::ArtifactRecord> find_restored(const model::NodeRecord& node, const model::Task& bound,
                                                           const std::vector<model::UsedRun>& used_runs);

}  // namespace kist::engine
