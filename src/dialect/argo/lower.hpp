// From a checked Spec to the model. Called only where nothing was found wrong, so it does not fail.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "dialect/argo/graph.hpp"
#include "dialect/argo/report.hpp"
#include "dialect/argo/spec.hpp"
#include "dialect/argo/texts.hpp"
#include "model/workflow.hpp"

namespace kist::dialect::argo {

// Where the source of a script is written.
inline constexpr std::string_view kScriptPath = "/argo/staging/script";
// Where a program tells how far it is, "N/M": what ARGO_PROGRESS_FILE says, as with Argo, whose own is below /var/run.
inline constexpr std::string_view kProgressPath = "/argo/progress";
// Where a container that is held looks for a file: Argo's is below /var/run, where an ordinary user's tasks write
// nothing.
inline constexpr std::string_view kHoldPath = "/argo/ctr/";

using TemplateNames = std::set<std::string, std::less<>>;

// All texts of a group that may speak of its steps, a line each.
std::string texts_of(const Template& group);

// The keys of the templates that the entrypoint and the exit handlers reach, themselves included.
TemplateNames reached_templates(const Spec& spec, const Graphs& graphs);

// `name`: what the workflow is called; `report` only gives origins. Without an entrypoint, as a document of templates
// for others may be, the entry is empty and all templates are there.
model::Workflow lower_workflow(const Spec& spec, const Graphs& graphs, const TemplateNames& used, std::string_view name,
                               const Report& report);

// What runs processes. `capture`: somebody asks for its result.
model::Task lower_pod(const Spec& spec, const Template& definition, bool capture, const Report& report);
// What kist does by itself: http, data, resource.
model::Task lower_request(const Spec& spec, const Template& definition, const Report& report);
model::Gate lower_suspend(const Template& definition);

// Steps, or a dag with its graph (nullptr for steps).
model::Group lower_group(const Spec& spec, const Template& definition, const Graph* graph, const Report& report);

// Arguments that the called template has inputs for; Argo passes over the others too.
model::Arguments lower_arguments(const Spec& spec, const Exchange& arguments, const Template& called);
// A call or a hook, or nullopt where its template is not known, which was reported.
std::optional<model::Call> lower_call(const Spec& spec, const Reference& called, const Exchange& arguments);
std::optional<model::Hook> lower_hook(const Spec& spec, const HookSpec& hook);

model::Retry lower_retry(const RetrySpec& retry);
std::vector<model::Lock> lower_locks(const Spec& spec, const std::vector<LockSpec>& locks);

// What hostPath.type says is to lie there; nullopt: there is no such type.
std::optional<model::Volume::Host> host_kind(std::string_view type);

// The metrics of a workflow or a template; an upper bound of a histogram's, nullopt: it is no number.
std::vector<model::Metric> lower_metrics(const yaml::Node& written);
std::optional<double> bucket_bound(std::string_view text);

// Volumes that the mounts name: the template's, the workflow's, and its claims.
std::vector<model::Volume> lower_volumes(const Spec& spec, const Template& definition,
                                         const std::set<std::string>& used, const Values& names);

}  // namespace kist::dialect::argo
