// What Argo's lint finds wrong in a workflow, in its words. Checked are all templates, whether reached or not.
#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>

#include "dialect/argo/graph.hpp"
#include "dialect/argo/report.hpp"
#include "dialect/argo/spec.hpp"

namespace kist::dialect::argo {

// What to do where a parameter of the workflow has no value, to follow what is wrong.
inline std::string advice_to_give(std::string_view parameter) {
  return fmt::format("; give it with `-p {}=VALUE`", parameter);
}

// Names: there, well formed, once; of workflow, templates, steps, parameters, artifacts. `kind`: what messages call the
// document ("workflow template").
void check_names(const Spec& spec, std::string_view kind, Report& report);
// Images, paths, values, enums: what each input and output must say.
void check_contents(const Spec& spec, bool to_run, Report& report);
// What the value of an argument may come from. `where` is what messages call it.
void check_source(const Parameter& argument, const std::string& where, Report& report);
// What surrounds the work: retries, locks, metrics, volumes, schedules.
void check_policies(const Spec& spec, Report& report);
// Steps and tasks: templates that exist, arguments for all that they need. `to_run`: not only looked at.
void check_calls(const Spec& spec, bool to_run, Report& report);
// Every `{{…}}`: names that mean something where they stand. Of a document of templates that is not to run, the
// parameters may be those of whoever uses it.
void check_references(const Spec& spec, const Graphs& graphs, bool to_run, Report& report);

}  // namespace kist::dialect::argo
