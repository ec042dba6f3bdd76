// The nodes of a run while it is owned. Only the engine's thread touches them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "engine/plan.hpp"
#include "model/record.hpp"
#include "model/workflow.hpp"

namespace kist::engine {

class NodeServices;

// What the name of an artifact stands for.
struct Absent {};  // an optional one that was not produced, a skipped producer
struct RawText {
  std::string text;
};
using ArtifactValue = std::variant<Absent, model::ArtifactRecord, RawText, const model::UsedRun*, model::ProjectFiles>;

struct Node;

// How far a group's node is.
struct GroupProgress {
  const GroupPlan* plan = nullptr;
  std::vector<Node*> children;       // by step; nullptr: there is none (yet)
  std::vector<std::size_t> waiting;  // of a graph: how many of its dependencies have not ended, by step
  std::vector<const Node*> failure;  // of a graph: the node whose failure counts as the step's, by step
  std::size_t under_way = 0;         // children that were asked for and have not ended
  int stage = 0;                     // of a sequence
  bool broken = false;               // it has failed already: nothing new starts
};

struct Node {
  explicit Node(model::NodeRecord& its_record) : record(its_record) {}

  model::NodeRecord& record;
  Node* parent = nullptr;                         // nullptr: the entry
  const model::Step* step = nullptr;              // nullptr: the entry
  StepIndex step_index = 0;                       // in the parent's plan
  const model::Definition* definition = nullptr;  // set when it starts
  int depth = 0;
  std::map<std::string, ArtifactValue, std::less<>> inputs;  // its input artifacts
  std::unique_ptr<GroupProgress> group;                      // of a group that has started
  std::shared_ptr<NodeServices> services;                    // of a task that was handed to the place
  Time submitted;
};

}  // namespace kist::engine
