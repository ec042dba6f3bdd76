// What comes of a task: its outputs, its end, and what is said of it while it runs.
#include <algorithm>

#include <fmt/format.h>

#include "catalog/secrets.hpp"
#include "engine/scheduler.hpp"
#include "engine/sent.hpp"
#include "engine/services.hpp"

namespace kist::engine {
namespace {

using model::State;

std::string join(const std::vector<std::string>& texts) {
  return fmt::format("{}", fmt::join(texts, "; "));
}

}  // namespace

void Scheduler::note_globals(Node& node, const model::Task& bound) {
  node.globals.clear();
  for (const model::Action& action : bound.actions) {
    if (const auto* save = std::get_if<model::Save>(&action.what); save != nullptr && save->global)
      node.globals.push_back({true, save->name, save->global->source()});
    if (const auto* read = std::get_if<model::Read>(&action.what); read != nullptr && read->global)
      node.globals.push_back({false, read->parameter, read->global->source()});
  }
}

void Scheduler::task_ready(Node& node, std::string address) {
  if (model::is_final(node.record.state) || node.record.daemoned || !may_start(node)) return;
  node.record.daemoned = true;
  node.record.address = std::move(address);
  changed(node);
  if (Node* group = group_of(node); group != nullptr && group->group) group->group->daemons.push_back(&node);
  complete(node);
}

// Whoever waits for it has gone on already: its group fails by it in the end.
void Scheduler::daemon_failed(Node& node) {
  Node* group = group_of(node);
  if (group == nullptr || !group->group || group->group->failure.empty()) return;
  const Node*& failure = group->group->failure[node.step_index];
  if (failure == nullptr) failure = &node;
}

void Scheduler::release_daemons(Node& group) {
  for (Node* daemon : std::exchange(group.group->daemons, {})) {
    daemon->released = true;
    if (with_place_.contains(daemon)) place_.stop(run_.name, daemon->record.names.name, task::Stop::graceful);
  }
}

// Of a task whose processes run beside each other.
void Scheduler::make_containers(Node& node, const task::Outcome& outcome) {
  const auto& actions = std::get<model::Task>(node.definition->body).actions;
  if (std::ranges::none_of(actions, [](const model::Action& action) { return action.after.has_value(); })) return;
  for (const task::RunEnd& run : outcome.runs) {
    model::NodePlace place;
    place.run = run_.name;
    place.parent = &node.names;
    place.kind = model::NodePlace::Kind::container;
    place.step = run.title.empty() ? run.container : run.title;
    place.definition = node.record.definition;
    place.label = node.definition->label;
    model::NodeRecord& record = record_for(wording_.names(place));
    record.parent = node.record.names.name;
    record.definition = node.record.definition;
    record.kind = model::NodeKind::container;
    record.state = run.state;
    record.message = run.message;
    record.exit_code = run.exit_code;
    record.started = run.started;
    record.finished = run.finished;
    committer_.node(record);
  }
}

void Scheduler::note_secrets(const model::NodeRecord& record) {
  for (const model::ParameterRecord& parameter : record.output_parameters)
    if (parameter.secret) secrets_.add(parameter.value);
}

// Which values they are is not written down: those that are still kept here are found again.
void Scheduler::note_earlier_secrets() {
  std::vector<std::string_view> texts;
  for (const model::NodeRecord* record : earlier_) {
    note_secrets(*record);
    for (const model::ParameterRecord& parameter : record->output_parameters)
      if (parameter.secret) texts.emplace_back(parameter.value);
  }
  if (texts.empty()) return;
  const catalog::Secrets kept(parts_.home);
  task::Mask all;
  for (const auto& each : kept.list().value_or(std::vector<catalog::Secrets::Listed>()))
    for (const auto& [key, value] : kept.get(each.name).value_or(catalog::Secrets::Values())) all.add(value);
  for (std::string_view text : texts)
    for (const std::string& value : all.found_in(text)) secrets_.add(value);
}

void Scheduler::find_secrets(std::vector<model::ParameterRecord>& parameters) const {
  for (model::ParameterRecord& parameter : parameters)
    parameter.secret = parameter.secret || !secrets_.found_in(parameter.value).empty();
}

void Scheduler::find_secrets(model::NodeRecord& bound) const {
  find_secrets(bound.input_parameters);
  for (model::InputSource& source : bound.input_sources) source.text = secrets_.hide(source.text);
}

void Scheduler::task_ended(Node& node, task::Outcome outcome) {
  with_place_.erase(&node);
  if (!broken_) hand_over_waiting();
  auto logged = node.services->finish();
  for (model::ArtifactRecord& artifact : node.services->take_fetched())
    node.record.input_artifacts.push_back(std::move(artifact));
  node.services.reset();
  if (broken_) return;  // the task was stopped because of it: it is to be repeated
  if (outcome.failure) return give_up(std::move(*outcome.failure));
  if (!logged) return give_up(logged.error());

  model::NodeRecord& record = node.record;
  if (record.started == Time{}) record.started = node.submitted;
  check_fingerprint(parts_, run_, node);
  record.exit_code = outcome.exit_code;
  record.result = std::move(outcome.result);
  record.output_parameters = std::move(outcome.parameters);
  for (const std::string& secret : outcome.secrets) secrets_.add(secret);
  note_secrets(record);
  for (model::ArtifactRecord& artifact : outcome.artifacts) add_artifact(record.output_artifacts, std::move(artifact));

  std::vector<std::string> message;
  note_sent(node.sendings, record);
  auto put = put_under_keys(parts_, run_.name, record, [&](const std::string& text) {
    audience_.tell([&](Observer& observer) {
      observer.notice({.level = model::Notice::Level::warning, .origin = {}, .text = text});
    });
  });
  if (!put && put.error().kind != ErrorKind::invalid) return give_up(put.error());
  for (const Node::Global& global : node.globals) {
    if (global.is_artifact) {
      for (model::ArtifactRecord& artifact : record.output_artifacts)
        if (artifact.name == global.output) artifact.global = global.name;
    } else {
      for (model::ParameterRecord& parameter : record.output_parameters)
        if (parameter.name == global.output) parameter.global = global.name;
    }
  }
  make_containers(node, outcome);
  for (const model::Action& action : std::get<model::Task>(node.definition->body).actions)
    documents_changed_ = documents_changed_ || std::holds_alternative<model::ObjectRequest>(action.what);
  if (node.released && !is_stopping()) return end(node, State::succeeded, "");
  if (record.daemoned && outcome.state == State::succeeded) {
    outcome.state = State::failed;
    outcome.problems.emplace_back("a daemon is to run as long as its group, and has ended");
  }
  bool stopped = outcome.state == State::stopped || outcome.state == State::aborted;
  if (stopped) message.push_back(wording_.stopped(outcome.state == State::aborted));
  if (outcome.process && !stopped && outcome.state != State::succeeded)
    message.push_back(wording_.process_failed(*outcome.process));
  std::ranges::move(outcome.problems, std::back_inserter(message));
  if (!put) {  // what the file calls a key can be none
    message.push_back(put.error().text);
    outcome.state = State::error;
  }
  if (is_overdue(node) && outcome.state != State::succeeded) {
    outcome.state = State::failed;
    message = {overdue_message(node)};
  }
  end(node, outcome.state, join(message));
  if (record.daemoned && has_failed(outcome.state)) daemon_failed(node);
}

}  // namespace kist::engine
