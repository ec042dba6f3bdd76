// From a checked Spec to the model. Called only where nothing was found wrong, so it does not fail.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "dialect/argo/graph.hpp"
#include "dialect/argo/report.hpp"
#include "dialect/argo/spec.hpp"
#include "model/workflow.hpp"

namespace kist::dialect::argo {

// Where the source of a script is written.
inline constexpr std::string_view kScriptPath = "/argo/staging/script";

using TemplateNames = std::set<std::string, std::less<>>;

// The templates that the entrypoint reaches, itself included.
TemplateNames reached_templates(const Spec& spec, const Graphs& graphs);

// `name`: what the workflow is called; `report` only gives origins.
model::Workflow lower_workflow(const Spec& spec, const Graphs& graphs, const TemplateNames& used, std::string_view name,
                               const Report& report);

// A container or a script. `capture`: somebody asks for its result.
model::Task lower_task(const Spec& spec, const Template& definition, bool capture, const Report& report);

// Steps, or a dag with its graph (nullptr for steps).
model::Group lower_group(const Spec& spec, const Template& definition, const Graph* graph, const Report& report);

}  // namespace kist::dialect::argo
