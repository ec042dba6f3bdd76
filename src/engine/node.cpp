#include "engine/node.hpp"

namespace kist::engine {

Node* group_of(const Node& node) {
  if (node.role == Node::Role::entry || node.parent == nullptr) return nullptr;
  return node.role == Node::Role::step ? node.parent : group_of(*node.parent);
}

bool is_kept(const model::NodeRecord& record) {
  return model::is_final(record.state) && record.state != model::State::stopped &&
         record.state != model::State::aborted;
}

void forget_outcome(model::NodeRecord& record) {
  record.state = model::State::pending;
  record.message.clear();
  record.finished = Time{};
  record.exit_code.reset();
  record.result.reset();
  record.output_parameters.clear();
  std::erase_if(record.output_artifacts, [](const model::ArtifactRecord& artifact) { return !artifact.live; });
  record.daemoned = false;
  record.address.clear();
  record.memo.reset();
  record.fingerprint.clear();
  record.taken_from.clear();
}

}  // namespace kist::engine
