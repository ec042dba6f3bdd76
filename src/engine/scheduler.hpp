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
#include "engine/locks.hpp"
#include "engine/memory.hpp"
#include "engine/metrics.hpp"
#include "engine/node.hpp"
#include "engine/plan.hpp"
#include "engine/repository.hpp"
#include "engine/scope.hpp"
#include "engine/timers.hpp"
#include "environment/place.hpp"
#include "model/dialect.hpp"
#include "model/record.hpp"
#include "model/workflow.hpp"
#include "task/mask.hpp"
#include "task/task.hpp"

namespace kist::engine {

inline bool is_tolerated(const model::Step& step, model::State state) {
  return (state == model::State::failed && step.tolerate_failed) ||
         (state == model::State::error && step.tolerate_error);
}
// The last of a name stays.
void add_artifact(std::vector<model::ArtifactRecord>& artifacts, model::ArtifactRecord artifact);

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
  // What the end of the run adds to its metrics.
  Metrics::Measured take_measured() { return std::move(measured_); }

 private:
  // ---- nodes (scheduler_nodes.cpp)
  Node& make_node(Node::Role role, Node* parent, std::size_t index, const model::Hook* hook = nullptr);
  model::NodePlace place_of(Node::Role role, const Node* parent, std::size_t index, const model::Hook* hook) const;
  const model::Definition* find_definition(const std::string& name) const;
  // Output parameters with secrets in them: their values are hidden wherever they come from now on.
  void note_secrets(const model::NodeRecord& record);
  void note_earlier_secrets();
  void find_secrets(std::vector<model::ParameterRecord>& parameters) const;
  void find_secrets(model::NodeRecord& bound) const;  // in its inputs
  // Definitions with what steps have made or changed since of the documents that the workflow refers to.
  void renew_definitions();
  // What a step or an item calls that is about to be made; empty: that cannot be said (yet).
  std::string called_definition(Node::Role role, const Node& parent, std::size_t index) const;
  std::string called_definition(const model::Hook& hook, const Node* parent) const;
  // The record of the node with these names, an earlier owner's too. What is recorded are these names without values of
  // secrets; the id is of the whole name and tells apart whose names have become alike.
  model::NodeRecord& record_for(const model::NodeNames& names);
  // nullptr: no earlier owner has made it, or it was taken up already.
  model::NodeRecord* earlier_record(const model::NodeNames& names) const;
  void take_globals();
  void gather_nodes();
  // A step, an item, an attempt: makes its node and starts it, or lets it wait where its group has enough under way.
  void begin(const Wanted& wanted);
  void start(Node& node, const model::Call& call);
  Result<bool> condition_holds(Node& node);  // false: the node was skipped
  Status bind_call(Node& node, const model::Call& call);
  // Inputs are there: the attempts of a retry, or the body of its definition.
  Status start_bound(Node& node);
  Status start_locked(Node& node);
  Status start_body(Node& node);
  Status start_group(Node& node, const model::Group& group);
  // Of a group whose targets are known late, one of its own for each node.
  Result<std::shared_ptr<const GroupPlan>> plan_of(const Node& node, const model::Group& group);
  // Of a run with less to do than its parallelism allows; else when another one has ended.
  Status start_task(Node& node);
  Status hand_over(Node& node);
  void hand_over_waiting();
  // The group of a node ends too, where this was its last one.
  void end(Node& node, model::State state, const std::string& message);
  // `measured` is written together with the node as it is now.
  void changed(Node& node, Metrics::Measured measured = {});
  // Whoever waits for the node goes on.
  void complete(Node& node);

  // ---- groups (scheduler_groups.cpp)
  void want(Node& group, StepIndex step);
  void consider(Node& group, StepIndex step);
  void begin_stage(Node& group);
  void child_ended(Node& group, const Node& child);
  void graph_child_ended(Node& group, const Node& child);
  // Nothing new starts in the group, where this has failed and the group is to fail by it.
  void break_off_at_once(Node& group, const Node& child);
  void go_on_or_end(Node& group);
  void end_stage(Node& group);
  Status check_results(const Node& group);
  void end_graph(Node& group);
  // Whether the group was stopped, or its time is over; then it has been ended.
  bool end_stopped(Node& group, bool incomplete);
  void end_failed(Node& group, model::State state, const Node& child);
  void end_succeeded(Node& group);
  Status collect_outputs(Node& group);
  bool dependency_holds(const Node& group, const model::Dependency& dependency) const;
  // A step or an item of the group has ended that counted against its parallelism.
  void make_room(Node& group);

  // ---- loops (scheduler_loops.cpp)
  void make_loop(Node& node);
  Status start_loop(Node& node);
  void take_members(Node& loop);  // of one that an earlier owner ended
  void item_ended(Node& loop, const Node& item);
  void end_loop(Node& loop);
  Status gather_artifact(Node& loop, std::string_view name);

  // ---- retries (scheduler_retries.cpp)
  Status start_retry(Node& node);
  void begin_attempt(Node& retry);
  void attempt_ended(Node& retry, Node& attempt);
  void end_retry(Node& retry, const Node& attempt, const std::string& message);

  // ---- hooks (scheduler_hooks.cpp)
  void gather_hooks();
  const std::vector<model::Hook>& hooks_of(const Node& node) const;
  // Starts those whose time has come.
  void look_at_hooks(Node& node);
  bool had_begun(const Node& node, const model::Hook& hook) const;
  Result<bool> hook_holds(Node& node, const model::Hook& hook);
  void start_hook(Node& node, const model::Hook& hook, const Status& wanted);
  void hook_ended(Node& hook);
  void node_ended(Node& node);
  RunScope::Outcome summary() const;

  // ---- locks (scheduler_locks.cpp)
  // False: the node waits for them.
  Result<bool> take_locks(Node& node, const std::vector<model::Lock>& locks, const expression::Scope& scope,
                          std::string_view holder);
  void ask_for_locks_again();
  void go_on_with_locks(Node& node, std::string_view holder, const Result<LockQueue::Waiting>& waiting);
  void tell_of_waiting(Node& node, const std::string& message);

  // ---- gates (scheduler_gates.cpp)
  Status start_gate(Node& node);
  void time_of_gate(Node& node);
  void wait_for_approval();
  void approve(const catalog::Request& request);
  // Whether it could be opened with these values; else its message says what is missing.
  bool open_gate(Node& node, const std::vector<std::pair<std::string, std::string>>& values);

  // ---- tasks (scheduler_tasks.cpp)
  static void note_globals(Node& node, const model::Task& bound);
  void task_ready(Node& node, std::string address);
  // Those that were to run as long as their group.
  void release_daemons(Node& group);
  void daemon_failed(Node& node);
  void make_containers(Node& node, const task::Outcome& outcome);
  void task_ended(Node& node, task::Outcome outcome);

  // ---- limits of time (scheduler_limits.cpp)
  Status watch_timeout(Node& node);
  // For how long the node, which waits, may do so.
  Status watch_waiting(Node& node);
  Status read_deadline(Node& node);
  void watch_deadline(Node& node);
  // The limits of the whole run, that of tasks side by side too. Errors: of the texts.
  Status watch_run();
  static Result<std::size_t> read_parallelism(const model::Text& text, const expression::Scope& scope);
  void set_limit(Node& node, Time when);
  void time_is_over(Node& node);
  // What waits for a time, a lock, a person or the place and is below `top` ends; what runs is asked to.
  void halt(Node& top, task::Stop how);
  void stop_task(Node& node, task::Stop how);
  void end_halted(Node& node);
  bool is_overdue(const Node& node) const;
  std::string overdue_message(const Node& node) const;
  bool may_start(const Node& below) const;

  // ---- the loop (scheduler.cpp)
  void start_entry();
  bool has_ended() const;
  void work();
  void handle(Event event);
  // Does what is asked, and notes it for answer_requests(). `first`: nothing waits yet that could be approved.
  void take_requests(bool first = false);
  // Once what they have brought about was given to the committer.
  void answer_requests();
  void stop(task::Stop how);
  void give_up(Error error);
  void run_changed();
  // Labels and annotations that the workflow puts on its run.
  Status mark_run();
  // The default repository, as callers ask for it.
  auto keys() const {
    return [this](std::string_view key) { return find_key(parts_, key); };
  }
  bool is_stopping() const { return stopping_ != task::Stop::none; }
  model::State stopped_state() const;
  std::string stopped_message() const { return wording_.stopped(stopping_ == task::Stop::abort); }
  // Where the arguments, the condition and the loop of a node are said; for an entry the run.
  std::unique_ptr<expression::Scope> caller_scope(const Node& node) const;
  GroupScope group_scope(const Node& group, const Node* asking = nullptr) const {
    return {*scope_, workflow_, wording_, group, asking};
  }

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
  std::unordered_map<std::string, std::vector<const model::NodeRecord*>> earlier_members_;  // of loops, by parent
  std::deque<Node> nodes_;
  std::unordered_map<const model::Group*, Result<std::shared_ptr<const GroupPlan>>> plans_;

  Node* entry_ = nullptr;
  std::vector<model::Hook> run_hooks_;  // the exit handler too
  std::vector<Node*> run_hook_nodes_;
  Node* exit_node_ = nullptr;  // of the run's exit handler
  std::deque<Node*> changed_;  // whose hooks are to be looked at
  std::deque<Wanted> wanted_;
  std::deque<Node*> ended_;  // whose groups have not heard of it
  std::unordered_set<Node*> with_place_;
  std::deque<Node*> for_place_;                // tasks that wait to be handed over
  std::size_t most_with_place_ = 1000;         // what is handed over is bound, and takes memory
  std::unordered_set<Node*> parked_;           // what neither runs nor has children under way: they wait for something
  task::Mask secrets_;                         // what tasks have made of values of secrets, to be hidden
  bool documents_changed_ = false;             // perhaps, since the definitions were read
  std::vector<model::SourceText> seen_later_;  // what the newest definitions have of what was written since
  std::deque<model::Workflow> renewed_;        // workflows with it: nodes hang on older ones too
  std::int64_t last_request_ = 0;              // the newest that was acted on
  std::vector<std::int64_t> answered_;         // requests that were acted on since the last answer
  LockQueue locks_;
  Metrics metrics_;
  Metrics::Measured measured_;  // of the run's end
  Timers timers_;
  bool suspended_ = false;  // the entry waits for approval
  task::Stop stopping_ = task::Stop::none;
  std::optional<Error> broken_;
};

}  // namespace kist::engine
