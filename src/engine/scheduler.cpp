// The loop takes what has happened, and then follows it to where nothing moves any more: ended nodes are told to their
// groups, which want further steps, which start. Both wait in queues instead of calling each other, since a definition
// may call itself thousands of times without a task in between.
//
// A task's outcome is acted on at once, before its state is durable: if the owner dies in between, that task is
// repeated, and what came of its first attempt with it.
#include "engine/scheduler.hpp"

#include <algorithm>
#include <chrono>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/sent.hpp"
#include "engine/services.hpp"

namespace kist::engine {
namespace {

using namespace std::chrono_literals;
using model::State;
using std::chrono::steady_clock;

constexpr auto kLookForRequests = 100ms;

// A text that is made of others is told with the value, since that alone says little of where it comes from.
Status check_label(const model::Wording& wording, std::string_view name, const model::Text& text,
                   std::string_view value) {
  const std::string wrong = wording.wrong_in_label(value);
  if (wrong.empty()) return {};
  const std::string from = text.is_literal() ? "" : fmt::format(" and expression {}", to_text(Json(text.source())));
  return fail(ErrorKind::invalid, fmt::format("invalid label value {} for label {}{}: {}", to_text(Json(value)),
                                              to_text(Json(name)), from, wrong));
}

}  // namespace

void add_artifact(std::vector<model::ArtifactRecord>& artifacts, model::ArtifactRecord artifact) {
  auto same = std::ranges::find(artifacts, artifact.name, &model::ArtifactRecord::name);
  if (same == artifacts.end())
    artifacts.push_back(std::move(artifact));
  else
    *same = std::move(artifact);
}

Scheduler::Scheduler(const Parts& parts, environment::Place& place, Audience& audience, Committer& committer,
                     std::shared_ptr<Inbox> inbox, model::RunRecord run, const model::Workflow& workflow,
                     const model::Wording& wording)
    : parts_(parts),
      place_(place),
      audience_(audience),
      committer_(committer),
      inbox_(std::move(inbox)),
      workflow_(workflow),
      wording_(wording),
      run_(std::move(run)),
      locks_(parts_, run_, workflow_.priority, wording_),
      metrics_(parts_, run_, workflow_, wording_, audience_) {
  for (model::NodeRecord& node : std::exchange(run_.nodes, {})) {
    model::NodeRecord& record = records_.emplace_back(std::move(node));
    records_by_name_.emplace(record.names.name, &record);
    earlier_.insert(&record);
  }
}

Scheduler::~Scheduler() {
  inbox_->close();
}

Result<model::RunRecord> Scheduler::run() {
  auto fill_with_chance = [random = parts_.random](std::span<std::byte> bytes) {
    for (std::byte& one : bytes) one = static_cast<std::byte>(random(256));
  };
  scope_.emplace(run_, workflow_, expression::Surroundings{.now = parts_.clock, .random = fill_with_chance});
  const auto given = scope_->set_parameters(workflow_);
  if (!earlier_.empty()) KIST_TRY(parts_.catalog.release(run_.name, ""));
  take_globals();
  if (run_.started == Time{}) run_.started = parts_.clock();
  run_.state = State::running;
  run_changed();
  suspended_ = workflow_.suspended && records_.empty();
  documents_changed_ = !earlier_.empty();
  take_requests(true);
  scope_->set_status(wording_.state(State::running));
  gather_hooks();
  entry_ = &make_node(Node::Role::entry, nullptr, 0);
  if (auto measured = metrics_.run_begins(*entry_, *scope_); !measured.empty())
    committer_.run({.run = run_.name, .measured = std::move(measured)}, std::nullopt);
  if (is_stopping())
    end(*entry_, stopped_state(), stopped_message());
  else if (!given)
    end(*entry_, State::error, given.error().text);
  else if (auto marked = mark_run(); !marked)
    end(*entry_, State::error, marked.error().text);
  else if (auto watched = watch_run(); !watched)
    end(*entry_, State::error, watched.error().text);
  else if (suspended_)
    wait_for_approval();
  else
    start_entry();
  work();
  // What was approved before anybody waited, perhaps under an owner that could not write it down any more.
  take_requests();
  work();
  answer_requests();

  auto next_look = steady_clock::now() + kLookForRequests;
  while (!with_place_.empty() || (!broken_ && !has_ended())) {
    const auto patience = timers_.until_next(parts_.clock(), kLookForRequests);
    for (Event& event : inbox_->take(std::min(next_look, steady_clock::now() + patience))) {
      handle(std::move(event));
      work();  // hooks see every state
    }
    if (!broken_) timers_.run(parts_.clock());
    work();
    if (locks_.was_freed()) {
      ask_for_locks_again();
      work();
    }
    if (steady_clock::now() < next_look) continue;
    take_requests();
    ask_for_locks_again();
    work();
    answer_requests();
    next_look = steady_clock::now() + kLookForRequests;
  }
  locks_.give_back_all();
  if (broken_) return std::unexpected(*broken_);
  gather_nodes();

  // A handler's failure is the run's, unless that has failed already.
  const bool handler_counts = exit_node_ != nullptr && model::is_success(entry_->record.state);
  const model::NodeRecord& last = handler_counts ? exit_node_->record : entry_->record;
  run_.state = model::is_success(last.state) ? State::succeeded : last.state;
  run_.message = run_.state == State::succeeded ? "" : last.message;
  scope_->set_status(wording_.state(run_.state));
  measured_ = metrics_.run_ended(*entry_, *scope_);
  run_.finished = exit_node_ != nullptr ? exit_node_->record.finished : entry_->record.finished;
  return std::move(run_);
}

Status Scheduler::mark_run() {
  if (workflow_.labels.empty() && workflow_.annotations.empty()) return {};
  // What somebody has written on the run since it began stays.
  if (run_.marks.labels.empty() && run_.marks.annotations.empty()) {
    model::Marks marks;
    for (const auto& [name, text] : workflow_.labels) {
      auto value = expression::evaluate_value(text, *scope_);
      if (!value) return with_context(fmt::format("label '{}'", name), value.error());
      if (!value->is_string())
        return fail(ErrorKind::invalid,
                    fmt::format("label '{}': {} is {}, and must be a text", name, text.source(), to_text(*value)));
      KIST_TRY(check_label(wording_, name, text, value->get_ref<const std::string&>()));
      marks.labels.emplace_back(name, value->get<std::string>());
    }
    for (const auto& [name, text] : workflow_.annotations) {
      KIST_TRY_ASSIGN(std::string value, expression::evaluate(text, *scope_));
      marks.annotations.emplace_back(name, std::move(value));
    }
    KIST_TRY(parts_.catalog.mark_run(run_.name, marks));
    run_.marks = std::move(marks);
  }
  scope_->set_marks(run_.marks);
  return {};
}

void Scheduler::start_entry() {
  // Held until the run's handlers have ended too.
  auto held = take_locks(*entry_, workflow_.locks, *scope_, LockQueue::kWholeRun);
  if (!held) return end(*entry_, State::error, held.error().text);
  if (*held) start(*entry_, workflow_.entry);
}

bool Scheduler::has_ended() const {
  return entry_->completed;
}

void Scheduler::work() {
  while (!broken_) {
    if (!changed_.empty()) {
      Node* node = changed_.front();
      changed_.pop_front();
      look_at_hooks(*node);
      continue;
    }
    if (!ended_.empty()) {
      Node* node = ended_.front();
      ended_.pop_front();
      node_ended(*node);
      continue;
    }
    if (wanted_.empty()) return;
    const Wanted wanted = wanted_.front();
    wanted_.pop_front();
    begin(wanted);
  }
}

void Scheduler::handle(Event event) {
  if (auto* broken = std::get_if<Broken>(&event)) return give_up(std::move(broken->error));
  if (auto* started = std::get_if<TaskStarted>(&event)) {
    model::NodeRecord& record = started->node->record;
    if (record.state != State::pending) return;
    record.state = may_start(*started->node) ? State::running : State::stopping;
    record.started = parts_.clock();
    watch_deadline(*started->node);
    changed(*started->node);
  }
  if (auto* published = std::get_if<TaskPublished>(&event)) {
    if (model::is_final(published->node->record.state)) return;
    add_artifact(published->node->record.output_artifacts, std::move(published->artifact));
    committer_.node(published->node->record, std::move(published->receipt));
  }
  if (auto* ready = std::get_if<TaskReady>(&event)) task_ready(*ready->node, std::move(ready->address));
  if (auto* ended = std::get_if<TaskEnded>(&event)) task_ended(*ended->node, std::move(ended->outcome));
}

void Scheduler::take_requests(bool first) {
  if (broken_) return;
  auto requests = parts_.catalog.requests(run_.name);
  if (!requests) {
    // A catalog that is busy for long is asked again; what it is broken for, the next commit tells.
    return;
  }
  for (const catalog::Request& request : *requests) {
    if (request.number <= last_request_) continue;  // not yet gone
    if (first && request.kind == catalog::Request::Kind::approve && !suspended_) return;
    last_request_ = request.number;
    answered_.push_back(request.number);
    if (request.kind == catalog::Request::Kind::approve)
      approve(request);
    else
      stop(request.kind == catalog::Request::Kind::abort ? task::Stop::abort : task::Stop::graceful);
  }
}

void Scheduler::answer_requests() {
  if (answered_.empty()) return;
  catalog::Changes changes;
  changes.run = run_.name;
  changes.answered = std::exchange(answered_, {});
  committer_.run(std::move(changes), std::nullopt);
}

// Nothing new starts; what runs is asked to end, and may be asked again more sharply.
void Scheduler::stop(task::Stop how) {
  if (stopping_ == task::Stop::abort || stopping_ == how) return;
  stopping_ = how;
  run_.state = State::stopping;
  run_changed();
  if (entry_ == nullptr) return;
  if (std::exchange(suspended_, false)) end(*entry_, stopped_state(), stopped_message());
  halt(*entry_, how);
  for (Node* hook : run_hook_nodes_)
    if (!hook->at_exit || how == task::Stop::abort) halt(*hook, how);
}

void Scheduler::give_up(Error error) {
  if (broken_) return;
  broken_ = std::move(error);
  for (Node* node : with_place_) place_.stop(run_.name, node->record.names.name, task::Stop::abort);
}

void Scheduler::run_changed() {
  catalog::Changes changes;
  changes.run = run_.name;
  changes.state = run_.state;
  changes.started = run_.started;
  changes.message = run_.message;
  committer_.run(std::move(changes), run_);
}

State Scheduler::stopped_state() const {
  return stopping_ == task::Stop::abort ? State::aborted : State::stopped;
}

}  // namespace kist::engine
