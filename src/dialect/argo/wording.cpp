#include "dialect/argo/wording.hpp"

#include <fmt/format.h>

#include "dialect/argo/names.hpp"

namespace kist::dialect::argo {

model::NodeNames ArgoWording::names(const model::NodePlace& place) const {
  return node_names(place);
}

std::string ArgoWording::process_failed(const model::ProcessEnd& end) const {
  if (end.overdue) return "Step exceeded its deadline";
  return fmt::format("{}: {} (exit code {})", end.container.empty() ? "main" : end.container,
                     end.out_of_memory ? "OOMKilled" : "Error", end.exit_code);
}

std::string ArgoWording::child_failed(const model::NodeNames& child) const {
  return fmt::format("child '{}' failed", child.id);
}

std::string ArgoWording::condition_false(std::string_view condition) const {
  return fmt::format("when '{}' evaluated false", condition);
}

std::string ArgoWording::omitted() const {
  return "omitted: depends condition not met";
}

std::string ArgoWording::stopped(bool abort) const {
  return fmt::format("Stopped with strategy '{}'", abort ? "Terminate" : "Stop");
}

std::string ArgoWording::state(model::State state) const {
  switch (state) {
    case model::State::pending:
      return "Pending";
    case model::State::running:
    case model::State::stopping:
    // Argo has no word for it: a workflow whose controller is gone shows as running until one takes it up again.
    case model::State::interrupted:
      return "Running";
    case model::State::succeeded:
      return "Succeeded";
    case model::State::failed:
    case model::State::stopped:
    case model::State::aborted:
      return "Failed";
    case model::State::error:
      return "Error";
    case model::State::skipped:
      return "Skipped";
    case model::State::omitted:
      return "Omitted";
  }
  return "";
}

std::string ArgoWording::log_prefix(const model::NodeNames& node) const {
  return node.host + ": ";
}

}  // namespace kist::dialect::argo
