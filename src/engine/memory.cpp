#include "engine/memory.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/digest.hpp"
#include "catalog/secrets.hpp"
#include "engine/fingerprint.hpp"
#include "engine/project_state.hpp"
#include "engine/repository.hpp"
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

void copy_outputs(const model::NodeRecord& from, model::NodeRecord& to) {
  to.exit_code = from.exit_code;
  to.result = from.result;
  to.output_parameters = from.output_parameters;
  to.output_artifacts = from.output_artifacts;
  for (model::ArtifactRecord& artifact : to.output_artifacts)
    if (!artifact.producer) artifact.producer = model::Producer{"", from.names.name, artifact.name};
}

Result<bool> recall(const Parts& parts, const model::Memo& memo, const expression::Scope& scope,
                    const task::Mask& secrets, model::NodeRecord& node) {
  model::MemoRecord record;
  KIST_TRY_ASSIGN(record.cache, expression::evaluate(memo.cache, scope));
  KIST_TRY_ASSIGN(record.key, expression::evaluate(memo.key, scope));
  // A digest is found again as well as the text, and tells nobody what it is of.
  if (!secrets.found_in(record.key).empty()) record.key = sha256(record.key).to_string();
  node.memo = record;
  std::optional<std::chrono::nanoseconds> max_age;
  if (memo.max_age) {
    KIST_TRY_ASSIGN(std::string text, expression::evaluate(*memo.max_age, scope));
    auto age = expression::parse_duration(text);
    if (!age) return with_context("maxAge", age.error());
    max_age = *age;
  }
  auto known = parts.catalog.recall(record.cache, record.key);
  if (!known && known.error().kind == ErrorKind::not_found) return false;
  if (!known) return std::unexpected(known.error());
  if (max_age && parts.clock() - known->created > *max_age) return false;
  if (!are_kept(parts.store, known->node.output_artifacts)) return false;

  node.memo->hit = true;
  node.taken_from = known->run;
  copy_outputs(known->node, node);
  for (model::ArtifactRecord& artifact : node.output_artifacts) {
    artifact.producer = model::Producer{known->run, known->node.names.name, artifact.name};
    artifact.sent.clear();  // that is the other run's to delete
  }
  return true;
}

void remember(const Parts& parts, std::string_view run, const model::NodeRecord& node) {
  if (!node.memo || node.memo->hit || node.state != State::succeeded) return;
  catalog::Memo memo{.created = parts.clock(), .run = std::string(run), .node = {}};
  memo.node.names = node.names;
  memo.node.state = node.state;
  memo.node.kind = node.kind;
  memo.node.definition = node.definition;
  copy_outputs(node, memo.node);
  // What is not remembered is done again.
  if (auto written = parts.catalog.remember(node.memo->cache, node.memo->key, memo); !written) return;
}

Result<bool> take_from_earlier(const Parts& parts, const model::RunRecord& run, Node& node,
                               const task::Document& document) {
  model::NodeRecord& record = node.record;
  // A hook is there to be called. What has a key of its own goes by that.
  bool is_of_hook = false;
  for (const Node* one = &node; one != nullptr; one = one->parent) is_of_hook |= one->role == Node::Role::hook;
  if (is_of_hook || node.definition->memo) return false;
  auto project = [&] {
    if (!node.project) node.project = state_of_project(run, parts.home.path());
    return node.project;
  };
  const catalog::Secrets kept(parts.home);
  auto secrets = [&](std::string_view name) -> Result<std::optional<task::SecretValues>> {
    auto values = kept.get(name);
    if (!values && values.error().kind == ErrorKind::not_found) return std::optional<task::SecretValues>();
    KIST_TRY(values);
    KIST_TRY_ASSIGN(const std::string salt, kept.salt());  // records go to remotes
    for (auto& [key, value] : *values) value.insert(0, salt);
    return std::optional(std::move(*values));
  };
  record.fingerprint = fingerprint_of(document, project, secrets).value_or("");
  if (!run.request.cached || record.fingerprint.empty()) return false;
  auto known = parts.catalog.find_work(record.fingerprint, run.created);
  if (!known && known.error().kind == ErrorKind::not_found) return false;
  if (!known) return std::unexpected(known.error());
  if (!are_kept(parts.store, known->node.output_artifacts)) return false;

  const model::NodeRecord& done = known->node;
  copy_outputs(done, record);
  // Under keys of the default repository they are as they would be had it run.
  for (model::ArtifactRecord& artifact : record.output_artifacts) artifact.producer.reset();
  note_sent(node.sendings, record);
  KIST_TRY(put_under_keys(parts, run.name, record, {}));
  for (std::size_t i = 0; i < record.output_artifacts.size(); ++i) {
    const model::ArtifactRecord& from = done.output_artifacts[i];
    // Of what was itself taken from another run, that one made it.
    record.output_artifacts[i].producer = from.producer && !from.producer->run.empty()
                                              ? from.producer
                                              : model::Producer{known->run, done.names.name, from.name};
  }
  record.taken_from = known->run;
  return true;
}

void check_fingerprint(const Parts& parts, const model::RunRecord& run, Node& node) {
  if (node.project && node.project != state_of_project(run, parts.home.path())) node.record.fingerprint.clear();
}

}  // namespace kist::engine
