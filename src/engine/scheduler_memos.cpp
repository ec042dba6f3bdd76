// Outputs that are remembered by key, and taken instead of running a node again.
#include <algorithm>

#include <fmt/format.h>

#include "engine/fingerprint.hpp"
#include "engine/project_state.hpp"
#include "engine/scheduler.hpp"
#include "engine/sent.hpp"
#include "expression/duration.hpp"

namespace kist::engine {
namespace {

using model::State;

// What was collected since cannot be taken.
bool are_kept(store::Store& store, const std::vector<model::ArtifactRecord>& artifacts) {
  return std::ranges::all_of(artifacts, [&](const model::ArtifactRecord& artifact) {
    return store.find({artifact.tree, artifact.times}, "").has_value();
  });
}

}  // namespace

Result<bool> Scheduler::recall(Node& node) {
  if (!node.definition->memo) return false;
  const model::Memo& memo = *node.definition->memo;
  NodeScope scope(*scope_, node);
  model::MemoRecord record;
  KIST_TRY_ASSIGN(record.cache, expression::evaluate(memo.cache, scope));
  KIST_TRY_ASSIGN(record.key, expression::evaluate(memo.key, scope));
  node.record.memo = record;
  std::optional<std::chrono::nanoseconds> max_age;
  if (memo.max_age) {
    KIST_TRY_ASSIGN(std::string text, expression::evaluate(*memo.max_age, scope));
    auto age = expression::parse_duration(text);
    if (!age) return with_context("maxAge", age.error());
    max_age = *age;
  }
  auto known = parts_.catalog.recall(record.cache, record.key);
  if (!known && known.error().kind == ErrorKind::not_found) return false;
  if (!known) return std::unexpected(known.error());
  if (max_age && parts_.clock() - known->created > *max_age) return false;
  if (!are_kept(parts_.store, known->node.output_artifacts)) return false;

  node.record.memo->hit = true;
  node.record.taken_from = known->run;
  copy_outputs(known->node, node.record);
  for (model::ArtifactRecord& artifact : node.record.output_artifacts) {
    artifact.producer = model::Producer{known->run, known->node.names.name, artifact.name};
    artifact.sent.clear();  // that is the other run's to delete
  }
  end(node, State::succeeded, "");
  return true;
}

Result<bool> Scheduler::take_from_earlier(Node& node, const task::Document& document) {
  model::NodeRecord& record = node.record;
  // A hook is there to be called. What has a key of its own goes by that.
  bool is_of_hook = false;
  for (const Node* one = &node; one != nullptr; one = one->parent) is_of_hook |= one->role == Node::Role::hook;
  if (is_of_hook || node.definition->memo) return false;
  auto project = [&] {
    if (!node.project) node.project = state_of_project(run_, parts_.home.path());
    return node.project;
  };
  record.fingerprint = fingerprint_of(document, project).value_or("");
  if (!run_.request.cached || record.fingerprint.empty()) return false;
  auto known = parts_.catalog.find_work(record.fingerprint, run_.created);
  if (!known && known.error().kind == ErrorKind::not_found) return false;
  if (!known) return std::unexpected(known.error());
  if (!are_kept(parts_.store, known->node.output_artifacts)) return false;

  const model::NodeRecord& done = known->node;
  copy_outputs(done, record);
  // Under keys of the default repository they are as they would be had it run.
  for (model::ArtifactRecord& artifact : record.output_artifacts) artifact.producer.reset();
  note_sent(node.sendings, record);
  KIST_TRY(put_under_keys(parts_, run_.name, record, {}));
  for (std::size_t i = 0; i < record.output_artifacts.size(); ++i) {
    const model::ArtifactRecord& from = done.output_artifacts[i];
    // Of what was itself taken from another run, that one made it.
    record.output_artifacts[i].producer = from.producer && !from.producer->run.empty()
                                              ? from.producer
                                              : model::Producer{known->run, done.names.name, from.name};
  }
  record.taken_from = known->run;
  end(node, State::succeeded, fmt::format("taken from {}", known->run));
  return true;
}

void Scheduler::check_fingerprint(Node& node) const {
  if (node.project && node.project != state_of_project(run_, parts_.home.path())) node.record.fingerprint.clear();
}

void Scheduler::remember(const Node& node) {
  const model::NodeRecord& record = node.record;
  if (!record.memo || record.memo->hit || record.state != State::succeeded) return;
  catalog::Memo memo{.created = parts_.clock(), .run = run_.name, .node = {}};
  memo.node.names = record.names;
  memo.node.state = record.state;
  memo.node.kind = record.kind;
  memo.node.definition = record.definition;
  copy_outputs(record, memo.node);
  // What is not remembered is done again.
  if (auto written = parts_.catalog.remember(record.memo->cache, record.memo->key, memo); !written) return;
}

}  // namespace kist::engine
