// What is known before a run and written elsewhere takes its place in the spec: values of config maps, and what
// podSpecPatch changes of containers.
#pragma once

#include <vector>

#include "dialect/argo/documents.hpp"
#include "dialect/argo/report.hpp"
#include "dialect/argo/spec.hpp"

namespace kist::dialect::argo {

// Reports config maps and keys that are needed and not there.
void settle(const std::vector<Document>& documents, Report& report, Spec& spec);

}  // namespace kist::dialect::argo
