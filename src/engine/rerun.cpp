#include "engine/rerun.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <fmt/format.h>

#include "engine/node.hpp"
#include "engine/plan.hpp"

namespace kist::engine {
namespace {

using model::NodeKind;
using model::NodeRecord;
using model::State;

bool has_name(const NodeRecord& node, std::string_view name) {
  return node.names.name == name || node.names.display == name || node.names.id == name || node.step == name;
}

// Whether it did something that counts as an attempt.
bool was_tried(const NodeRecord& node) {
  return node.kind == NodeKind::task && node.state != State::pending && node.state != State::skipped &&
         node.state != State::omitted && node.taken_from.empty() && !(node.memo && node.memo->hit);
}

class TakingBack {
 public:
  TakingBack(model::RunRecord& run, const model::Workflow& workflow) : run_(run), workflow_(workflow) {
    for (NodeRecord& node : run_.nodes) {
      by_name_.emplace(node.names.name, &node);
      below_[node.parent].push_back(&node);
    }
  }

  Status choose(std::string_view step) {
    bool found = false;
    for (NodeRecord& node : run_.nodes) {
      if (!has_name(node, step)) continue;
      found = true;
      chosen_.insert(&node);
      for (auto above = by_name_.find(node.parent); above != by_name_.end();
           above = by_name_.find(above->second->parent))
        leads_to_chosen_.insert(above->second);
    }
    if (found) return {};
    return fail(ErrorKind::not_found, fmt::format("the run '{}' has no step '{}'", run_.name, step));
  }

  Status all() {
    bool entry_again = false;
    for (NodeRecord* top : below(""))
      if (top->hook.empty()) entry_again = again(*top) || entry_again;
    for (NodeRecord* top : below("")) {
      if (top->hook.empty()) continue;
      const bool is_kept = !entry_again && top->hook != "exit" && model::is_success(top->state);
      if (!is_kept) take_all(*top);
    }
    if (problem_) return std::unexpected(*problem_);
    if (!taken_) return fail(ErrorKind::conflict, fmt::format("nothing of the run '{}' is to run again", run_.name));
    std::erase_if(run_.nodes, [&](const NodeRecord& node) { return removed_.contains(node.names.name); });
    return {};
  }

 private:
  const std::vector<NodeRecord*>& below(const std::string& name) const {
    static const std::vector<NodeRecord*> kNone;
    auto found = below_.find(name);
    return found == below_.end() ? kNone : found->second;
  }

  // Whether the node is to run again; then what of it and below it does is taken back.
  bool again(NodeRecord& node) {
    if (chosen_.contains(&node)) {
      take_all(node);
      return true;
    }
    if (model::is_success(node.state) && !leads_to_chosen_.contains(&node)) return false;
    switch (node.kind) {
      case NodeKind::graph:
      case NodeKind::sequence:
        look_into_group(node);
        break;
      case NodeKind::loop:
        for (NodeRecord* item : below(node.names.name)) {
          if (item->hook.empty())
            (void)again(*item);
          else
            take_all(*item);
        }
        break;
      case NodeKind::retry:
        look_into_attempts(node);
        break;
      case NodeKind::task:
      case NodeKind::gate:
      case NodeKind::container:
        for (NodeRecord* inner : below(node.names.name)) take_all(*inner);
        break;
    }
    take(node);
    return true;
  }

  void look_into_group(NodeRecord& node) {
    auto definition = workflow_.definitions.find(node.definition);
    const auto* group =
        definition == workflow_.definitions.end() ? nullptr : std::get_if<model::Group>(&definition->second.body);
    Result<GroupPlan> plan = fail(ErrorKind::invalid, "it is no group any more");
    if (group != nullptr) plan = make_plan(*group);
    if (!plan) {
      if (!problem_) problem_ = with_context(node.names.name, plan.error()).error();
      return;
    }
    if (group->kind == model::Group::Kind::sequence) return look_into_sequence(node);
    std::vector<NodeRecord*> steps(plan->steps.size());
    for (NodeRecord* child : below(node.names.name)) {
      auto step = child->hook.empty() ? plan->index.find(child->step) : plan->index.end();
      if (step == plan->index.end())
        take_all(*child);
      else
        steps[step->second] = child;
    }
    std::vector<StepIndex> open;
    std::vector<bool> is_again(steps.size());
    for (StepIndex i = 0; i < steps.size(); ++i) {
      // What never came to be is no reason for what came after it to run again.
      is_again[i] = steps[i] != nullptr && again(*steps[i]);
      if (is_again[i]) open.push_back(i);
    }
    take_what_follows(*plan, steps, std::move(open), std::move(is_again));
    for (NodeRecord* step : steps)
      if (step != nullptr) take_daemons(*step);
  }

  // By the stages that its nodes were of: names of its steps may be known to the run alone.
  void look_into_sequence(NodeRecord& node) {
    std::optional<int> first;
    for (NodeRecord* child : below(node.names.name)) {
      if (!child->hook.empty())
        take_all(*child);
      else if (again(*child))
        first = std::min(first.value_or(child->stage), child->stage);
    }
    for (NodeRecord* child : below(node.names.name)) {
      if (!child->hook.empty()) continue;
      if (first && child->stage > *first)
        take_all(*child);
      else
        take_daemons(*child);
    }
  }

  void take_what_follows(const GroupPlan& plan, const std::vector<NodeRecord*>& steps, std::vector<StepIndex> open,
                         std::vector<bool> is_again) {
    auto take_step = [&](StepIndex step) {
      if (steps[step] != nullptr) take_all(*steps[step]);
    };
    while (!open.empty()) {
      const StepIndex step = open.back();
      open.pop_back();
      for (StepIndex dependent : plan.dependents[step]) {
        if (is_again[dependent]) continue;
        is_again[dependent] = true;
        take_step(dependent);
        open.push_back(dependent);
      }
    }
  }

  // Those that ran as long as the group did: what is still to come may use them.
  void take_daemons(NodeRecord& step) {
    if (step.daemoned && step.state != State::pending) return take_all(step);
    if (step.kind != NodeKind::loop) return;
    bool found = false;
    for (NodeRecord* item : below(step.names.name)) {
      if (!item->daemoned || item->state == State::pending) continue;
      take_all(*item);
      found = true;
    }
    if (found) take(step);
  }

  // The attempts begin anew. Of a group the first is gone on with.
  void look_into_attempts(NodeRecord& node) {
    for (NodeRecord* attempt : below(node.names.name)) {
      if (!attempt->hook.empty())
        take_all(*attempt);
      else if (attempt->index.value_or(0) > 0)
        remove(*attempt);
      else
        (void)again(*attempt);
    }
  }

  void take_all(NodeRecord& node) {
    for (NodeRecord* inner : below(node.names.name)) {
      const bool is_later = node.kind == NodeKind::retry && inner->hook.empty() && inner->index.value_or(0) > 0;
      if (is_later)
        remove(*inner);
      else
        take_all(*inner);
    }
    take(node);
  }

  void remove(const NodeRecord& node) {
    removed_.insert(node.names.name);
    for (const NodeRecord* inner : below(node.names.name)) remove(*inner);
  }

  void take(NodeRecord& node) {
    taken_ = true;
    if (was_tried(node)) ++node.attempt;
    node.created = node.first_started = node.started = Time{};
    forget_outcome(node);
  }

  model::RunRecord& run_;
  const model::Workflow& workflow_;
  std::unordered_map<std::string_view, NodeRecord*> by_name_;
  std::unordered_map<std::string, std::vector<NodeRecord*>> below_;  // by parent
  std::unordered_set<const NodeRecord*> chosen_;
  std::unordered_set<const NodeRecord*> leads_to_chosen_;
  std::unordered_set<std::string> removed_;
  std::optional<Error> problem_;
  bool taken_ = false;
};

}  // namespace

Status take_back(model::RunRecord& run, const model::Workflow& workflow, std::span<const std::string> steps) {
  TakingBack taking(run, workflow);
  for (const std::string& step : steps) KIST_TRY(taking.choose(step));
  return taking.all();
}

}  // namespace kist::engine
