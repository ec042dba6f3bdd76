// Where an artifact comes from: the step that made it, what that step was given, who made that, and so on back to what
// no step made: texts of the workflow's file, the project, runs that are known no more.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/json.hpp"
#include "base/result.hpp"
#include "cli/house.hpp"
#include "model/address.hpp"
#include "model/record.hpp"
#include "model/workflow.hpp"

namespace kist::cli {

// Follows the records of runs. One use.
class Lineage {
 public:
  explicit Lineage(House& house) : house_(house) {}

  // The story of what a path in a run's artifact leads to, as JSON (docs/kist.1.md, "kist why"). Errors: not_found
  // (there is nothing at the path), corrupt.
  Result<Json> of(const model::RunRecord& run, const model::Resolved& found);

 private:
  // A run, and what its texts mean: needed for the commands of its steps.
  struct Known {
    model::RunRecord run;
    std::optional<model::Workflow> workflow;
  };

  Known& know(model::RunRecord run);
  Known* find_run(const std::string& name, const std::string& node, const model::ArtifactRecord& artifact);
  // `inside`: a path in the artifact that is asked for; what lies there in the step's inputs, unchanged, is told.
  Result<Json> step(Known& known, const model::NodeRecord& node, const std::optional<store::Entry>& entry,
                    const std::string& inside);
  Result<Json> input(Known& known, const model::NodeRecord& node, const model::ArtifactRecord& artifact,
                     const std::optional<store::Entry>& entry, const std::string& inside);
  Json commands(Known& known, const model::NodeRecord& node);
  Json project(const Known& known) const;

  House& house_;
  std::map<std::string, std::unique_ptr<Known>> known_;
  std::set<std::pair<std::string, std::string>> told_;  // run and node: each is told once
};

}  // namespace kist::cli
