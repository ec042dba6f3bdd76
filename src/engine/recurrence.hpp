// Workflows that are run again and again: whether one is run now, in view of the runs there were.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"
#include "engine/engine.hpp"
#include "model/workflow.hpp"

namespace kist::engine {

// What becomes of a run that is asked for. As long as this is kept nobody else in the home decides: until the run is
// written down, so that the next one sees it.
struct Turn {
  FileLock lock;
  std::optional<std::string> why_not;  // for people; nullopt: the run is to begin
  std::vector<std::string> replaced;   // runs under way that are to end for it
};

// Waits until nobody else decides. A run that was written down a moment ago is under way, though nobody owns it yet.
// Errors: those of its expressions, and of the home.
Result<Turn> take_turn(const Parts& parts, const std::string& project, const model::Workflow& workflow);

// Asks the runs to end, once the one that replaces them is there; `notice` is told of each.
Status end_replaced(const Parts& parts, const std::vector<std::string>& runs,
                    const std::function<void(const model::Notice&)>& notice);

}  // namespace kist::engine
