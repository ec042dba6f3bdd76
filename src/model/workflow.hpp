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
#include "model/location.hpp"

namespace kist::model {

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

// An artifact by the name it has in the scope: "steps.a.outputs.artifacts.x", "tasks…", "inputs.artifacts.x",
// "workflow.outputs.artifacts.x". Of a step that loops: a directory with one entry an item.
struct ArtifactReference {
  Text name;
  std::optional<Text> sub_path = std::nullopt;  // only what lies there in it
};

// An artifact by an expression whose value is one ("cond ? steps.a.outputs.artifacts.x : steps.b…"); nil: absent.
struct ArtifactExpression {
  Text expression;  // one expression and nothing else
  std::optional<Text> sub_path = std::nullopt;
};

// Bytes written in the file itself.
struct RawArtifact {
  Text data;
};

// How an artifact is presented where it leaves kist (download as stored, an external location). It never changes what
// is passed from task to task.
struct Archive {
  enum class Kind { none, tar, zip };  // tar: gzip-compressed
  Kind kind = Kind::none;
  std::optional<int> compression_level;
};

// What lies at a location outside.
struct ExternalArtifact {
  Location location;
  std::optional<Archive> archive;  // how it is packed there; not written: a gzip-compressed tar is unpacked, all else
                                   // stays what it is
  std::optional<Text> sub_path = std::nullopt;  // only what lies there in it
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

using ArtifactSource =
    std::variant<ArtifactReference, ArtifactExpression, RawArtifact, ExternalArtifact, RunArtifacts, ProjectFiles>;

// ---- tasks
// --------------------------------------------------------------------------------------------------------------

// In which states of its task an action is performed. The state is success until an action fails; stop and abort come
// from outside. Actions that are under way when the state changes are ended first.
struct When {
  bool success = true;
  bool failure = false;
  bool stopped = false;  // a graceful stop: processes were asked to end
  bool aborted = false;
};

// Of a text that is an amount (base/quantity.hpp): what is given is how many units that is, rounded up.
struct InUnits {
  std::string unit;          // an amount too
  bool thousandths = false;  // both are taken rounded up to thousandths; else to whole numbers
};

struct EnvironmentVariable {
  std::string name;
  Text value;
  std::optional<SecretReference> secret = std::nullopt;  // then this is the value, masked in logs
  bool of_run = false;  // it names the run or the node: what comes of the task is not taken to hang on it
  std::optional<Text> late_name = std::nullopt;  // its name is known only when the task starts
  std::optional<InUnits> in_units = std::nullopt;
};

// A directory that the containers of a task, or tasks, share and may write: never content-addressed.
struct Volume {
  enum class Kind {
    empty,  // of the task: empty at its start, gone at its end
    run,    // of the run, by name: gone when the run has succeeded, kept for `resume` and `retry` else
    claim,  // of the home, by claim: made where there is none, stays
    files,  // those below, read-only and never on a disk
    host,   // a path of this machine as it is
  };
  // host: what is to lie there; a directory or a file may be made where nothing does.
  enum class Host {
    anything,
    directory,
    directory_or_new,
    file,
    file_or_new,
    socket,
    character_device,
    block_device,
  };
  struct File {
    std::string path;  // below the mount; empty: each key of the secret is a file of its name
    Text text;
    std::optional<SecretReference> secret = std::nullopt;  // then this is the text
    std::optional<std::uint32_t> mode = std::nullopt;
    std::optional<InUnits> in_units = std::nullopt;  // of the text
  };
  std::string name;
  Kind kind = Kind::empty;
  Text claim;                                    // claim: its name
  Text path;                                     // host
  std::vector<File> files;                       // a later one of a path wins
  std::optional<std::uint32_t> mode;             // of files that have none of their own
  std::optional<Text> late_name = std::nullopt;  // its name is known only when the task starts
  Host host = Host::anything;
};

struct VolumeMount {
  Text volume;                   // its name
  Text path;                     // in the container
  std::optional<Text> sub_path;  // of the volume
  bool read_only = false;
};

// Paths of actions and fresh directories are absolute, relative to the container's working directory, or "~" or "~/…",
// where ~ is the home of the task's user.

// Brings trees to a path. Before the first run, onto a path that does not exist, it is a mount (a private copy that
// costs nothing); else the trees are merged in order, a later one winning. A path on a volume is in the volume.
struct Load {
  ArtifactSource source;
  Text path;                          // RunArtifacts: the directory their relative paths hang off
  std::optional<std::uint32_t> mode;  // of the top entry
  bool recurse_mode = false;          // of everything below too
  bool optional = false;              // no such artifact: go on without it
};

// How it is known that a process in the background is ready: a command of its container that exits with 0, or an
// address that answers HTTP with 200…399, or a TCP port that takes a connection; tried again and again.
struct Probe {
  std::vector<Text> command;
  std::optional<Text> url;
  std::optional<int> port;
  std::chrono::seconds delay{0};
  std::chrono::seconds period{10};
  int failures = 3;  // so many in a row after the delay: it will not be ready
};

// Spares every start of a command what all of them do alike: a program that has done that beforehand, and becomes the
// command's process in the task's root (sandbox/starter.hpp). Where it cannot, or is in any doubt, the command is
// started as it would be without; what comes of it is the same.
struct Starter {
  std::string text;                      // the command's own interpreter runs it: PROGRAM -c TEXT
  std::vector<std::string> indifferent;  // how names of variables begin that make no difference to what it does before
};

// Holds a process until somebody makes a file in its root: before it begins, and after it has ended. To look around.
struct Pause {
  Text before;  // "true": held, until the file "before" is there
  Text after;   // "true": held, until the file "after" is there
  std::string directory;
};

// Starts a process and waits for it. Fails where it exits other than with 0.
struct Run {
  std::vector<Text> command;   // argv
  std::optional<Text> script;  // written to script_path, mode 0755, whose path is added to argv
  std::string script_path;
  std::vector<EnvironmentVariable> environment;  // over the container's
  std::optional<Text> working_directory;         // relative: to the container's
  bool background = false;     // goes on while later actions run; ended with the task; its exit status does not matter
  std::optional<Probe> ready;  // background: later actions wait for this
  std::chrono::seconds grace{30};   // between being asked to end and being killed
  bool is_main = false;             // its exit code and its stdout are the node's
  std::optional<Text> deadline;     // a duration; exceeded: ended, the task has failed
  std::optional<Text> tries;        // so many times at most is it started until it succeeds, once at least; the last
                                    // end counts
  std::optional<Text> retry_delay;  // a duration between two tries
  std::optional<std::chrono::seconds> no_output_timeout;  // longer silence fails it
  bool shown = false;                                     // its title is written to the log before it starts
  std::optional<Text> progress_file;  // where it writes "N/M" when it has done N of M parts: reported as it changes
  bool image_program = false;     // the command is arguments only: the program that the image starts goes before them
  bool expand_variables = false;  // Kubernetes' `$(NAME)` in the command and in values of variables: the variable's
                                  // value; an unknown one stays, `$$(NAME)` becomes `$(NAME)`
  bool terminal = false;          // its streams are one terminal, where nobody types; what it shows there is its stdout
  std::optional<Starter> starter = std::nullopt;
  // background: where it has ended by itself before the task's work is done, other than with 0 or by SIGKILL or
  // SIGTERM, the task has failed, unless it has failed by something else.
  bool end_counts = false;
  std::optional<int> error_code = std::nullopt;  // ended with this, its state is error rather than failed; one that
                                                 // cannot be started ends with it
  std::optional<Pause> pause = std::nullopt;
};

// Keeps the tree at a path as an artifact of the task.
struct Save {
  enum class Missing { fail, ignore, notice };
  std::string name;  // several saves of one name in a task merge, the later winning
  Text path;
  Missing missing = Missing::fail;
  Archive archive;
  bool directories = true;     // false: only files are kept; an empty tree counts as missing (CircleCI)
  std::vector<Text> exclude;   // patterns of paths below it that are not kept (`*`, `**`, `?`, `[…]`)
  std::optional<Location> to;  // sent there too, archived so; the node has succeeded only when it is there
  std::optional<Text> global = std::nullopt;  // also workflow.outputs.artifacts.NAME
  enum class Collect { never, at_completion, at_deletion };
  Collect collect = Collect::never;              // when what was sent to `to` is deleted there
  std::optional<Text> late_name = std::nullopt;  // its name is known only when the task starts
};

// Keeps a directory as an artifact while it is written: what is closed there is kept even where the task is aborted.
struct Watch {
  std::string name;
  Text path;
};

// Reads a small file into an output parameter, one trailing newline trimmed.
struct Read {
  std::string parameter;
  Text path;                                     // empty: there is no file, the value is the fallback
  std::optional<Text> fallback;                  // where the file does not exist; else that is an error
  std::optional<Text> global = std::nullopt;     // also workflow.outputs.parameters.NAME
  std::optional<Text> late_name = std::nullopt;  // the parameter's name is known only when the task starts
};

// kist itself asks a web server. The body of the answer is the node's result.
struct HttpRequest {
  struct Header {
    std::string name;
    std::variant<Text, SecretReference> value;
  };
  Text url;
  Text method;
  std::vector<Header> headers;
  Text body;
  std::chrono::seconds timeout{30};
  bool insecure = false;                  // a certificate that cannot be verified will do
  std::optional<Text> success_condition;  // one expression over request.… and response.…; else: 200…299
};

// Lists what lies at a location, and makes of the list (`data`) what the expressions say, one after the other. The
// last one's value as JSON is the node's result.
struct ListRequest {
  Location location;
  std::vector<Text> transformations;
};

// Acts on an object that kist itself knows, in the words of the system's own manifests: a workflow that is to run, a
// config map, a secret, a claim (Dialect::act_on_object).
struct ObjectRequest {
  Text action;  // create, get, apply, patch, replace, delete
  Text manifest;
  std::optional<ArtifactSource> manifest_from = std::nullopt;  // a file with the manifest
  std::string merge_strategy = {};                             // of a patch: json, merge, strategic
  std::vector<Text> flags = {};                                // words that name the object, or say how: kubectl's
  bool owned = false;                                          // what it makes goes when the run is removed
  // Over the object, as Kubernetes selects by labels ("status.phase == Succeeded, …"): it is looked at again until
  // one of them holds. None: what was done is enough.
  std::optional<Text> success_condition = std::nullopt;
  std::optional<Text> failure_condition = std::nullopt;
  struct Output {
    std::string parameter;
    std::string json_path;  // one of the two
    std::string jq_filter;
  };
  std::vector<Output> outputs = {};
};

struct Action {
  std::string title;      // for people; may be empty
  std::string container;  // name of the container it belongs to
  When when;
  Origin origin;
  std::variant<Load, Run, Save, Watch, Read, HttpRequest, ListRequest, ObjectRequest> what;
  // Of a Run: the titles of those it waits for, instead of the action before it; all Runs with this go side by side as
  // far as it allows, and the action after the last of them waits for all.
  std::optional<std::vector<std::string>> after = std::nullopt;
};

struct Container {
  std::string name = "main";
  Text image;  // empty: none was named
  std::vector<EnvironmentVariable> environment;
  Text working_directory;  // absolute, "~" or "~/…" (the home of the task's user); empty: the image's, on the host the
                           // project
  std::vector<std::string> inherited;  // variables by name whose value is the caller's, where it has them
  bool inherit_environment = false;  // PATH, HOME, LANG, … of the caller are there too (always on the host: PATH, HOME)
  struct SecretVariables {
    Text secret;
    std::string prefix;
    bool optional = false;
  };
  std::vector<SecretVariables> secret_environment;  // every key of a secret as a variable
  std::vector<VolumeMount> mounts;
};

// The log of a task as one more artifact of it.
struct LogArtifact {
  std::string name;
  std::optional<Location> to;
};

struct Task {
  std::vector<Container> containers;
  std::vector<Volume> volumes;
  std::vector<Action> actions;          // in order
  std::vector<Text> fresh_directories;  // exist and are empty before the first action, whatever the host has there
  bool capture_result = false;          // keep the end of the main process's stdout as the node's result
  bool as_root = false;                 // the file asks for uid 0
  bool daemon = false;  // done for its group once its main process is ready; stopped when the group ends
  std::optional<LogArtifact> log_artifact;
  bool uses_project = false;  // what comes of it hangs on the project's files too, which are none of its inputs
};

// Waits: for a time, or for a person, who may supply values.
struct Gate {
  struct Supplied {
    std::string name;
    std::optional<Text> fallback;               // what it is where nothing was supplied
    std::vector<std::string> allowed;           // empty: any
    std::optional<Text> global = std::nullopt;  // also workflow.outputs.parameters.NAME
  };
  std::optional<Text> duration;  // none: until somebody approves
  std::vector<Supplied> supplied;
};

// ---- groups
// ---------------------------------------------------------------------------------------------------------------

struct Arguments {
  std::vector<std::pair<std::string, Text>> parameters;
  std::vector<std::pair<std::string, ArtifactSource>> artifacts;
  // Those whose names are known only when the call is made; of one name the first counts, the ones above before these.
  std::vector<std::pair<Text, Text>> late_parameters = {};
  std::vector<std::pair<Text, ArtifactSource>> late_artifacts = {};
};

struct Call {
  std::string definition;
  Arguments arguments;
  std::optional<Text> late_definition =
      std::nullopt;  // its name is known only when it is called; `definition` is empty
};

// A condition over the results of other steps of a graph.
struct Dependency {
  enum class Operator { always, is, all, any, negate };
  // Of a step that loops: any_succeeded of one of its items, all_failed of all (none errored); of another step
  // they are succeeded and failed.
  enum class Test { succeeded, failed, errored, skipped, omitted, daemoned, any_succeeded, all_failed };
  Operator op = Operator::always;
  std::string step;                  // is
  Test test = Test::succeeded;       // is
  std::vector<Dependency> operands;  // all, any: any number; negate: one
};

// The steps a dependency names, each once.
std::vector<std::string> steps_of(const Dependency& dependency);

// A step becomes one node an item: `item` and `item.KEY` in its arguments, condition and hooks.
struct Loop {
  struct Sequence {
    std::optional<Text> count;
    std::optional<Text> start;
    std::optional<Text> end;
    std::optional<Text> format;  // printf's, of one number
  };
  std::variant<std::vector<Text>,  // each item as JSON
               Text,               // a JSON list
               Sequence>
      items;
  // In a sequence: once all items have ended, what they printed has to make a list, whoever reads it then; where it
  // does not, that is an error of the group.
  bool lists_results = false;
};

// A call that is made beside a step or a run: when its expression first holds while that is under way; without an
// expression, when it has ended, whatever its result, unless its condition says otherwise.
struct Hook {
  std::string name;
  Call call;
  std::optional<Text> expression = std::nullopt;
  std::optional<Text> condition = std::nullopt;  // of one at the end: made only where this holds then
};

struct Step {
  std::string name;  // unique in its group
  Call call;
  std::optional<Loop> loop;
  std::vector<Hook> hooks;
  Dependency depends;             // graphs; evaluated when all named steps are complete; false: the step is omitted
  std::optional<Text> condition;  // Argo's `when`; false: skipped
  bool tolerate_failed = false;   // its failure does not fail the group
  bool tolerate_error = false;
  Origin origin;
  std::optional<Text> late_name = std::nullopt;  // its name is known only when its group starts
};

struct OutputParameter {
  std::string name;
  Text value;                                    // "{{steps.a.outputs.parameters.x}}"
  std::optional<Text> fallback;                  // where what it refers to was skipped
  std::optional<Text> global = std::nullopt;     // also workflow.outputs.parameters.NAME
  std::optional<Text> late_name = std::nullopt;  // its name is known only when the group ends
};

struct OutputArtifact {
  std::string name;
  ArtifactSource from;
  bool optional = false;
  std::optional<Text> global = std::nullopt;     // also workflow.outputs.artifacts.NAME
  std::optional<Text> late_name = std::nullopt;  // its name is known only when the group ends
};

struct Group {
  enum class Kind { graph, sequence };
  Kind kind = Kind::graph;
  std::vector<Step> steps;           // of a graph
  std::vector<std::string> targets;  // of a graph: the group fails where one of them, or what it waited for, failed
  bool fail_fast = true;      // of a graph with several targets that failed: the first one's state is its own, else the
                              // last one's
  bool fail_at_once = false;  // once a step or an item has failed, and that is not tolerated, nothing new starts: no
                              // item of a loop either, and no step that would handle the failure
  std::vector<std::vector<Step>> stages;  // of a sequence: one after the other, the steps of one side by side
  std::vector<OutputParameter> parameters;
  std::vector<OutputArtifact> artifacts;
  std::optional<Text> parallelism;  // so many of its steps, and of their items, are under way at a time
  // Of a graph whose targets are known only when it starts: their names with blanks between; `targets` is empty then.
  std::optional<Text> late_targets = std::nullopt;
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

// Durations in texts: whole numbers are seconds, else Go's spelling ("1h2m", "300ms").

// When a node that failed is tried again: each attempt is a node of its own.
struct Retry {
  enum class Policy { on_failure, on_error, on_transient_error, always };
  std::optional<Text> limit;  // further attempts; none: for ever
  Policy policy = Policy::on_failure;
  std::optional<Text> backoff;       // before the second attempt
  std::optional<Text> factor;        // each further wait is so many times longer
  std::optional<Text> cap;           // but never longer than this
  std::optional<Text> max_duration;  // since the first attempt began
  std::optional<Text> expression;    // over lastRetry.…: false ends it
};

// What a node, or a run, holds while it is under way; shared by all runs of a home.
struct Lock {
  Text name;
  std::optional<Text> limit;  // holders at a time; none: a mutex
};

// Where a node's outputs are remembered by key, and taken from instead of running it again.
struct Memo {
  Text key;
  Text cache;
  std::optional<Text> max_age;
};

// A number that a node or a run leaves behind for who watches many of them, under a name and labels (a series). Its
// texts may ask for `status`, `duration` (seconds), `exitCode`, `retries`, `resourcesDuration.cpu` and `.memory`,
// `outputs.result` and `outputs.parameters.X` of what has ended, besides all that it may ask for otherwise.
struct Metric {
  enum class Kind { gauge, counter, histogram };
  enum class Operation { set, add, subtract };  // of a gauge; the others are added to
  Text name;
  Text help;
  std::vector<std::pair<std::string, Text>> labels = {};
  std::optional<Text> condition = std::nullopt;  // of the form of Step::condition; false: nothing is left behind
  Kind kind = Kind::gauge;
  Operation operation = Operation::set;
  Text value;
  std::vector<double> buckets = {};  // of a histogram: their upper bounds
  bool live = false;  // a gauge that grows as time goes by: it is there from the beginning; its value is a duration
};
std::string_view to_string(Metric::Kind kind);

struct Definition {
  std::string name;   // unique in its workflow
  std::string label;  // what names of nodes call it; empty for one without a name
  std::vector<InputParameter> parameters;
  std::vector<InputArtifact> artifacts;
  std::variant<Task, Group, Gate> body;
  Origin origin;
  std::optional<Retry> retry;
  std::optional<Text> timeout;                         // since the node was made
  std::optional<Text> pending_timeout = std::nullopt;  // since it (each attempt) was made: until it begins to run
  std::optional<Text> deadline;                        // since it (each attempt) began to run
  std::vector<Lock> locks;
  std::optional<Memo> memo;
  std::optional<Text> display;  // shown instead of the step's name
  std::string lacking = {};     // an object that is not there, and that a step may still make: it cannot run before
  std::vector<Metric> metrics = {};
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

// How long a run is kept once it has ended: what is said of its own end, else of any end; else as rules have it.
struct Expiry {
  std::optional<std::chrono::seconds> after_success = std::nullopt;
  std::optional<std::chrono::seconds> after_failure = std::nullopt;  // a failure or a stop, but no error
  std::optional<std::chrono::seconds> after_any_end = std::nullopt;
};

// How many runs of a workflow are kept of those that succeeded, and of those that ended otherwise; none: all.
struct History {
  std::optional<std::size_t> succeeded = std::nullopt;
  std::optional<std::size_t> failed = std::nullopt;
};

// Of a workflow that is run again and again: whether it is at all, in view of its earlier runs. Its texts may ask for
// `cronworkflow.` name, namespace, labels, annotations, failed, succeeded and lastScheduledTime.
struct Recurrence {
  enum class Overlap { allow, forbid, replace };   // what becomes of it, or of them, where others are under way
  std::optional<Text> condition = std::nullopt;    // of the form of Step::condition; false: it is not run
  std::optional<std::string> stop = std::nullopt;  // an expression; true: it is not run any more
  Overlap overlap = Overlap::allow;
  History history = {};
};

struct Workflow {
  std::string name;  // what it is called in its file; may be empty
  std::string dialect;
  RunNaming naming;
  std::map<std::string, Definition> definitions;
  Call entry;
  std::vector<std::pair<std::string, Text>> parameters;  // workflow.parameters.NAME
  std::map<std::string, std::string> variables;          // further names for the scope, constant over the run
  std::optional<Call> on_exit;                           // called when the entry has ended, whatever its result
  std::vector<Hook> hooks;
  std::optional<Text> deadline;     // since the run began
  std::optional<Text> parallelism;  // so many tasks run at a time
  std::vector<Lock> locks;
  Expiry expiry = {};
  bool volumes_end_with_it = false;    // Volume::Kind::run: they go with any end of the run, not only a good one
  bool may_leave_sent = false;         // a run can be removed where what it sent (Save::collect) could not be deleted
  bool suspended = false;              // nothing starts until somebody approves
  std::vector<std::string> schedules;  // when it is to be run by itself: cron lines
  std::string timezone;                // of the schedules
  std::vector<std::pair<std::string, Text>> labels = {};  // put on the run when it begins
  std::vector<std::pair<std::string, Text>> annotations = {};
  std::optional<Recurrence> recurrence = std::nullopt;
  std::int64_t priority = 0;  // who has more of it gets locks first
  std::vector<Metric> metrics = {};
};

}  // namespace kist::model
