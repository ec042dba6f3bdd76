// Steps that loop: one node an item, below a node for all of them.
#include <algorithm>

#include <fmt/format.h>

#include "engine/loops.hpp"
#include "engine/scheduler.hpp"

namespace kist::engine {

using model::State;

Status Scheduler::start_loop(Node& node) {
  node.loop = std::make_unique<LoopProgress>();
  LoopProgress& loop = *node.loop;
  KIST_TRY_ASSIGN(loop.items, expand(*node.step->loop, group_scope(*node.parent)));
  if (loop.items.empty()) {
    end(node, State::skipped, "Skipped, empty params");
    return {};
  }
  loop.members.resize(loop.items.size());
  loop.children.resize(loop.items.size());
  loop.under_way = loop.items.size();
  node.record.state = State::running;
  if (node.record.started == Time{}) node.record.started = parts_.clock();
  changed(node);
  for (std::size_t i = 0; i < loop.items.size(); ++i) wanted_.push_back({&node, i});
  return {};
}

void Scheduler::take_members(Node& node) {
  node.loop = std::make_unique<LoopProgress>();
  if (earlier_members_.empty())
    for (const model::NodeRecord* record : earlier_)
      if (record->index && record->hook.empty()) earlier_members_[record->parent].push_back(record);
  auto found = earlier_members_.find(node.record.names.name);
  if (found == earlier_members_.end()) return;
  for (const model::NodeRecord* record : found->second) {
    auto index = static_cast<std::size_t>(*record->index);
    if (index >= node.loop->members.size()) node.loop->members.resize(index + 1);
    node.loop->members[index] = record;
  }
}

void Scheduler::item_ended(Node& loop, const Node& item) {
  --loop.loop->under_way;
  break_off_at_once(*loop.parent, item);
  end_loop(loop);
}

void Scheduler::end_loop(Node& node) {
  if (node.loop->under_way > 0 || model::is_final(node.record.state)) return;
  const Node* failed = nullptr;
  bool incomplete = false;
  bool stopped = false;
  for (const Node* child : node.loop->children) {
    if (child == nullptr) {
      incomplete = true;
      continue;
    }
    State state = child->record.state;
    stopped = stopped || state == State::stopped || state == State::aborted;
    const bool worse = failed == nullptr || is_tolerated(*node.step, failed->record.state);
    if (has_failed(state) && worse) failed = child;
  }
  if (failed != nullptr) return end_failed(node, failed->record.state, *failed);
  const bool broken_off = incomplete && node.parent->group->broken && may_start(node);
  if (broken_off && !stopped) return end(node, State::failed, std::string(kBrokenOff));
  if (stopped || incomplete) return end_halted(node);
  const auto& children = node.loop->children;
  const bool ran = std::ranges::any_of(children, [](const Node* child) {
    return child->record.state != State::skipped && child->record.state != State::omitted;
  });
  if (auto gathered = gather_artifacts(node); !gathered)
    return end(node, State::error, fmt::format("its artifacts cannot be put together: {}", gathered.error().text));
  end(node, ran ? State::succeeded : State::skipped, "");
}

// What the items made, by name: a directory with one entry an item that made it.
Status Scheduler::gather_artifacts(Node& node) {
  const LoopProgress& loop = *node.loop;
  std::map<std::string, std::vector<store::Transaction::Part>> parts;
  std::map<std::string, model::ArtifactRecord> whole;
  for (std::size_t i = 0; i < loop.children.size(); ++i) {
    const model::NodeRecord& item = loop.children[i]->record;
    if (item.state != State::succeeded) continue;
    for (const model::ArtifactRecord& artifact : item.output_artifacts) {
      parts[artifact.name].push_back(
          {entry_name(i, loop.children.size(), loop.items[i].get()), {artifact.tree, artifact.times}});
      whole[artifact.name].archive = artifact.archive;
    }
  }
  node.record.output_artifacts.clear();
  if (parts.empty()) return {};
  KIST_TRY_ASSIGN(auto transaction, parts_.store.begin());
  for (auto& [name, artifact] : whole) {
    KIST_TRY_ASSIGN(store::Saved saved, transaction->combine(parts[name]));
    artifact.name = name;
    artifact.tree = saved.id.tree;
    artifact.times = saved.id.times;
    artifact.bytes = saved.bytes;
    artifact.files = saved.files;
  }
  KIST_TRY(transaction->commit());
  for (auto& [name, artifact] : whole) node.record.output_artifacts.push_back(std::move(artifact));
  return {};
}

}  // namespace kist::engine
