// A Workflow as its document says it, after reading and before any check of its sense. Plain data with marks; what kist
// does not support yet has been reported and is absent here, or leaves a word that keeps later checks quiet.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/yaml.hpp"
#include "model/workflow.hpp"

namespace kist::dialect::argo {

// A scalar and where it stands. Its text may hold `{{…}}`.
struct Scalar {
  std::string text;
  yaml::Mark mark;
};

struct Parameter {
  Scalar name;
  std::optional<Scalar> value;
  std::optional<Scalar> fallback;              // default
  std::optional<std::vector<Scalar>> allowed;  // enum
  bool overridden = false;  // the value was given when the run was asked for: no reference is looked for in it
  bool has_value_from = false;
  int value_from_sources = 0;           // how many of path, parameter, expression … it names
  bool value_from_unsupported = false;  // one of them is not supported yet
  std::optional<Scalar> path;           // valueFrom.path
  std::optional<Scalar> parameter;      // valueFrom.parameter
  std::optional<Scalar> absent;         // valueFrom.default
  yaml::Mark mark;
};

struct Artifact {
  Scalar name;
  std::optional<Scalar> path;
  std::optional<Scalar> from;
  std::optional<Scalar> raw;
  bool has_location = false;      // raw, or one that is not supported yet
  bool from_unsupported = false;  // fromExpression
  std::optional<std::uint32_t> mode;
  bool recurse_mode = false;
  bool optional = false;
  std::optional<model::Archive> archive;
  yaml::Mark mark;
};

// Inputs, outputs or arguments.
struct Exchange {
  std::vector<Parameter> parameters;
  std::vector<Artifact> artifacts;
};

struct Variable {
  Scalar name;
  Scalar value;
};

struct Program {
  std::optional<Scalar> image;
  std::vector<Scalar> command;
  std::vector<Scalar> arguments;
  std::vector<Variable> environment;
  std::optional<Scalar> working_directory;
  std::optional<Scalar> source;  // of a script
  yaml::Mark mark;
};

// A step of `steps` or a task of a `dag`.
struct StepSpec {
  Scalar name;
  std::optional<Scalar> definition;  // template
  bool other_definition = false;     // templateRef, inline
  bool loops = false;                // withItems, withParam, withSequence
  bool has_exit_handlers = false;    // onExit, hooks
  Exchange arguments;
  std::optional<Scalar> condition;  // when
  bool has_continue_on = false;
  bool tolerate_failed = false;
  bool tolerate_error = false;
  bool has_dependencies = false;
  std::vector<Scalar> dependencies;
  std::optional<Scalar> depends;
  yaml::Mark mark;
};

struct Template {
  enum class Kind { none, container, script, steps, dag, unsupported };
  Scalar name;
  Kind kind = Kind::none;
  Exchange inputs;
  Exchange outputs;
  Program program;                            // container, script
  std::vector<std::vector<StepSpec>> stages;  // steps
  std::vector<StepSpec> tasks;                // dag
  std::optional<Scalar> target;               // dag
  bool fail_fast = true;                      // dag
  bool daemon = false;
  std::optional<yaml::Mark> parallelism;
  yaml::Mark mark;
};

struct Spec {
  bool bare = false;  // as Onepanel writes it: no kind, artifacts are plain files unless an archive is written
  std::optional<Scalar> name;
  std::optional<Scalar> generate_name;
  std::optional<Scalar> name_space;
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<std::pair<std::string, std::string>> annotations;
  std::optional<Scalar> entrypoint;
  std::optional<Scalar> service_account;
  std::optional<Scalar> priority;
  bool other_spec = false;         // workflowTemplateRef, or no spec at all: the rest is elsewhere
  bool has_defaults = false;       // templateDefaults: what a template lacks may be there
  bool has_exit_handlers = false;  // onExit, hooks: some template may speak of the workflow's status
  Exchange arguments;
  std::vector<Template> templates;
  std::map<std::string, std::size_t, std::less<>> index;  // of the first template of a name
  yaml::Mark mark;
};

inline bool is_task(Template::Kind kind) {
  return kind == Template::Kind::container || kind == Template::Kind::script;
}
inline bool is_group(Template::Kind kind) {
  return kind == Template::Kind::steps || kind == Template::Kind::dag;
}

// The template of that name, nullptr where there is none.
const Template* find_template(const Spec& spec, std::string_view name);

// Calls `visit(step, where)` for every step of a group, `where` being what messages call it:
// "templates.main.steps[0].a", "templates.main.tasks.a".
template <typename Visit>
void for_each_step(const Template& group, Visit visit) {
  for (std::size_t index = 0; index < group.stages.size(); ++index)
    for (const StepSpec& step : group.stages[index])
      visit(step, "templates." + group.name.text + ".steps[" + std::to_string(index) + "]." + step.name.text);
  for (const StepSpec& task : group.tasks) visit(task, "templates." + group.name.text + ".tasks." + task.name.text);
}

}  // namespace kist::dialect::argo
