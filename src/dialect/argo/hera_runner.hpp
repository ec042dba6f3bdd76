// Steps that Hera's runner performs: `python -m hera.workflows.runner -e MODULE:FUNCTION`. Most of what a short one
// costs is the import of Hera.
#pragma once

#include <optional>

#include "dialect/argo/spec.hpp"
#include "model/workflow.hpp"

namespace kist::dialect::argo {

// The starter of a program, where it is such a step.
std::optional<model::Starter> hera_starter(const Program& program);

}  // namespace kist::dialect::argo
