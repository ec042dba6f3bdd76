// Runs one workflow: the engine's thread. Everything here happens in that thread; places perform the tasks in theirs
// and post what happens to the inbox.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/bind.hpp"
#include "engine/committer.hpp"
#include "engine/engine.hpp"
#include "engine/inbox.hpp"
#include "engine/node.hpp"
#include "engine/plan.hpp"
#include "engine/scope.hpp"
#include "environment/place.hpp"
#include "model/dialect.hpp"
#include "model/record.hpp"
#include "model/workflow.hpp"
#include "task/task.hpp"

namespace kist::engine {

class Scheduler {
 public:
  // `run` with the nodes of an earlier owner, where there was one: they are gone on with.
  Scheduler(const Parts& parts, environment::Place& place, Audience& audience, Committer& committer,
            std::shared_ptr<Inbox> inbox, model::RunRecord run, const model::Workflow& workflow,
            const model::Wording& wording);
  ~Scheduler();

  // To the end of the last task. The record then has its final state (the entry's) and all nodes, and all but the
  // run's own end was given to the committer. Errors: what keeps kist from going on; the tasks were stopped.
  Result<model::RunRecord> run();

 private:
  // ---- nodes (scheduler_nodes.cpp)
  struct Wanted {  // a step whose turn has come; a node is made of it when it starts
    Node* parent;
    StepIndex step;
  };
  Node& make_node(Node* parent, const model::Step* step, StepIndex index, const std::string& definition);
  model::NodeRecord& record_for(model::NodeNames names);
  void start(Node& node, const model::Call& call);
  Status bind_call(Node& node, const model::Call& call);
  Status start_group(Node& node, const model::Group& group);
  Status start_task(Node& node, const model::Task& task);
  // The group of a node ends too, where this was its last one.
  void end(Node& node, model::State state, std::string message);
  void changed(const Node& node);

  // ---- groups (scheduler_groups.cpp)
  void want(Node& group, StepIndex step);
  void consider(Node& group, StepIndex step);
  void begin_stage(Node& group);
  void child_ended(Node& group, const Node& child);
  void graph_child_ended(Node& group, const Node& child);
  void go_on_or_end(Node& group);
  void end_stage(Node& group);
  void end_graph(Node& group);
  // Whether the group was stopped; then it has been ended.
  bool end_stopped(Node& group, bool incomplete);
  void end_failed(Node& group, model::State state, const Node& child);
  void end_succeeded(Node& group);
  Status collect_outputs(Node& group);

  // ---- the loop (scheduler.cpp)
  void work();
  void handle(Event event);
  void task_ended(Node& node, task::Outcome outcome);
  void take_requests();
  void stop(task::Stop how);
  void give_up(Error error);
  void run_changed();
  bool is_stopping() const { return stopping_ != task::Stop::none; }
  model::State stopped_state() const;
  std::string stopped_message() const { return wording_.stopped(stopping_ == task::Stop::abort); }
  GroupScope group_scope(const Node& group) const { return {*scope_, workflow_, wording_, group}; }

  const Parts& parts_;
  environment::Place& place_;
  Audience& audience_;
  Committer& committer_;
  const std::shared_ptr<Inbox> inbox_;
  const model::Workflow& workflow_;
  const model::Wording& wording_;

  model::RunRecord run_;
  std::optional<RunScope> scope_;
  std::deque<model::NodeRecord> records_;  // in the order they came to be, an earlier owner's first
  std::unordered_map<std::string_view, model::NodeRecord*> records_by_name_;
  std::unordered_set<const model::NodeRecord*> earlier_;  // of an earlier owner, not taken up yet
  std::deque<Node> nodes_;
  std::unordered_map<const model::Group*, Result<GroupPlan>> plans_;

  Node* entry_ = nullptr;
  std::deque<Wanted> wanted_;
  std::deque<Node*> ended_;  // whose groups have not heard of it
  std::unordered_set<Node*> with_place_;
  task::Stop stopping_ = task::Stop::none;
  std::optional<Error> broken_;
};

}  // namespace kist::engine
