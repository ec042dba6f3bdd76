// The metrics that the nodes of a run leave behind, and the run itself. What is measured is to be written together with
// the state that it is measured of, so that it is counted once. What cannot be measured is told, once for a metric, and
// the run goes on. Only the engine's thread uses this.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "catalog/catalog.hpp"
#include "engine/committer.hpp"
#include "engine/engine.hpp"
#include "engine/node.hpp"
#include "engine/scope.hpp"
#include "model/dialect.hpp"
#include "model/workflow.hpp"

namespace kist::engine {

class Metrics {
 public:
  using Measured = std::vector<catalog::Measurement>;

  Metrics(const Parts& parts, const model::RunRecord& run, const model::Workflow& workflow,
          const model::Wording& wording, Audience& audience)
      : parts_(parts), run_(run), workflow_(workflow), wording_(wording), audience_(audience) {}

  // A node, or the run with its entry, begins: what grows from now on is there.
  Measured node_begins(const Node& node, const RunScope& scope);
  Measured run_begins(const Node& entry, const RunScope& scope);
  // It has ended, however that went: its record says how. Attempts count with attempt_repeated() alone, when another
  // one begins, with which it is written; the last one's end is that of the node they are attempts of.
  Measured node_ended(const Node& node, const RunScope& scope);
  Measured attempt_repeated(const Node& attempt, const RunScope& scope);
  Measured run_ended(const Node& entry, const RunScope& scope);

 private:
  Measured measure(const std::vector<model::Metric>& metrics, const Node& node, const RunScope& scope, bool begins);
  Result<std::optional<catalog::Measurement>> measure(const model::Metric& metric, const expression::Scope& scope,
                                                      bool begins);
  Status check(const catalog::Series& series);
  void note_time(const Node& task);

  const Parts& parts_;
  const model::RunRecord& run_;
  const model::Workflow& workflow_;
  const model::Wording& wording_;
  Audience& audience_;
  std::map<std::string, std::pair<model::Metric::Kind, std::string>> known_;  // kinds and helps, by name
  std::set<const model::Metric*> told_;                                       // which cannot be measured
  // How long the processes of what is below a node ran in all.
  std::unordered_map<const Node*, std::chrono::nanoseconds> worked_;
};

}  // namespace kist::engine
