// The states of runs and nodes, and their words: in listings, in the catalog and in records.
#pragma once

#include <string_view>

#include "base/result.hpp"

namespace kist::model {

enum class State {
  pending,
  running,
  stopping,
  succeeded,
  failed,       // a process said no
  error,        // kist could not: an artifact missing, a wrong expression
  skipped,      // its condition was false
  omitted,      // its dependencies did not come true
  stopped,      // on request, artifacts kept
  aborted,      // on request, artifacts not kept
  interrupted,  // the owner died; resume goes on
};

// Lower-case words: "succeeded".
std::string_view to_string(State state);
Result<State> parse_state(std::string_view word);
bool is_final(State state);    // nothing more happens unless somebody asks (interrupted is not final)
bool is_success(State state);  // succeeded, skipped, omitted: whoever depends on it goes on
bool has_failed(State state);  // failed, error

}  // namespace kist::model
