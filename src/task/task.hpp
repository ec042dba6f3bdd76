// Performs one task: its actions in order, in a sandbox, with a store. A document is self-contained, so the same code
// serves a task of this process and one that travelled to another machine.
#pragma once

#include <atomic>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "model/dialect.hpp"
#include "model/record.hpp"
#include "model/workflow.hpp"
#include "sandbox/sandbox.hpp"
#include "store/store.hpp"

namespace kist::task {

class Rooms;
class Starters;

// What a Load brings, found by the engine before the task starts.
struct ResolvedLoad {
  struct Tree {
    std::string prefix;  // where below the load's path it goes; absolute: there, whatever the load's path
    model::ArtifactRecord artifact;
    std::string sub_path = {};  // only what lies there in it, a file or a directory; empty: all
  };
  bool absent = false;  // optional, and there is none
  std::vector<Tree> trees;
  std::optional<std::string> raw;  // one file with this text
  bool project = false;            // the project directory
  // What lies at a location outside: fetched and kept in the store when the load's turn comes. Its texts are literal.
  std::optional<model::ExternalArtifact> external = {};
};

// A task to perform. Every Text in `task` is literal.
struct Document {
  std::string run;
  model::NodeNames node;
  int attempt = 1;
  model::Task task;
  std::map<std::size_t, ResolvedLoad> loads;              // by the index of the Load in task.actions
  std::map<std::size_t, model::ArtifactRecord> restored;  // what a watched directory begins with, by its Watch
  std::filesystem::path project;                          // absolute
  std::vector<std::string> hidden = {};  // values that earlier tasks have made of secrets: hidden in what it says
};

// Where the volumes of a run lie (Volume::Kind::run), one directory each. Whoever ends the run for good removes it.
std::filesystem::path run_volumes(const std::filesystem::path& home, std::string_view run);
// Where claims lie (Volume::Kind::claim), one directory each by its name.
std::filesystem::path claimed_volumes(const std::filesystem::path& home);

enum class Stream { output, error, kist };
std::string_view to_string(Stream stream);  // "stdout", "stderr", "kist", as logs have them

enum class Stop { none, graceful, abort };

using SecretValues = std::map<std::string, std::string>;

// What a task asks of its engine while it runs. Called from the task's threads; implementations are thread-safe.
class TaskServices {
 public:
  virtual ~TaskServices() = default;

  // The task has its slot and its first action is about to begin. A place that never says so is believed at the end.
  virtual void started() {}
  // Bytes a process of the task wrote (secrets already masked), or a line of kist's own.
  virtual void log(Stream stream, std::string_view bytes) = 0;
  // An artifact is durable in the store before the task ends. The engine records it; later ones of the same name
  // replace it. On return that is durable too: whatever happens to the owner of the run, it is listed.
  virtual Status publish(const model::ArtifactRecord& artifact) = 0;
  // How far the task is, in its own words ("3/10"); shown, not kept.
  virtual void report(std::string_view progress) = 0;
  // A daemon can be used, at this address: its group goes on. Called once at most.
  virtual void ready(std::string_view address) { (void)address; }
  // A location's bytes are in the store now, as an input artifact: `name` is the load's title.
  virtual void fetched(const model::ArtifactRecord& artifact) { (void)artifact; }
  // Every key of a secret with its value. Errors: not_found. The task masks what it was given wherever its output goes.
  virtual Result<SecretValues> secret(std::string_view name);
  // What lies below a key of the home's default repository: whole keys, ascending.
  virtual Result<std::vector<std::string>> keys_below(std::string_view key);
  // Acts on an object that kist knows (a workflow, a config map, a secret, a claim).
  struct ActedOn {
    std::string object;                // as JSON
    std::vector<std::string> secrets;  // values of secrets that were read or written: the task masks them
  };
  virtual Result<ActedOn> act_on_object(const model::ObjectRequest& request);
};

// Asked to end: set once or twice (graceful, then abort) from any thread. `descriptor()` is readable once it was set.
class StopSignal {
 public:
  StopSignal();
  void set(Stop how);
  Stop get() const;
  int descriptor() const { return event_.get(); }

 private:
  FileDescriptor event_;
  std::atomic<Stop> how_ = Stop::none;
};

// How one Run of a task ended: what a node of its own may be made of.
struct RunEnd {
  std::string title;
  std::string container;
  model::State state = model::State::omitted;  // succeeded, failed, error; omitted: what it waits for failed
  std::optional<int> exit_code;
  std::string message;  // of a failure: "Error (exit code 2)"
  Time started;         // none where it was omitted
  Time finished;
};

// How a task ended.
struct Outcome {
  model::State state = model::State::succeeded;  // succeeded, failed, error, stopped, aborted
  std::optional<model::ProcessEnd> process;      // the process whose end failed it
  std::vector<std::string> problems;             // what kist could not do: artifacts missing, paths refused
  std::optional<int> exit_code;                  // of the main process; of the last in the foreground where none is
  std::vector<RunEnd> runs;                      // of the foreground, in the order of the actions
  std::vector<model::ParameterRecord> parameters;
  std::vector<std::string> secrets = {};         // values of secrets that stand in them
  std::vector<model::ArtifactRecord> artifacts;  // in the order of the saves, durable
  std::optional<std::string> result;
  // What keeps kist itself from going on (no_space, corrupt): the run is given up, interrupted, instead of failed.
  std::optional<Error> failure;
};

// What the task floor works with on this machine.
struct Tools {
  Rooms& rooms;
  store::Store& store;
  std::filesystem::path home;  // KIST_HOME, hidden in every task
  // Where the servers that locations name are in truth (location::Endpoints).
  std::map<std::string, std::string> endpoints = {};
  Starters* starters = nullptr;  // of commands that can have one; none: every command is started by itself
};

// Performs the task to its end in this thread. Everything in the outcome is durable. Never throws, never leaves a
// process or mount behind, and no scratch directory but in rooms that are kept.
Outcome perform(const Document& document, const Tools& tools, TaskServices& services, StopSignal& stop);

}  // namespace kist::task
