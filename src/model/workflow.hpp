// The one workflow model: what a dialect lowers a file to, and what the engine runs. Plain data.
//
// A workflow is a table of definitions. A definition is a task or a group; a group is a graph or a sequence of stages
// whose steps call definitions with arguments. The graph is expanded as it runs: a definition may call itself. Whatever
// differs between the systems (what is saved after a failure, how a missing file counts) is a field here, filled in by
// the dialect: the engine and the task floor never ask which dialect it was.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/digest.hpp"
#include "expression/text.hpp"

namespace kist::model {

using expression::Text;

// Where a thing is written: for errors about it. Line and column count from 1; 0 where there is none.
struct Origin {
  std::string file;
  int line = 0;
  int column = 0;
};

// "FILE:LINE:COLUMN", as much of it as there is.
std::string to_string(const Origin& origin);

// ---- where an artifact comes from
// -------------------------------------------------------------------------------------

// An artifact by the name it has in the scope: "steps.a.outputs.artifacts.x", "tasks…", "inputs.artifacts.x".
struct ArtifactReference {
  Text name;
};

// Bytes written in the file itself.
struct RawArtifact {
  Text data;
};

// All artifacts of an earlier run, each at its own path (dstack's deps): the newest run of `workflow` in this project
// that succeeded, or the run with a tag, whatever its status. Resolved when the run is submitted. What would lie in one
// of the task's fresh directories is left out: an output at the path of an input hides it.
struct RunArtifacts {
  enum class By { workflow, tag };
  By by = By::workflow;
  std::string name;
};

// The project directory as it is now, without KIST_HOME (CircleCI's checkout).
struct ProjectFiles {};

using ArtifactSource = std::variant<ArtifactReference, RawArtifact, RunArtifacts, ProjectFiles>;

// ---- tasks
// --------------------------------------------------------------------------------------------------------------

// How an artifact is presented where it leaves kist (download as stored, an external location). It never changes what
// is passed from task to task.
struct Archive {
  enum class Kind { none, tar, zip };  // tar: gzip-compressed
  Kind kind = Kind::none;
  std::optional<int> compression_level;
};

// In which states of its task an action is performed. The state is success until an action fails; stop and abort come
// from outside. Actions that are under way when the state changes are ended first.
struct When {
  bool success = true;
  bool failure = false;
  bool stopped = false;  // a graceful stop: processes were asked to end
  bool aborted = false;
};

struct EnvironmentVariable {
  std::string name;
  Text value;
};

// Paths of actions and fresh directories are absolute, relative to the container's working directory, or "~" or "~/…",
// where ~ is the home of the task's user.

// Brings trees to a path. Before the first run, onto a path that does not exist, it is a mount (a private copy that
// costs nothing); else the trees are merged in order, a later one winning.
struct Load {
  ArtifactSource source;
  Text path;                          // RunArtifacts: the directory their relative paths hang off
  std::optional<std::uint32_t> mode;  // of the top entry
  bool recurse_mode = false;          // of everything below too
  bool optional = false;              // no such artifact: go on without it
};

// Starts a process and waits for it. Fails where it exits other than with 0.
struct Run {
  std::vector<Text> command;   // argv
  std::optional<Text> script;  // written to script_path, mode 0755, whose path is added to argv
  std::string script_path;
  std::vector<EnvironmentVariable> environment;  // over the container's
  std::optional<Text> working_directory;         // relative: to the container's
  bool background = false;  // goes on while later actions run; ended with the task; its exit status does not matter
  std::optional<std::chrono::seconds> no_output_timeout;  // longer silence fails it
  bool shown = false;                                     // its title is written to the log before it starts
  bool image_program = false;     // the command is arguments only: the program that the image starts goes before them
  bool expand_variables = false;  // Kubernetes' `$(NAME)` in the command and in values of variables: the variable's
                                  // value; an unknown one stays, `$$(NAME)` becomes `$(NAME)`
};

// Keeps the tree at a path as an artifact of the task.
struct Save {
  enum class Missing { fail, ignore, notice };
  std::string name;  // several saves of one name in a task merge, the later winning
  Text path;
  Missing missing = Missing::fail;
  Archive archive;
  bool directories = true;  // false: only files are kept; an empty tree counts as missing (CircleCI)
};

// Keeps a directory as an artifact while it is written: what is closed there is kept even where the task is aborted.
struct Watch {
  std::string name;
  Text path;
};

// Reads a small file into an output parameter, one trailing newline trimmed.
struct Read {
  std::string parameter;
  Text path;
  std::optional<Text> fallback;  // where the file does not exist; else that is an error
};

struct Action {
  std::string title;      // for people; may be empty
  std::string container;  // name of the container it belongs to
  When when;
  Origin origin;
  std::variant<Load, Run, Save, Watch, Read> what;
};

struct Container {
  std::string name = "main";
  Text image;  // empty: none was named
  std::vector<EnvironmentVariable> environment;
  Text working_directory;  // absolute, "~" or "~/…" (the home of the task's user); empty: the image's, on the host the
                           // project
  std::vector<std::string> inherited;  // variables by name whose value is the caller's, where it has them
  bool inherit_environment = false;  // PATH, HOME, LANG, … of the caller are there too (always on the host: PATH, HOME)
};

struct Task {
  std::vector<Container> containers;
  std::vector<Action> actions;          // in order
  std::vector<Text> fresh_directories;  // exist and are empty before the first action, whatever the host has there
  bool capture_result = false;          // keep the end of the main process's stdout as the node's result
  bool as_root = false;                 // the file asks for uid 0
};

// ---- groups
// ---------------------------------------------------------------------------------------------------------------

struct Arguments {
  std::vector<std::pair<std::string, Text>> parameters;
  std::vector<std::pair<std::string, ArtifactSource>> artifacts;
};

struct Call {
  std::string definition;
  Arguments arguments;
};

// A condition over the results of other steps of a graph.
struct Dependency {
  enum class Operator { always, is, all, any, negate };
  enum class Test { succeeded, failed, errored, skipped, omitted, daemoned };
  Operator op = Operator::always;
  std::string step;                  // is
  Test test = Test::succeeded;       // is
  std::vector<Dependency> operands;  // all, any: any number; negate: one
};

// The steps a dependency names, each once.
std::vector<std::string> steps_of(const Dependency& dependency);

struct Step {
  std::string name;  // unique in its group
  Call call;
  Dependency depends;             // graphs; evaluated when all named steps are complete; false: the step is omitted
  std::optional<Text> condition;  // Argo's `when`; false: skipped
  bool tolerate_failed = false;   // its failure does not fail the group
  bool tolerate_error = false;
  Origin origin;
};

struct OutputParameter {
  std::string name;
  Text value;                    // "{{steps.a.outputs.parameters.x}}"
  std::optional<Text> fallback;  // where what it refers to was skipped
};

struct OutputArtifact {
  std::string name;
  ArtifactReference from;
  bool optional = false;
};

struct Group {
  enum class Kind { graph, sequence };
  Kind kind = Kind::graph;
  std::vector<Step> steps;           // of a graph
  std::vector<std::string> targets;  // of a graph: the group fails where one of them, or what it waited for, failed
  bool fail_fast = true;             // of a graph: after a failure nothing new starts
  std::vector<std::vector<Step>> stages;  // of a sequence: one after the other, the steps of one side by side
  std::vector<OutputParameter> parameters;
  std::vector<OutputArtifact> artifacts;
};

// ---- definitions
// ------------------------------------------------------------------------------------------------------------

struct InputParameter {
  std::string name;
  std::optional<Text> fallback;      // its default
  std::vector<std::string> allowed;  // empty: any
};

struct InputArtifact {
  std::string name;
  bool optional = false;
  std::optional<ArtifactSource> fallback;  // written with the input itself
  std::string path;                        // where the task sees it: `{{inputs.artifacts.NAME.path}}`; empty for groups
};

struct Definition {
  std::string name;
  std::vector<InputParameter> parameters;
  std::vector<InputArtifact> artifacts;
  std::variant<Task, Group> body;
  Origin origin;
};

// How a run gets its name.
struct RunNaming {
  enum class Kind {
    counted,  // grumpy-zebra-1: adjective, animal, a counter of its own for each pair
    given,    // stem, exactly; conflict where there is such a run
    random,   // stem and five random characters (Kubernetes' alphabet)
  };
  Kind kind = Kind::counted;
  std::string stem;
};

struct Workflow {
  std::string name;  // what it is called in its file; may be empty
  std::string dialect;
  RunNaming naming;
  std::map<std::string, Definition> definitions;
  Call entry;
  std::vector<std::pair<std::string, Text>> parameters;  // workflow.parameters.NAME
  std::map<std::string, std::string> variables;          // further names for the scope, constant over the run
};

}  // namespace kist::model
