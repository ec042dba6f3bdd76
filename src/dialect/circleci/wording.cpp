#include "dialect/circleci/wording.hpp"

#include <fmt/format.h>

namespace kist::dialect::circleci {
namespace {

class CircleciWording final : public model::Wording {
 public:
  // A job is its name in the workflow. Only the lines of a job that has others beside it need to say whose they are.
  model::NodeNames names(const model::NodePlace& place) const override {
    if (place.parent == nullptr) {
      std::string_view display = place.definition;
      constexpr std::string_view workflow = "workflow:";
      if (display.starts_with(workflow)) display.remove_prefix(workflow.size());
      return {.name = place.definition, .display = std::string(display), .id = place.run, .host = ""};
    }
    return {.name = place.step,
            .display = place.step,
            .id = fmt::format("{}/{}", place.run, place.step),
            .host = place.step};
  }

  std::string process_failed(const model::ProcessEnd& end) const override {
    return fmt::format("Exited with code exit status {}", end.exit_code);
  }

  std::string child_failed(const model::NodeNames& child) const override {
    return fmt::format("job '{}' failed", child.display);
  }

  std::string condition_false(std::string_view condition) const override {
    return fmt::format("'{}' is false", condition);
  }

  std::string omitted() const override { return "not run: a job it requires did not end as required"; }

  std::string stopped(bool /*abort*/) const override { return "canceled"; }

  std::string state(model::State state) const override {
    switch (state) {
      case model::State::pending:
        return "queued";
      case model::State::running:
        return "running";
      case model::State::stopping:
        return "canceling";
      case model::State::succeeded:
        return "success";
      case model::State::failed:
        return "failed";
      case model::State::error:
        return "infrastructure_fail";
      case model::State::skipped:
      case model::State::omitted:
        return "not_run";
      case model::State::stopped:
      case model::State::aborted:
        return "canceled";
      case model::State::interrupted:
        break;
    }
    return "interrupted";  // CircleCI has no word for a run that can be resumed
  }

  std::string log_prefix(const model::NodeNames& node) const override {
    return node.host.empty() ? "" : node.host + ": ";
  }
};

}  // namespace

const model::Wording& wording() {
  static const CircleciWording wording;
  return wording;
}

}  // namespace kist::dialect::circleci
