// What a container asks of a machine (`resources`), and how a program is told of it (`resourceFieldRef`).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "dialect/argo/spec.hpp"
#include "model/workflow.hpp"

namespace kist::dialect::argo {

// All containers of a template's pod.
std::vector<const Program*> programs_of(const Template& definition);

// An amount as it is written, `{{…}}` included, and what it is told in.
struct Amount {
  std::string written = "0";
  std::optional<model::InUnits> in_units;
};

// What a program of the template is told, by Kubernetes' rules: a limit that is not set, or 0, is what this machine
// has; a request that is not set is the limit that is, else 0. Errors: invalid, where Kubernetes starts no such pod.
Result<Amount> amount_of(const Template& definition, const Program& program, const ResourceField& field);

}  // namespace kist::dialect::argo
