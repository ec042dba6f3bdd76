// What is remembered of a run: rows of the catalog, the run record in the store, and what the dialects' views are made
// from. Plain data; docs/run-record.md describes its JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"
#include "model/artifact.hpp"
#include "model/state.hpp"
#include "model/workflow.hpp"

namespace kist::model {

// What a node was given that no node made.
struct InputSource {
  enum class Kind {
    text,     // written in the workflow's file
    project,  // the project directory as it was
  };
  Kind kind = Kind::text;
  std::string name;         // of the input artifact; empty: the task loads it by itself
  std::string path;         // where the task has it
  std::string text;         // its beginning
  std::uint64_t bytes = 0;  // of all the text
};

// What the project directory's version control said when the run was submitted.
struct Revision {
  std::string commit;
  std::string branch;     // empty: none
  bool modified = false;  // files under version control differ from the commit
};

struct ParameterRecord {
  std::string name;
  std::string value;
  std::string global = {};  // of an output: workflow.outputs.parameters.NAME is this one too
  bool secret = false;      // the value of a secret is in it: it is for steps to use, and shown to nobody
};

// How the value of a parameter is shown.
std::string shown_value(const ParameterRecord& parameter);

// Of a node whose outputs are remembered by key.
struct MemoRecord {
  std::string cache;
  std::string key;
  bool hit = false;  // the outputs were taken from there, nothing ran
};

// The names a dialect gives a node.
struct NodeNames {
  std::string name;     // unique in its run, structured: "wf[0].writer"
  std::string display;  // short: "writer"
  std::string id;       // as the system's API calls it
  std::string host;     // pod name, job number: what its log lines begin with; may be empty
};

enum class NodeKind {
  task,
  graph,
  sequence,
  loop,       // of a step that loops: its children are one an item
  retry,      // of a definition with a retry: its children are the attempts
  gate,       // waits, for a time or for a person
  container,  // of a task whose containers run beside each other: one of them
};
std::string_view to_string(NodeKind kind);

struct NodeRecord {
  NodeNames names;
  std::string parent;  // names.name of the node it is below: group, loop, retry, task, the node a hook belongs to;
                       // empty for the entry and for what hooks of the run made
  std::string step;    // the step's name; empty for the entry
  std::string hook;    // the name of the hook that made it ("exit" for that of the end); empty: none did
  std::optional<int> index;  // of an item in its loop, of an attempt in its retry
  std::string definition;
  NodeKind kind = NodeKind::task;
  int stage = 0;  // of a sequence
  int attempt = 1;
  State state = State::pending;
  std::string message;
  Time started;
  Time finished;
  std::optional<int> exit_code;
  std::vector<ParameterRecord> input_parameters;
  std::vector<ArtifactRecord> input_artifacts;
  std::vector<InputSource> input_sources;
  std::vector<ParameterRecord> output_parameters;
  std::vector<ArtifactRecord> output_artifacts;
  std::optional<std::string> result;
  bool daemoned = false;  // it runs, and its group goes on
  std::string address;    // of a daemon
  std::optional<MemoRecord> memo;
  Time created;             // when its turn came, under whichever owner
  Time first_started;       // of a task that was repeated because its owner was lost: when it was first begun
  std::string fingerprint;  // of a task: what it does, and with which inputs, as a digest; empty: that cannot be told
  std::string taken_from;   // the run whose outputs these are: nothing ran
};

// One input file of a run, as it was.
struct SourceText {
  std::string name;  // as the user gave it
  std::string text;
};

// What was asked for: enough to lower the same texts again.
struct RunRequest {
  std::string dialect;
  std::string project;  // absolute path of the project directory
  std::vector<SourceText> files;
  std::vector<SourceText> library = {};  // further texts that the files refer to; none of their workflows is meant
  std::string workflow;                  // which one of the files' workflows; empty: the only one
  std::vector<std::pair<std::string, std::string>> parameters;   // -p k=v
  std::vector<std::pair<std::string, std::string>> environment;  // -e K=V
  std::vector<std::string> arguments;                            // the words after the workflow's name
  std::vector<std::pair<std::string, std::string>> options;      // the dialect's own flags, by name
  std::optional<std::string> name;                               // --name
  std::optional<std::string> tag;                                // -t
  std::optional<Revision> revision;                              // of the project at that moment
  std::optional<std::string> restore_from;                       // --restore-from: a run, or a tag with its colon
  bool cached = false;  // --cached: what an earlier run did with the same inputs is not done again
};

// An earlier run whose artifacts this one uses (RunArtifacts), pinned when this one was submitted.
struct UsedRun {
  RunArtifacts::By by = RunArtifacts::By::workflow;
  std::string name;                       // as asked for: the workflow or the tag
  std::string run;                        // which run it was
  std::vector<ArtifactRecord> artifacts;  // all artifacts of its tasks, in the order of its nodes
  bool restored = false;                  // no input: what the watched directories of this run begin with
};

// What people and systems write on a run, to find it by (labels) or to know of it.
struct Marks {
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<std::pair<std::string, std::string>> annotations;
};

struct RunRecord {
  std::string name;
  std::string id;  // a UUID
  std::string workflow;
  std::string dialect;
  std::string project;
  std::string user;
  State state = State::pending;
  std::string message;
  Time created;
  Time started;
  Time finished;
  Time expires = {};  // of one that has ended: its file lets it go from then on
  RunRequest request;
  std::vector<UsedRun> used_runs;
  std::vector<NodeRecord> nodes;       // in the order they came to be
  std::optional<ArtifactRecord> logs;  // at the end: one file a node
  Marks marks = {};
  std::optional<History> history = std::nullopt;  // of one that is run again and again; this home's matter: not in JSON
};

Json to_json(const RunRecord& run);
Result<RunRecord> run_from_json(const Json& value);
Json to_json(const NodeRecord& node);
Result<NodeRecord> node_from_json(const Json& value);
Json to_json(const RunRequest& request);
Result<RunRequest> request_from_json(const Json& value);
Json to_json(const UsedRun& used);
Result<UsedRun> used_run_from_json(const Json& value);

}  // namespace kist::model
