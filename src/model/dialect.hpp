// What upper floors fill in: a dialect turns text into the model and tells how its system names and words things.
// Dialects are closed rooms: none knows another, and nobody below asks which one it is.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/record.hpp"
#include "model/workflow.hpp"

namespace kist::model {

class Objects;

// Something a file asks for that kist does not do (yet), or a mistake: "not supported yet: KEY". An error keeps the
// workflow from running because the result would be wrong; a warning is said once and the run goes on. Information is
// what kist chose by itself ("run x is used").
struct Notice {
  enum class Level { information, warning, error };
  Level level = Level::warning;
  Origin origin;
  std::string text;
};

// "FILE:LINE:COLUMN: warning: TEXT"; information is the text alone.
std::string to_string(const Notice& notice);

struct Lowered {
  Workflow workflow;
  std::vector<Notice> notices;  // warnings only: where there is an error, lower() fails with the texts of all errors
};

// One workflow of a file, for listings and completions.
struct WorkflowSummary {
  std::string name;
  std::string help;
  Origin origin;
  bool primary = true;  // false: there for others to use; it is meant only where it is named, or alone
};

// Where a node stands, for its names.
struct NodePlace {
  enum class Kind {
    step,       // of a group; the entry
    item,       // of a loop
    attempt,    // of a retry
    hook,       // of the parent, of the run where there is none
    container,  // of a task
  };
  std::string run;                         // the run's name
  const NodeNames* parent = nullptr;       // nullptr: the entry, or a hook of the run
  Group::Kind group = Group::Kind::graph;  // of the parent, for steps
  int stage = 0;
  std::string step;  // empty: the entry; of hooks and containers: their name
  std::string definition;
  std::string label;  // the definition's
  Kind kind = Kind::step;
  int index = 0;               // of items and attempts
  const Json* item = nullptr;  // of items
};

// How the failing process of a task ended.
struct ProcessEnd {
  std::string container;
  std::string action;  // its title
  int exit_code = 0;
  int signal = 0;
  bool out_of_memory = false;  // the kernel ended it for lack of memory
  bool overdue = false;        // it was ended at its deadline
};

// Why what has failed is not tried again.
enum class RetryEnd {
  limit,       // often enough
  duration,    // for long enough
  backoff,     // the next attempt would begin too late
  expression,  // it says so
};

// How a system words things. Where a system has no words of its own, kist's are taken.
class Wording {
 public:
  virtual ~Wording() = default;
  virtual NodeNames names(const NodePlace& place) const = 0;
  virtual std::string process_failed(const ProcessEnd& end) const = 0;  // "main: Error (exit code 1)"
  virtual std::string child_failed(const NodeNames& child) const = 0;   // "child 'wf-123' failed"
  virtual std::string condition_false(std::string_view condition) const = 0;
  virtual std::string omitted() const = 0;
  virtual std::string stopped(bool abort) const = 0;
  virtual std::string state(State state) const = 0;                 // "Done", "Succeeded"
  virtual std::string log_prefix(const NodeNames& node) const = 0;  // "<pod>: ", or ""

  virtual std::string overdue() const;   // its time is over
  virtual std::string too_late() const;  // it has waited too long to begin
  // What was begun and cannot go on, since its group is to fail at once.
  virtual std::string broken_off() const;
  virtual std::string no_items() const;  // a loop over nothing
  virtual std::string undefined(std::string_view definition) const;
  virtual std::string waiting_for_lock(std::string_view lock, std::size_t free, std::size_t limit) const;
  virtual std::string waiting_to_retry(std::chrono::nanoseconds wait) const;
  virtual std::string not_retried(RetryEnd why) const;
  // Why a run cannot have this value of a label; empty: it can.
  virtual std::string wrong_in_label(std::string_view value) const;
  // What a handler of the run's end is told of a node that has failed.
  virtual Json failure(const NodeRecord& node) const;
};

class Dialect {
 public:
  virtual ~Dialect() = default;
  virtual std::string_view name() const = 0;

  // The workflow files of a project directory, in the order they are read; empty where the project has none of this
  // dialect.
  virtual std::vector<std::filesystem::path> project_files(const std::filesystem::path& project) const = 0;

  // Whether a file given by name is of this dialect, by its name and the shape of its text. Malformed text: decided as
  // well as the name and the first lines allow.
  virtual bool recognises(const std::filesystem::path& name, std::string_view text) const = 0;

  // What can be run. Errors: invalid.
  virtual Result<std::vector<WorkflowSummary>> workflows(const std::vector<SourceText>& files) const = 0;

  // The model of what is asked for. Reads no file and starts nothing. Errors: invalid, "FILE:LINE:COLUMN: …", several
  // lines where several things are wrong; not_found (no such workflow; the text names those there are); unsupported.
  virtual Result<Lowered> lower(const RunRequest& request) const = 0;

  // The same for who only looks: what a run would need beside the files may be missing, and a document that others use
  // need not be runnable by itself; then the model's entry is empty.
  virtual Result<Lowered> check(const RunRequest& request) const { return lower(request); }

  // Whether a file may be given with others that it refers to.
  virtual bool takes_further_files() const { return false; }
  // Whether everything is there that the request's files refer to by name.
  virtual bool is_complete(const RunRequest& request) const {
    (void)request;
    return true;
  }
  // Of further texts those that hold what the request refers to and lacks, and what these refer to in turn, without
  // values of secrets. `implied`: also what is used without being named. Texts that cannot be read are passed over.
  virtual std::vector<SourceText> library_for(const RunRequest& request, const std::vector<SourceText>& candidates,
                                              bool implied) const {
    (void)request, (void)candidates, (void)implied;
    return {};
  }

  // Of documents that were written while a run of this request was under way, those that its later tasks see, in place
  // of what the request holds of their names. Texts that cannot be read are passed over.
  virtual std::vector<SourceText> seen_later(const RunRequest& request, const std::vector<SourceText>& written) const {
    (void)request, (void)written;
    return {};
  }

  // A document that is kept for runs to come.
  struct Kept {
    std::string kind;
    std::string name;
    SourceText source;  // of this document alone, on its own lines; of a secret empty
    std::optional<std::vector<std::pair<std::string, std::string>>> secret;  // its values, where it is one
  };
  // The documents of a text that others refer to (templates, config maps, secrets). Errors: invalid.
  virtual Result<std::vector<Kept>> kept_documents(const SourceText& file) const {
    (void)file;
    return std::vector<Kept>{};
  }
  // The text without the values of the secrets in it, its lines where they are; the text itself where there are none.
  // Errors: invalid (which of its lines are a secret's cannot be told).
  virtual Result<std::string> without_secrets(const SourceText& file) const { return file.text; }

  // Does what a task asks of an object that this system's manifests describe, on behalf of a run. Every text of the
  // request is literal. The object as it is then, as JSON, which is a manifest itself. Errors: invalid (the manifest),
  // unsupported (a kind, or a change, that kist knows nothing of), not_found, conflict, and those of `objects`.
  virtual Result<std::string> act_on_object(const ObjectRequest& request, Objects& objects) const;

  virtual const Wording& wording() const = 0;

  // Which command-line flags of `run` (beyond kist's own) this dialect understands, e.g. dstack's "--artifact"; their
  // values arrive in RunRequest::options. Long names without dashes; `repeat` may be given several times.
  struct Flag {
    std::string name;
    std::string short_name;
    std::string help;
    bool takes_value = true;
  };
  virtual std::vector<Flag> run_flags() const { return {}; }
};

}  // namespace kist::model
