// What kist itself does for a task: asks a web server, lists a location, acts on an object it knows.
#pragma once

#include <string>

#include "base/result.hpp"
#include "model/workflow.hpp"
#include "task/secrets.hpp"
#include "task/task.hpp"
#include "task/transfers.hpp"

namespace kist::task {

// What came of a request that was made: its result, or why it counts as failed.
struct Answer {
  std::string result;
  std::optional<std::string> failure;  // the server, or the condition, says no
  std::vector<model::ParameterRecord> parameters;
};

// Errors: what kist could not do (an expression that is wrong, a secret that is missing, no answer).
Result<Answer> ask(const model::HttpRequest& request, Transfers& transfers, MaskedServices& services);
Result<Answer> list(const model::ListRequest& request, Transfers& transfers, MaskedServices& services);
// Waits until one of its conditions holds, or somebody stops the task.
Result<Answer> act(const model::ObjectRequest& request, MaskedServices& services, const StopSignal& stop);

}  // namespace kist::task
