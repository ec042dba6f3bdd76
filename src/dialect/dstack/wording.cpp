#include "dialect/dstack/wording.hpp"

#include <fmt/format.h>

namespace kist::dialect::dstack {
namespace {

class DstackWording final : public model::Wording {
 public:
  model::NodeNames names(const model::NodePlace& place) const override {
    return {.name = place.definition,
            .display = place.definition,
            .id = job_id(place.run, place.definition),
            .host = ""};  // a run is one job: its log needs no prefix
  }

  std::string process_failed(const model::ProcessEnd& end) const override {
    return fmt::format("Exit code: {}", end.exit_code);
  }

  std::string child_failed(const model::NodeNames& child) const override {
    return fmt::format("'{}' failed", child.display);
  }

  std::string condition_false(std::string_view condition) const override {
    return fmt::format("'{}' is false", condition);
  }

  std::string omitted() const override { return "what it depends on did not succeed"; }

  std::string stopped(bool abort) const override {
    return abort ? "Aborted: artifacts were not saved" : "Stopped: artifacts were saved";
  }

  std::string state(model::State state) const override {
    switch (state) {
      case model::State::pending:
        return "Submitted";
      case model::State::running:
        return "Running";
      case model::State::stopping:
        return "Stopping";
      case model::State::succeeded:
      case model::State::skipped:
      case model::State::omitted:
        return "Done";
      case model::State::failed:
      case model::State::error:
        return "Failed";
      case model::State::stopped:
        return "Stopped";
      case model::State::aborted:
        return "Aborted";
      case model::State::interrupted:
        break;
    }
    return "Interrupted";  // dstack has no word for a run that can be resumed
  }

  std::string log_prefix(const model::NodeNames& /*node*/) const override { return ""; }
};

}  // namespace

std::string job_id(std::string_view run, std::string_view workflow) {
  return fmt::format("{},{},0", run, workflow);
}

const model::Wording& wording() {
  static const DstackWording wording;
  return wording;
}

}  // namespace kist::dialect::dstack
