// What can be said about a group before any of its nodes runs: made once a definition, whatever the number of its
// instances.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "model/record.hpp"
#include "model/workflow.hpp"

namespace kist::engine {

using StepIndex = std::uint32_t;

struct GroupPlan {
  std::shared_ptr<const model::Group> own;  // where names of its steps are this instance's own
  const model::Group* group = nullptr;
  std::vector<const model::Step*> steps;  // of a sequence: those of all stages, in order
  std::vector<int> stages;                // by step
  std::unordered_map<std::string_view, StepIndex> index;

  // Of a sequence: where the steps of each stage begin, and where the last one ends.
  std::vector<StepIndex> stage_begins;

  // Of a graph:
  std::vector<std::vector<StepIndex>> depends_on;
  std::vector<std::vector<StepIndex>> dependents;
  std::vector<StepIndex> targets;
  std::vector<bool> is_target;
  std::vector<bool> needed;  // a target, or something a target waits for: nothing else runs
};

// The group must outlive the plan. Errors: invalid (a dependency that is not there, a cycle): such a group cannot run.
// `targets`: of a graph; none: the steps that no other one waits for.
Result<GroupPlan> make_plan(const model::Group& group, const std::vector<std::string>& targets);
inline Result<GroupPlan> make_plan(const model::Group& group) {
  return make_plan(group, group.targets);
}

// How a step has ended.
struct StepResult {
  model::State state = model::State::succeeded;
  bool daemoned = false;            // it goes on
  std::vector<model::State> items;  // of one that loops
};

// Whether a dependency holds, where all steps that it names have ended.
bool holds(const model::Dependency& dependency, const std::function<StepResult(std::string_view step)>& result);

}  // namespace kist::engine
