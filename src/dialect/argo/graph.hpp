// The graph of a dag: what each task waits for, and which tasks run at all. Argo's rules: `dependencies: [A]` means
// (A.Succeeded || A.Skipped || A.Daemoned), with Errored and Failed where A's continueOn covers them; a bare name in
// `depends` means the same. Only the targets and what they wait for run.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "dialect/argo/report.hpp"
#include "dialect/argo/spec.hpp"
#include "model/workflow.hpp"

namespace kist::dialect::argo {

struct Graph {
  std::vector<model::Dependency> depends;                 // by the task's index
  std::vector<std::vector<std::size_t>> before;           // the tasks it names
  std::map<std::string, std::size_t, std::less<>> index;  // of a task by its name
  std::vector<std::string> targets;
  std::vector<bool> runs;
  bool broken = false;  // there was a cycle: nothing is known of who waits for whom

  // Whether `task` waits, by whatever way, for `other`.
  bool waits_for(std::size_t task, std::size_t other) const;
};

// The graphs of the templates that are dags.
using Graphs = std::map<const Template*, Graph>;

// Whether its targets are known only when it starts: then all its tasks may run.
bool has_late_target(const Template& dag);

// Reports names that are not tasks, cycles, wrong `depends`, unknown targets. Where something is wrong the graph is
// what is left without it.
Graph make_graph(const Template& dag, Report& report);

// Parts of dependencies: a test of one step, and an operator whose operands are still to come.
model::Dependency is(std::string_view step, model::Dependency::Test test);
model::Dependency combine(model::Dependency::Operator op);

// An expression over results of tasks: names, `A.Failed`, && || ! ( ). `plain` gives what a bare name means. Errors:
// invalid, with what was expected and where (characters count from 1).
Result<model::Dependency> parse_depends(std::string_view text,
                                        const std::function<model::Dependency(std::string_view)>& plain);

}  // namespace kist::dialect::argo
