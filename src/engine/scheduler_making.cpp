// How a node comes to be: what it is called, what is called by it, and what an earlier owner of the run left of it.
#include <algorithm>

#include "base/file.hpp"
#include "catalog/documents.hpp"
#include "engine/scheduler.hpp"

namespace kist::engine {
namespace {

using model::State;

constexpr std::uint64_t kLargestWritten = 1 << 20;

model::NodeKind kind_of(const model::Definition* definition) {
  if (definition == nullptr || std::holds_alternative<model::Task>(definition->body)) return model::NodeKind::task;
  const auto* group = std::get_if<model::Group>(&definition->body);
  if (group == nullptr) return model::NodeKind::gate;
  return group->kind == model::Group::Kind::graph ? model::NodeKind::graph : model::NodeKind::sequence;
}

model::NodeKind kind_of(const Node& node) {
  if (node.role == Node::Role::step && node.step->loop) return model::NodeKind::loop;
  if (node.role != Node::Role::attempt && node.definition != nullptr && node.definition->retry)
    return model::NodeKind::retry;
  return kind_of(node.definition);
}

// Ready for another attempt: nothing of the last one is left but its number, and what was to stay however it ends: that
// is replaced by what the next one makes.
void begin_again(model::NodeRecord& record) {
  const bool was_under_way = record.state != State::pending;
  if (was_under_way && record.kind == model::NodeKind::task) ++record.attempt;
  // What it has of its time is gone, whoever owned it meanwhile; only a task's next attempt has a beginning of its own.
  if (record.kind == model::NodeKind::task) {
    if (record.first_started == Time{}) record.first_started = record.started;
    record.started = Time{};
  }
  forget_outcome(record);
}

}  // namespace

model::NodeRecord* Scheduler::earlier_record(const model::NodeNames& names) const {
  const auto look = [&](std::string name, bool by_id) -> model::NodeRecord* {
    for (auto found = records_by_name_.find(name); found != records_by_name_.end();
         found = records_by_name_.find(name)) {
      const bool is_it = !by_id || found->second->names.id == names.id;
      if (is_it && earlier_.contains(found->second)) return found->second;
      name += "'";
    }
    return nullptr;
  };
  // As it is: also a record of when the value was not known to be a secret.
  if (model::NodeRecord* found = look(names.name, false)) return found;
  std::string shown = secrets_.hide(names.name);
  return shown == names.name ? nullptr : look(std::move(shown), true);
}

model::NodeRecord& Scheduler::record_for(const model::NodeNames& names) {
  if (model::NodeRecord* earlier = earlier_record(names)) {
    earlier_.erase(earlier);
    return *earlier;
  }
  model::NodeRecord& record = records_.emplace_back();
  record.names = names;
  record.names.name = secrets_.hide(names.name);
  record.names.display = secrets_.hide(names.display);
  // Dialects give every node a name of its own; should one not, or was it a secret that told them apart, they must
  // still not become one.
  while (records_by_name_.contains(record.names.name)) record.names.name += "'";
  records_by_name_.emplace(record.names.name, &record);
  return record;
}

model::NodePlace Scheduler::place_of(Node::Role role, const Node* parent, std::size_t index,
                                     const model::Hook* hook) const {
  model::NodePlace place;
  place.run = run_.name;
  if (parent != nullptr) place.parent = &parent->names;
  place.index = static_cast<int>(index);
  switch (role) {
    case Node::Role::entry:
      place.definition = workflow_.entry.definition;
      break;
    case Node::Role::step:
      place.group = parent->group->plan->group->kind;
      place.stage = parent->group->plan->stages[index];
      place.step = parent->group->plan->steps[index]->name;
      place.definition = called_definition(role, *parent, index);
      break;
    case Node::Role::item:
      place.kind = model::NodePlace::Kind::item;
      place.step = parent->step->name;
      place.definition = called_definition(role, *parent, index);
      place.item = parent->loop->items[index].get();
      break;
    case Node::Role::attempt:
      place.kind = model::NodePlace::Kind::attempt;
      place.step = parent->record.step;
      place.definition = parent->record.definition;
      break;
    case Node::Role::hook:
      place.kind = model::NodePlace::Kind::hook;
      place.step = hook->name;
      place.definition = called_definition(*hook, parent);
      break;
  }
  if (const model::Definition* definition = find_definition(place.definition)) place.label = definition->label;
  return place;
}

// Names of the node hang on what it calls: a text that says so is looked at before there is a node to ask for it.
std::string Scheduler::called_definition(Node::Role role, const Node& parent, std::size_t index) const {
  const bool is_item = role == Node::Role::item;
  const model::Step& step = is_item ? *parent.step : *parent.group->plan->steps[index];
  if (!step.call.late_definition) return step.call.definition;
  if (!is_item && step.loop) return "";  // its items call
  model::NodeRecord none;
  Node asking(none, role);
  asking.item = is_item ? parent.loop->items[index] : parent.item;
  const Node& group = is_item ? *parent.parent : parent;
  return expression::evaluate(*step.call.late_definition, group_scope(group, &asking)).value_or("");
}

std::string Scheduler::called_definition(const model::Hook& hook, const Node* parent) const {
  if (!hook.call.late_definition) return hook.call.definition;
  return parent == nullptr ? expression::evaluate(*hook.call.late_definition, *scope_).value_or("")
                           : expression::evaluate(*hook.call.late_definition, *caller_scope(*parent)).value_or("");
}

const model::Definition* Scheduler::find_definition(const std::string& name) const {
  const model::Workflow& newest = renewed_.empty() ? workflow_ : renewed_.back();
  auto found = newest.definitions.find(name);
  return found == newest.definitions.end() ? nullptr : &found->second;
}

// Groups that have begun stay what they are; what is called from now on is as it is written now.
void Scheduler::renew_definitions() {
  if (!std::exchange(documents_changed_, false)) return;
  auto kept = catalog::Documents(parts_.home).list();
  auto dialect = find_dialect(parts_.dialects, run_.dialect);
  if (!kept || !dialect) return;
  std::vector<model::SourceText> written;
  for (const auto& each : *kept) {
    std::error_code gone;
    const auto at = std::filesystem::last_write_time(each.path, gone);
    if (gone || std::chrono::file_clock::to_sys(at) < run_.created) continue;
    if (auto text = read_file(each.path, kLargestWritten)) written.push_back({each.path.string(), std::move(*text)});
  }
  auto seen = (*dialect)->seen_later(run_.request, written);
  if (std::ranges::equal(seen, seen_later_, {}, &model::SourceText::text, &model::SourceText::text)) return;
  model::RunRequest request = run_.request;
  request.files.insert(request.files.begin(), seen.begin(), seen.end());
  auto lowered = (*dialect)->lower(request);
  if (!lowered) return;
  seen_later_ = std::move(seen);
  renewed_.push_back(std::move(lowered->workflow));
}

// Outputs of the run that were made under an earlier owner, the last of a name last.
void Scheduler::take_globals() {
  note_earlier_secrets();
  std::vector<const model::NodeRecord*> ended;
  for (const model::NodeRecord* record : earlier_)
    if (is_kept(*record)) ended.push_back(record);
  std::ranges::sort(ended, {}, &model::NodeRecord::finished);
  for (const model::NodeRecord* record : ended) scope_->add_globals(*record);
}

// What was to run again and was not reached is none of it: what it was part of went another way, and may do so again.
void Scheduler::gather_nodes() {
  catalog::Changes changes;
  changes.run = run_.name;
  for (model::NodeRecord& record : records_) {
    if (earlier_.contains(&record) && !model::is_final(record.state)) {
      if (record.output_artifacts.empty()) {
        changes.removed.push_back(record.names.name);
        continue;
      }
      record.state = State::stopped;  // what was saved while it ran stays
      committer_.node(record);
    }
    run_.nodes.push_back(record);
  }
  if (changes.removed.empty()) return;
  model::RunRecord shown = run_;
  shown.nodes.clear();
  committer_.run(std::move(changes), std::move(shown));
}

Node& Scheduler::make_node(Node::Role role, Node* parent, std::size_t index, const model::Hook* hook) {
  renew_definitions();
  const model::NodePlace place = place_of(role, parent, index, hook);
  model::NodeNames names = wording_.names(place);
  Node& node = nodes_.emplace_back(record_for(names), role);
  node.names = std::move(names);
  node.parent = parent;
  node.hook = hook;
  node.definition = find_definition(place.definition);
  node.at_exit = hook != nullptr && !hook->expression;
  if (parent != nullptr) {
    node.depth = role == Node::Role::step ? parent->depth + 1 : parent->depth;
    node.at_exit = node.at_exit || parent->at_exit;
    // A definition without a name is written in its step, and says what the step may say.
    const bool inlined = parent->definition != nullptr && parent->definition->label.empty();
    if (role != Node::Role::step || inlined) node.item = parent->item;
  }
  if (role == Node::Role::step) {
    node.step = parent->group->plan->steps[index];
    node.step_index = static_cast<StepIndex>(index);
    parent->group->children[index] = &node;
  } else if (role == Node::Role::item || role == Node::Role::attempt) {
    node.step = parent->step;
    node.step_index = parent->step_index;
  }
  if (role == Node::Role::item) {
    node.item = parent->loop->items[index];
    parent->loop->children[index] = &node;
    parent->loop->members[index] = &node.record;
  }
  if (is_kept(node.record)) return node;

  model::NodeRecord& record = node.record;
  if (parent != nullptr) record.parent = parent->record.names.name;
  if (role != Node::Role::hook) record.step = place.step;
  if (hook != nullptr) record.hook = hook->name;
  if (role == Node::Role::item || role == Node::Role::attempt) record.index = place.index;
  record.definition = place.definition;
  record.kind = kind_of(node);
  record.stage = place.stage;
  begin_again(record);
  if (record.created == Time{}) record.created = parts_.clock();
  return node;
}

}  // namespace kist::engine
