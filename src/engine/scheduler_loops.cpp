// Steps that loop: one node an item, below a node for all of them.
#include <algorithm>

#include <fmt/format.h>

#include "engine/loops.hpp"
#include "engine/scheduler.hpp"

namespace kist::engine {

using model::State;

void Scheduler::make_loop(Node& node) {
  node.loop = std::make_unique<LoopProgress>();
  node.loop->gather = [this, &node](std::string_view name) { return gather_artifact(node, name); };
}

Status Scheduler::start_loop(Node& node) {
  make_loop(node);
  LoopProgress& loop = *node.loop;
  KIST_TRY_ASSIGN(loop.items, expand(*node.step->loop, group_scope(*node.parent)));
  if (loop.items.empty()) {
    end(node, State::skipped, wording_.no_items());
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
  make_loop(node);
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
  // Of a graph the last item that failed decides how the loop has; of a stage the first one is named, and one that is
  // tolerated only where there is no other.
  const bool in_graph = node.parent->group->plan->group->kind == model::Group::Kind::graph;
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
    const bool worse = in_graph || failed == nullptr || is_tolerated(*node.step, failed->record.state);
    if (has_failed(state) && worse) failed = child;
  }
  if (failed != nullptr) return end_failed(node, failed->record.state, *failed);
  const bool broken_off = incomplete && node.parent->group->broken && may_start(node);
  if (broken_off && !stopped) return end(node, State::failed, wording_.broken_off());
  if (stopped || incomplete) return end_halted(node);
  const auto& children = node.loop->children;
  const bool ran = std::ranges::any_of(children, [](const Node* child) {
    return child->record.state != State::skipped && child->record.state != State::omitted;
  });
  node.record.output_artifacts.clear();
  end(node, ran || in_graph ? State::succeeded : State::skipped, "");
}

// What the items made under a name: a directory with one entry an item that made it. It is put together when somebody
// first asks for it: that is written to disk, and few loops are asked.
Status Scheduler::gather_artifact(Node& node, std::string_view name) {
  LoopProgress& loop = *node.loop;
  if (node.record.state != State::succeeded) return {};
  if (loop.items.empty()) {  // it was ended under an earlier owner
    KIST_TRY_ASSIGN(loop.items, expand(*node.step->loop, group_scope(*node.parent)));
  }
  std::vector<store::Transaction::Part> parts;
  model::ArtifactRecord whole;
  for (std::size_t i = 0; i < std::min(loop.members.size(), loop.items.size()); ++i) {
    const model::NodeRecord* item = loop.members[i];
    if (item == nullptr || item->state != State::succeeded) continue;
    for (const model::ArtifactRecord& artifact : item->output_artifacts) {
      if (artifact.name != name) continue;
      parts.push_back({entry_name(i, loop.items.size(), loop.items[i].get()), {artifact.tree, artifact.times}});
      whole.archive = artifact.archive;
    }
  }
  if (parts.empty()) return {};
  KIST_TRY_ASSIGN(auto transaction, parts_.store.begin());
  auto saved = transaction->combine(parts);
  if (!saved)
    return with_context(fmt::format("the artifacts '{}' of {} cannot be put together", name, node.record.names.name),
                        saved.error());
  KIST_TRY(transaction->commit());
  whole.name = name;
  whole.tree = saved->id.tree;
  whole.times = saved->id.times;
  whole.bytes = saved->bytes;
  whole.files = saved->files;
  node.record.output_artifacts.push_back(std::move(whole));
  changed(node);
  return committer_.flush();  // the transaction keeps it from collection until the node says that it is needed
}

}  // namespace kist::engine
