// Whether a process in the background can be used: asks as its probe says.
#pragma once

#include "base/result.hpp"
#include "model/workflow.hpp"
#include "sandbox/sandbox.hpp"

namespace kist::task {

// How long one question may take.
inline constexpr std::chrono::seconds kLongestProbe(1);

// Asks once. `command` is the probe's own, ready to start in the sandbox; its output goes nowhere. An error is why it
// is not ready.
Status ask_probe(const model::Probe& probe, sandbox::Sandbox& sandbox, const sandbox::Command& command);

}  // namespace kist::task
