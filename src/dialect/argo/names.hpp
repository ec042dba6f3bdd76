// How Argo names nodes and pods.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/dialect.hpp"
#include "model/record.hpp"

namespace kist::dialect::argo {

// The nearest name that Kubernetes allows: lower-case letters, digits, '-' and '.', the first a letter or a digit.
// "My Workflow" is "my-workflow"; "workflow" where nothing is left.
std::string object_name(std::string_view text);

// FNV-1a, 32 bits: what Argo's ids are made with.
std::uint32_t fnv1a(std::string_view text);

// "wf-3091035417": the workflow's name alone for its entry node.
std::string node_id(std::string_view workflow, std::string_view node);

// "wf-writer-3091035417" (Argo: pod names v2), the workflow's name alone for its entry node.
std::string pod_name(std::string_view workflow, std::string_view node, std::string_view definition);

// All names of a node: "wf", "wf[0].writer" in steps, "wf.writer" in a dag.
model::NodeNames node_names(const model::NodePlace& place);

}  // namespace kist::dialect::argo
