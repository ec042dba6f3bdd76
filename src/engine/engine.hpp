// Decides what runs when, and is the only writer of a run's state. A run is owned by the process that holds the lock of
// its `owner` file; other processes write requests, which the owner acts on. State is committed in groups, and shown
// only after it is durable. A run is finished only when its artifacts, its logs and its run record are durable.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "catalog/catalog.hpp"
#include "environment/place.hpp"
#include "location/location.hpp"
#include "model/dialect.hpp"
#include "model/record.hpp"
#include "store/store.hpp"

namespace kist::engine {

// The dialects kist speaks, by name.
using Dialects = std::vector<const model::Dialect*>;
// Errors: not_found.
Result<const model::Dialect*> find_dialect(const Dialects& dialects, std::string_view name);

// Hears of a run as it goes on. Called from one thread at a time, after the state is durable; output() as it comes.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void notice(const model::Notice& notice) = 0;
  virtual void run_changed(const model::RunRecord& run) = 0;  // nodes left out
  virtual void node_changed(const model::NodeRecord& node) = 0;
  // How far a task is, in its own words; shown, not kept.
  virtual void progress(const model::NodeNames& /*node*/, std::string_view /*progress*/) {}
  // One whole line (without its newline) that a task wrote.
  virtual void output(const model::NodeNames& node, task::Stream stream, std::string_view line) = 0;
};

struct Parts {
  const catalog::Home& home;
  catalog::Catalog& catalog;
  store::Store& store;
  const Dialects& dialects;
  std::function<Time()> clock;
  std::function<std::uint32_t(std::uint32_t)> random;  // uniform below its argument
  // The record of a run that a tag of a remote names, all of its artifacts being here then. From the threads that
  // submit runs. Empty: there are no remotes.
  std::function<Result<model::RunRecord>(std::string_view remote, std::string_view tag)> remote_tag = {};
  // Called when a run's artifacts, logs and record are durable here and before it is finished; the run is finished only
  // when this succeeds, and is interrupted otherwise. May be empty.
  std::function<Status(const model::RunRecord& run, const Digest& record)> deliver = {};
  // What locations outside need of this home, to delete what runs sent there: secrets, mapped endpoints. Empty: none.
  std::function<location::Context()> outside = {};
  // Called when a run has written down an artifact of a task that goes on. From the tasks' threads: it returns at once.
  std::function<void()> kept_live = {};
  // Submits a run that a task of another one asks for, and lets it go on by itself, in a process of its own; its name.
  // What its file refers to is looked for where `asking` found its own. From the tasks' threads. Empty: no run can be
  // started here.
  std::function<Result<std::string>(model::RunRequest request, const model::RunRequest& asking)> start_run = {};
};

// What is different when a run that has ended runs again.
struct RetryRequest {
  std::vector<std::pair<std::string, std::string>> parameters = {};  // instead of those it had, by name
  std::vector<std::string> steps = {};  // by any of their names: these too, though they may have succeeded
};

// Thread-safe: one engine may own many runs, each in a thread of its own.
class Engine {
 public:
  explicit Engine(Parts parts) : parts_(std::move(parts)) {}

  // Lowers the request, finds the runs it depends on, gives it a name and writes it down, state pending. Warnings go to
  // `notice`. Empty: nothing is run, since the file says that it is not to be now, and `notice` was told why, last.
  // Errors: invalid (the file), not_found (a dependency), conflict (the name).
  Result<std::string> submit(const model::RunRequest& request, const std::function<void(const model::Notice&)>& notice);

  // Makes a run that has ended one that goes on in place, under its name: what has failed and what came after it is to
  // run again, the rest keeps its outputs (engine/rerun.hpp). Nothing is lost whatever happens: the run is as it was,
  // or, once this is written, as one whose owner was lost. Its limits of time begin anew. Errors: conflict (it has not
  // ended, or has succeeded and no steps are named), not_found (a step), invalid (with these parameters it cannot be
  // run).
  Status retry(std::string_view run, const RetryRequest& again,
               const std::function<void(const model::Notice&)>& notice);

  // Owns the run to its end: starts it, or goes on where an owner was lost (finished nodes are not repeated; one that
  // was under way is repeated from its first action as its next attempt). Blocks. Errors: conflict (somebody owns it),
  // and what keeps kist itself from going on (no_space, corrupt); the run is then `interrupted`.
  Result<model::State> own(std::string_view run, environment::Place& place, Observer& observer);

 private:
  Parts parts_;
  std::mutex mutex_;
  std::map<std::string, model::Workflow> lowered_;  // of submitted runs: own() need not read the texts again
};

// Whether somebody owns the run now. A run that is not final and has no owner is interrupted. Needs neither store nor
// catalog, so that listings work without them.
bool is_owned(const catalog::Home& home, std::string_view run);

// The record of a run as it is now: from the catalog, `interrupted` where its owner was lost.
Result<model::RunRecord> current_record(const Parts& parts, std::string_view run);

// Removes a finished or interrupted run: rows, logs, its reference in the store, and what it owns (runs, documents …)
// before. Its tags keep its artifacts. What it
// sent to places outside and is to be deleted with it (Save::collect) is deleted first; what could not be is told to
// `notice`, and the run stays, for another try, unless `force` or its file say that it need not. Errors: not_found,
// conflict (it is running), unavailable (something could not be deleted).
Status remove_run(const Parts& parts, std::string_view run, bool force = false,
                  const std::function<void(const std::string&)>& notice = {});

}  // namespace kist::engine
