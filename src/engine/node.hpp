// The nodes of a run while it is owned. Only the engine's thread touches them.
//
// A step of a group becomes one node, or, where it loops, a node with one child an item. A node of a definition with a
// retry has one child an attempt. Hooks make nodes beside the one they belong to.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "engine/plan.hpp"
#include "engine/retries.hpp"
#include "engine/sending.hpp"
#include "model/record.hpp"
#include "model/workflow.hpp"

namespace kist::engine {

class NodeServices;

// What the name of an artifact stands for.
struct Absent {};  // an optional one that was not produced, a skipped producer
struct RawText {
  std::string text;
};
// What lies outside stands for itself, with literal texts, until a task fetches it.
using ArtifactValue = std::variant<Absent, model::ArtifactRecord, RawText, const model::UsedRun*, model::ProjectFiles,
                                   model::ExternalArtifact>;

struct Node;

// A step, an item or an attempt whose turn has come; a node is made of it when it starts.
struct Wanted {
  Node* parent;       // group, loop or retry
  std::size_t index;  // of the step in the plan, of the item, of the attempt
};

// How far a group's node is.
struct GroupProgress {
  std::shared_ptr<const GroupPlan> plan;
  std::vector<Node*> children;       // by step; nullptr: there is none (yet)
  std::vector<std::size_t> waiting;  // of a graph: how many of its dependencies have not ended, by step
  std::vector<const Node*> failure;  // of a graph: the node whose failure counts as the step's, by step
  std::size_t under_way = 0;         // children that were asked for and have not ended
  int stage = 0;                     // of a sequence
  bool broken = false;               // it has failed already: nothing new starts
  const Node* cause = nullptr;       // of one that is to fail at once: the step or item that failed first
  std::optional<std::size_t> most;   // its parallelism
  std::size_t active = 0;            // steps and items that have started and count against it
  std::deque<Wanted> held;           // what waits for another one to end
  std::vector<Node*> daemons;        // ready, not ended
};

// How far the node of a step that loops is.
struct LoopProgress {
  std::vector<std::shared_ptr<const Json>> items;
  std::vector<const model::NodeRecord*> members;  // by item; nullptr: not started
  std::vector<Node*> children;                    // by item; nullptr also where an earlier owner ended the loop
  std::size_t under_way = 0;
  std::map<std::string, std::string, std::less<>> aggregated;  // what was asked of all members' outputs, by field
  // Puts together what its members made under a name, into its node's outputs. Nothing where none has made it.
  std::function<Status(std::string_view name)> gather;
};

// How far a node with attempts is.
struct RetryProgress {
  RetryRule rule;
  int attempts = 0;  // begun
  Time first_started;
  std::optional<LastAttempt> last;  // the last one that has ended
  Node* child = nullptr;            // the newest attempt
};

// The hooks of a node.
struct HookProgress {
  std::vector<bool> fired;  // by hook
  std::vector<Node*> made;  // in the order they were
  std::size_t under_way = 0;
  bool ended = false;  // the node has ended, and whoever waits for it waits for its hooks
};

struct Node {
  enum class Role { entry, step, item, attempt, hook };

  Node(model::NodeRecord& its_record, Role its_role) : record(its_record), role(its_role) {}

  model::NodeRecord& record;
  const Role role;
  model::NodeNames names;  // as the dialect gives them, for what is named after it; the record's tell no secret
  Node* parent = nullptr;  // group, loop, retry, or what the hook belongs to; nullptr: the entry, a hook of the run
  const model::Step* step = nullptr;              // also of its items and attempts; nullptr: the entry, hooks
  StepIndex step_index = 0;                       // in the group's plan
  const model::Hook* hook = nullptr;              // that made it
  const model::Definition* definition = nullptr;  // set when it starts
  int depth = 0;
  std::shared_ptr<const Json> item;                          // of a loop it is in
  std::map<std::string, ArtifactValue, std::less<>> inputs;  // its input artifacts
  std::unique_ptr<GroupProgress> group;                      // of a group that has started
  std::unique_ptr<LoopProgress> loop;
  std::unique_ptr<RetryProgress> retry;
  std::unique_ptr<HookProgress> hooks;
  std::shared_ptr<NodeServices> services;  // of a task that was handed to the place
  std::vector<Sending> sendings;           // of a task: where it sends its artifacts
  Time submitted;
  std::optional<std::chrono::nanoseconds> deadline;  // from when it begins to run
  std::optional<Time> attempts_end;  // of an attempt after the first: when all attempts together have had their time
  struct Global {
    bool is_artifact;
    std::string output;
    std::string name;
  };
  std::vector<Global> globals;    // of a task: its outputs that are the run's too
  std::optional<Digest> project;  // of a task that hangs on the project's files: their state when it began
  bool at_exit = false;           // it, or what it is below, is run at an end, also when the run is stopped
  bool completed = false;         // whoever waits for it has gone on
  bool counted = false;           // against its group's parallelism
  bool overdue = false;           // its deadline has passed: it, and what is below it, is being ended
  bool too_late = false;          // that was because it had not begun to run in time
  bool released = false;          // a daemon whose group has ended: it was asked to end, and that is its success
};

// The group whose step a node is, or is an item, an attempt or a hook of; nullptr: none.
Node* group_of(const Node& node);

// As it is before it runs, again: its names, times of beginning, attempt and inputs stay, and what a task had saved
// while it ran: that stays however it ends, until what the next attempt makes replaces it.
void forget_outcome(model::NodeRecord& record);
// What an earlier owner left and need not be done again. What was stopped was stopped for the owner that is gone.
bool is_kept(const model::NodeRecord& record);

// Whether a node has come so far that whoever waits for it goes on.
inline bool is_complete(const model::NodeRecord& record) {
  return model::is_final(record.state) || record.daemoned;
}

}  // namespace kist::engine
