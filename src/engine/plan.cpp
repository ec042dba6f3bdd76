#include "engine/plan.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace kist::engine {
namespace {

using model::Dependency;
using model::State;

Result<StepIndex> find_step(const GroupPlan& plan, std::string_view name, std::string_view what) {
  auto found = plan.index.find(name);
  if (found == plan.index.end()) return fail(ErrorKind::invalid, fmt::format("{} '{}' is not defined", what, name));
  return found->second;
}

// Marks the targets and all they wait for.
void mark_needed(GroupPlan& plan) {
  plan.needed.assign(plan.steps.size(), false);
  std::vector<StepIndex> todo = plan.targets;
  while (!todo.empty()) {
    StepIndex step = todo.back();
    todo.pop_back();
    if (plan.needed[step]) continue;
    plan.needed[step] = true;
    todo.insert(todo.end(), plan.depends_on[step].begin(), plan.depends_on[step].end());
  }
}

// Steps that wait for each other would wait for ever.
Status check_for_cycle(const GroupPlan& plan) {
  std::vector<std::size_t> waiting;
  std::vector<StepIndex> ready;
  for (StepIndex step = 0; step < plan.steps.size(); ++step) {
    waiting.push_back(plan.depends_on[step].size());
    if (waiting.back() == 0) ready.push_back(step);
  }
  std::size_t done = 0;
  for (; !ready.empty(); ++done) {
    StepIndex step = ready.back();
    ready.pop_back();
    for (StepIndex dependent : plan.dependents[step])
      if (--waiting[dependent] == 0) ready.push_back(dependent);
  }
  if (done == plan.steps.size()) return {};

  // From a step that still waits, following what it waits for leads into the cycle, and then round it.
  auto step =
      static_cast<StepIndex>(std::ranges::find_if(waiting, [](auto count) { return count > 0; }) - waiting.begin());
  std::vector<StepIndex> path;
  while (std::ranges::find(path, step) == path.end()) {
    path.push_back(step);
    step = *std::ranges::find_if(plan.depends_on[step], [&](StepIndex other) { return waiting[other] > 0; });
  }
  std::string cycle = plan.steps[step]->name;
  for (auto at = std::ranges::find(path, step) + 1; at != path.end(); ++at) cycle += "->" + plan.steps[*at]->name;
  return fail(ErrorKind::invalid,
              fmt::format("tasks dependency cycle detected: {}->{}", cycle, plan.steps[step]->name));
}

bool passes(Dependency::Test test, const StepResult& result) {
  const bool alone = result.items.empty();
  switch (test) {
    case Dependency::Test::succeeded:
      return result.state == State::succeeded;
    case Dependency::Test::failed:
      return result.state == State::failed;
    case Dependency::Test::errored:
      return result.state == State::error;
    case Dependency::Test::skipped:
      return result.state == State::skipped;
    case Dependency::Test::omitted:
      return result.state == State::omitted;
    case Dependency::Test::daemoned:
      return result.daemoned && !model::is_final(result.state);
    case Dependency::Test::any_succeeded:
      if (alone) return result.state == State::succeeded;
      return std::ranges::find(result.items, State::succeeded) != result.items.end();
    case Dependency::Test::all_failed:
      break;
  }
  // An error is not counted as a failure here, as Argo has it.
  const auto failed = [](State state) { return has_failed(state) && state != State::error; };
  return alone ? has_failed(result.state) : std::ranges::all_of(result.items, failed);
}

}  // namespace

Result<GroupPlan> make_plan(const model::Group& group, const std::vector<std::string>& targets) {
  GroupPlan plan;
  plan.group = &group;
  const model::Step* repeated = nullptr;
  auto add = [&](const model::Step& step, int stage) {
    const auto next = static_cast<StepIndex>(plan.steps.size());
    if (!plan.index.emplace(step.name, next).second && !repeated) repeated = &step;
    plan.steps.push_back(&step);
    plan.stages.push_back(stage);
  };
  if (group.kind == model::Group::Kind::sequence) {
    for (std::size_t stage = 0; stage < group.stages.size(); ++stage) {
      plan.stage_begins.push_back(static_cast<StepIndex>(plan.steps.size()));
      for (const model::Step& step : group.stages[stage]) add(step, static_cast<int>(stage));
    }
    plan.stage_begins.push_back(static_cast<StepIndex>(plan.steps.size()));
    if (repeated != nullptr)
      return fail(ErrorKind::invalid, fmt::format("the step name '{}' is not unique", repeated->name));
    return plan;
  }

  for (const model::Step& step : group.steps) add(step, 0);
  plan.depends_on.resize(plan.steps.size());
  plan.dependents.resize(plan.steps.size());
  for (StepIndex step = 0; step < plan.steps.size(); ++step) {
    for (const std::string& name : model::steps_of(plan.steps[step]->depends)) {
      KIST_TRY_ASSIGN(StepIndex other, find_step(plan, name, "dependency"));
      plan.depends_on[step].push_back(other);
      plan.dependents[other].push_back(step);
    }
  }
  KIST_TRY(check_for_cycle(plan));
  for (const std::string& name : targets) {
    KIST_TRY_ASSIGN(StepIndex target, find_step(plan, name, "target"));
    plan.targets.push_back(target);
  }
  if (targets.empty())
    for (StepIndex step = 0; step < plan.steps.size(); ++step)
      if (plan.dependents[step].empty()) plan.targets.push_back(step);
  plan.is_target.assign(plan.steps.size(), false);
  for (StepIndex target : plan.targets) plan.is_target[target] = true;
  mark_needed(plan);
  return plan;
}

bool holds(const Dependency& dependency, const std::function<StepResult(std::string_view step)>& result) {
  auto operand_holds = [&](const Dependency& operand) { return holds(operand, result); };
  switch (dependency.op) {
    case Dependency::Operator::always:
      return true;
    case Dependency::Operator::is:
      return passes(dependency.test, result(dependency.step));
    case Dependency::Operator::all:
      return std::ranges::all_of(dependency.operands, operand_holds);
    case Dependency::Operator::any:
      return std::ranges::any_of(dependency.operands, operand_holds);
    case Dependency::Operator::negate:
      break;
  }
  return !std::ranges::any_of(dependency.operands, operand_holds);
}

}  // namespace kist::engine
