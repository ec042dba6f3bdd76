// Outputs that are remembered by key, and taken instead of running a node again.
#include <fmt/format.h>

#include "engine/scheduler.hpp"
#include "expression/duration.hpp"

namespace kist::engine {
namespace {

using model::State;

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
  for (const model::ArtifactRecord& artifact : known->node.output_artifacts)
    if (!parts_.store.find({artifact.tree, artifact.times}, "")) return false;

  node.record.memo->hit = true;
  copy_outputs(known->node, node.record);
  for (model::ArtifactRecord& artifact : node.record.output_artifacts)
    artifact.producer = model::Producer{known->run, known->node.names.name, artifact.name};
  end(node, State::succeeded, "");
  return true;
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
