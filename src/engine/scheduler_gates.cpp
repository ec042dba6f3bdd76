// What waits for a time or for a person.
#include <algorithm>

#include <fmt/format.h>

#include "engine/scheduler.hpp"
#include "expression/duration.hpp"

namespace kist::engine {
namespace {

using model::State;

constexpr std::string_view kSuspended = "waits for approval";

bool is_meant(const catalog::Request& request, const model::NodeRecord& record) {
  return request.node.empty() || request.node == record.names.name || request.node == record.names.display ||
         request.node == record.names.id || request.node == record.step;
}

}  // namespace

Status Scheduler::start_gate(Node& node) {
  const auto& gate = std::get<model::Gate>(node.definition->body);
  node.record.state = State::running;
  if (node.record.started == Time{}) node.record.started = parts_.clock();
  watch_deadline(node);
  if (gate.duration) {
    KIST_TRY_ASSIGN(std::string text, expression::evaluate(*gate.duration, NodeScope(*scope_, node)));
    auto duration = expression::parse_duration(text);
    if (!duration) return with_context("the duration", duration.error());
    timers_.at(after(node.record.started, *duration), [this, &node] { time_of_gate(node); });
  }
  parked_.insert(&node);
  changed(node);
  return {};
}

void Scheduler::time_of_gate(Node& node) {
  if (!parked_.contains(&node)) return;  // it was opened before
  if (!open_gate(node, {})) end(node, State::failed, node.record.message);
}

bool Scheduler::open_gate(Node& node, const std::vector<std::pair<std::string, std::string>>& values) {
  auto refuse = [&](std::string why) {
    node.record.message = std::move(why);
    changed(node);
    return false;
  };
  std::vector<model::ParameterRecord> outputs;
  for (const model::Gate::Supplied& supplied : std::get<model::Gate>(node.definition->body).supplied) {
    auto given = std::ranges::find(values, supplied.name, [](const auto& pair) { return pair.first; });
    std::string value;
    if (given != values.end()) {
      value = given->second;
    } else if (supplied.fallback) {
      auto fallback = expression::evaluate(*supplied.fallback, NodeScope(*scope_, node));
      if (!fallback) return refuse(fallback.error().text);
      value = std::move(*fallback);
    } else {
      return refuse(
          fmt::format("raw output parameter '{}' has not been set and does not have a default value", supplied.name));
    }
    if (!supplied.allowed.empty() && std::ranges::find(supplied.allowed, value) == supplied.allowed.end())
      return refuse(fmt::format("output parameter '{}': '{}' is not one of: {}", supplied.name, value,
                                fmt::join(supplied.allowed, ", ")));
    model::ParameterRecord& output = outputs.emplace_back(model::ParameterRecord{supplied.name, std::move(value)});
    if (supplied.global) {
      auto global = expression::evaluate(*supplied.global, NodeScope(*scope_, node));
      if (!global) return refuse(global.error().text);
      output.global = std::move(*global);
    }
  }
  node.record.output_parameters = std::move(outputs);
  end(node, State::succeeded, "");
  return true;
}

void Scheduler::wait_for_approval() {
  run_.message = kSuspended;
  run_changed();
}

void Scheduler::approve(const catalog::Request& request) {
  if (suspended_ && request.node.empty()) {
    suspended_ = false;
    if (entry_ == nullptr) return;
    run_.message.clear();
    run_changed();
    if (!model::is_final(entry_->record.state)) start_entry();
    return;
  }
  std::vector<Node*> meant;
  for (Node* node : parked_)
    if (node->record.kind == model::NodeKind::gate && node->record.state == State::running &&
        is_meant(request, node->record))
      meant.push_back(node);
  for (Node* node : meant) open_gate(*node, request.parameters);
}

}  // namespace kist::engine
