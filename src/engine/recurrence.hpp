// Workflows that are run again and again: whether one is run now, in view of the runs there were.
#pragma once

#include <optional>
#include <string>

#include "base/result.hpp"
#include "engine/engine.hpp"
#include "model/workflow.hpp"

namespace kist::engine {

// Why a run of the workflow is not to begin now, for people; nullopt: it is. Runs that it replaces are asked to end,
// which `notice` is told of. Errors: those of its expressions.
Result<std::optional<std::string>> why_not_now(const Parts& parts, const std::string& project,
                                               const model::Workflow& workflow,
                                               const std::function<void(const model::Notice&)>& notice);

}  // namespace kist::engine
