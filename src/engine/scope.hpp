// What names mean: in the texts of a node, and in the arguments that a group gives its steps.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"
#include "engine/node.hpp"
#include "expression/text.hpp"
#include "model/dialect.hpp"
#include "model/record.hpp"
#include "model/workflow.hpp"

namespace kist::engine {

// What is the same everywhere in a run: workflow.name, .uid, .namespace ("default" unless the workflow's variables say
// otherwise), .creationTimestamp (and .creationTimestamp.F, a part of it), .scheduledTime (where it has a schedule),
// .mainEntrypoint, .parameters (JSON) and
// .parameters.NAME, and the workflow's variables; what nodes have set for everybody, as .outputs.parameters.NAME and
// .outputs.artifacts.NAME; .status, and for what is called at the end .duration and .failures.
class RunScope : public expression::Scope {
 public:
  // Without the workflow's parameters.
  RunScope(const model::RunRecord& run, const model::Workflow& workflow, expression::Surroundings surroundings = {});
  // Errors: a parameter's text that cannot be evaluated; those before it are there.
  Status set_parameters(const model::Workflow& workflow);
  Result<std::optional<std::string>> find(std::string_view name) const override;
  Result<std::optional<Json>> value(std::string_view name) const override;
  std::vector<std::string> names(std::string_view prefix) const override;
  const expression::Surroundings* surroundings() const override { return surroundings_.now ? &surroundings_ : nullptr; }
  // "workflow.outputs.artifacts.NAME". Errors: invalid.
  Result<ArtifactValue> find_artifact(std::string_view name) const;

  // "workflow.labels.NAME", "workflow.annotations.NAME", and all of them as JSON.
  void set_marks(const model::Marks& marks);
  void set_status(std::string status) { values_["workflow.status"] = std::move(status); }
  // How the entry has ended.
  struct Outcome {
    std::string status;
    std::chrono::nanoseconds duration;
    std::string failures;  // a JSON list as a JSON text
  };
  void set_result(Outcome outcome);
  void add_globals(const model::NodeRecord& record);

  // When the run's time is over.
  void set_deadline(Time deadline) { deadline_ = deadline; }
  std::optional<Time> deadline() const { return deadline_; }

 private:
  std::map<std::string, std::string, std::less<>> values_;
  std::map<std::string, model::ArtifactRecord, std::less<>> artifacts_;
  Time created_;
  std::optional<Time> deadline_;
  expression::Surroundings surroundings_;
};

// In the texts of a node itself, beyond the run's names: node.id, node.name, node.deadline (when the run, or the last
// attempt at it, is over, in RFC 3339; the year 1: never), pod.name, steps.name, tasks.name, item and
// item.KEY in a loop, retries and lastRetry.… in an attempt, inputs.parameters (JSON: a list of {name, value}),
// inputs.parameters.X, inputs.artifacts.X.path, outputs.artifacts.X.path, outputs.parameters.X.path.
class NodeScope : public expression::Scope {
 public:
  NodeScope(const RunScope& run, const Node& node) : run_(run), node_(node) {}
  Result<std::optional<std::string>> find(std::string_view name) const override;
  Result<std::optional<Json>> value(std::string_view name) const override;
  std::vector<std::string> names(std::string_view prefix) const override;
  const expression::Surroundings* surroundings() const override { return run_.surroundings(); }

 protected:
  virtual Result<ArtifactValue> artifact(std::string_view name) const;
  const RunScope& run_;
  const Node& node_;

 private:
  Result<std::optional<std::string>> find_input(std::string_view name) const;
  Result<std::optional<std::string>> find_output(std::string_view name) const;
  std::string deadline_text() const;
};

// In what a group says about its steps (arguments, conditions) and its outputs: also steps.X.… and tasks.X.… of the
// steps that have ended, and item, item.KEY of the one that asks. These must be known: an error of kind not_found where
// a skipped step has no such output, invalid where there is no such name. Of a step that loops, the outputs are lists
// (loops.hpp).
class GroupScope : public NodeScope {
 public:
  // `asking`: what the arguments are for: an item, a hook; nullptr: the step itself, or the group.
  GroupScope(const RunScope& run, const model::Workflow& workflow, const model::Wording& wording, const Node& group,
             const Node* asking)
      : NodeScope(run, group), workflow_(workflow), wording_(wording), asking_(asking) {}
  Result<std::optional<std::string>> find(std::string_view name) const override;

  Result<std::optional<Json>> value(std::string_view name) const override;
  std::vector<std::string> names(std::string_view prefix) const override;

  // The artifact of this name: "inputs.artifacts.X", "steps.S.outputs.artifacts.A", "tasks.…",
  // "workflow.outputs.artifacts.X". Errors: invalid.
  Result<ArtifactValue> find_artifact(std::string_view name) const;

 protected:
  Result<ArtifactValue> artifact(std::string_view name) const override { return find_artifact(name); }

 private:
  Result<const Node*> find_step(std::string_view name, std::string_view step) const;
  Result<std::string> find_in_step(std::string_view name, const Node& child, std::string_view field) const;
  static Result<std::string> find_in_loop(std::string_view name, const Node& child, std::string_view field);
  Result<std::optional<std::string>> output_fallback(const Node& child, std::string_view parameter) const;

  const model::Workflow& workflow_;
  const model::Wording& wording_;
  const Node* const asking_;
};

// Artifacts in expressions: a value that stands for one, and its name then. nullopt: it stands for none.
Json artifact_value(std::string_view name);
std::optional<std::string> artifact_named_by(const Json& value);

// The input artifact of a node: for texts and loads of tasks.
Result<ArtifactValue> find_input_artifact(const Node& node, std::string_view name);

// "[{"name": …, "value": …}, …]"
std::string parameters_as_json(const std::vector<model::ParameterRecord>& parameters);

}  // namespace kist::engine
