// The database of runs, nodes, tags and requests: SQLite in WAL mode, synchronous FULL. What a call reported as done is
// durable, but for locks: those go with their owner. Several processes and threads may use one catalog; a busy database
// is waited for (10 s, then unavailable). SQL is kept portable: the same schema is to serve PostgreSQL.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "catalog/home.hpp"
#include "model/record.hpp"

namespace kist::catalog {

// A run without its nodes, for listings.
struct RunSummary {
  std::string name;
  std::string workflow;
  std::string dialect;
  std::string project;
  model::State state = model::State::pending;
  std::string message;
  Time created;
  Time started;
  Time finished;
  Time expires;                  // from then on it may be removed; 0: its file does not say
  std::optional<Digest> record;  // its run record in the store, once it is finished
  std::vector<std::string> tags;
  std::optional<model::History> history = std::nullopt;  // of one that is run again and again
};

// What is known of the runs of a workflow that is run again and again, those that were removed included.
struct EarlierRuns {
  std::size_t succeeded = 0;
  std::size_t failed = 0;
  std::optional<Time> last;            // when the newest was created
  std::vector<std::string> under_way;  // by their rows: their owners may be gone
};

// What is removed together with a run.
struct Owned {
  std::string sort;  // "run", "secret", "claim", or the kind of a document
  std::string name;
};

struct Tag {
  std::string name;
  std::string run;
  std::optional<Digest>
      record;  // what keeps the artifacts when the run is removed; absent while the run is not finished
  Time created;
};

// A key of the default repository: what files that name no other place for their artifacts read and write.
struct Key {
  std::string key;  // "my-data/input": parts and slashes between them, no slash at its beginning or end
  model::ArtifactRecord artifact;
  std::string run;  // that put it there; empty: a person
  Time created;
};

// What other processes ask the owner of a run to do.
struct Request {
  enum class Kind { stop, abort, approve };
  Kind kind = Kind::stop;
  std::string node = {};  // approve: which gate, by one of its names; empty: all
  std::vector<std::pair<std::string, std::string>> parameters = {};  // approve: what is supplied
  std::int64_t number = 0;                                           // a later one's is greater; the catalog gives it
};

// Who wants locks: a node of a run. Of those who wait, the one with the greater priority gets them first, then the one
// whose run was created first, then who came first.
struct LockSeeker {
  std::string_view run;
  std::string_view node;
  std::int64_t priority = 0;
  Time created = {};
};

// A lock that somebody wants: so many may hold it at a time.
struct LockWish {
  std::string name;
  std::size_t limit = 1;
};

// What became of a wish for locks: all of them are held, or `blocking` has so many free.
struct LockAnswer {
  bool held = false;
  std::string blocking;
  std::size_t free = 0;
  std::size_t limit = 0;
};

// Outputs that are remembered by key.
struct Memo {
  Time created;
  std::string run;  // that made them
  model::NodeRecord node;
};

// What a node of an earlier run did.
struct Work {
  std::string run;
  model::NodeRecord node;
};

// A series of a metric: a number under a name and labels.
struct Series {
  std::string name;
  std::string help;
  model::Metric::Kind kind = model::Metric::Kind::gauge;
  std::vector<std::pair<std::string, std::string>> labels;  // by name
  double value = 0;                                         // of a histogram: the sum
  struct Bucket {
    double bound;
    std::uint64_t count;  // of values up to it, those of smaller bounds included
  };
  std::vector<Bucket> buckets;
  std::uint64_t count = 0;  // of a histogram
  // Of one that grows while a run goes on: since when, and which run. Its value is what has gone by since.
  Time since = {};
  std::string run = {};
};

// What is to become of a series: `value` is put in place of its own, or is added to it.
struct Measurement {
  Series series;
  model::Metric::Operation operation = model::Metric::Operation::set;
};

// State to be written together.
struct Changes {
  std::string run;
  std::optional<model::State> state = {};
  std::optional<std::string> message = {};
  std::optional<Time> started = {};
  std::optional<Time> finished = {};
  std::optional<Time> expires = {};
  std::optional<Digest> record = {};  // also given to the run's tags
  std::optional<model::ArtifactRecord> logs = {};
  std::vector<model::NodeRecord> nodes = {};  // inserted, or replaced by names.name
  std::vector<std::string> removed = {};      // nodes, by name, that are none of the run's any more
  std::vector<std::int64_t> answered = {};    // requests to the run's owner, by number, that are done with
  std::vector<Measurement> measured = {};     // what does not fit what is there (check_measurement) is left out
};

struct RunFilter {
  std::optional<std::string> project = {};
  std::optional<std::string> workflow = {};
  bool unfinished_only = false;
  std::size_t limit = SIZE_MAX;
};

class Catalog {
 public:
  virtual ~Catalog() = default;

  // Opens (creating) the database. Errors: denied, no_space, corrupt, unavailable, invalid (made by a newer kist).
  static Result<std::unique_ptr<Catalog>> open(const Home& home);

  // Gives the run its name by `naming` and writes it, in one transaction, which moves the tag it asks for; `run.name`
  // is ignored. Errors: conflict (a given name is taken). `random` makes uniform numbers below its argument.
  virtual Result<std::string> create_run(const model::RunRecord& run, const model::RunNaming& naming,
                                         const std::function<std::uint32_t(std::uint32_t)>& random) = 0;
  // One transaction, one fsync.
  virtual Status apply(std::span<const Changes> changes) = 0;

  // Errors: not_found.
  virtual Result<model::RunRecord> run(std::string_view name) = 0;
  virtual Result<RunSummary> summary(std::string_view name) = 0;
  virtual Result<std::vector<RunSummary>> runs(const RunFilter& filter) = 0;  // newest first
  // The run a prefix names: itself where it is a name, else the only one that begins so. Errors: not_found, invalid
  // (several).
  virtual Result<std::string> complete_run_name(std::string_view prefix) = 0;
  // The run of a workflow in a project that was the last to succeed, wherever it ran. Errors: not_found.
  virtual Result<std::string> newest_succeeded(std::string_view project, std::string_view workflow) = 0;
  // Of the runs with a history.
  virtual Result<EarlierRuns> earlier_runs(std::string_view project, std::string_view workflow) = 0;
  // Writes a run that ended elsewhere, or that a lost catalog knew, from its record in the store. Errors: conflict
  // (there is another run of this name; the same one is fine). What is here of this run with the record `instead_of` is
  // replaced by what it has become; its tags follow it.
  virtual Status import_run(const model::RunRecord& run, const Digest& record,
                            const std::optional<Digest>& instead_of = std::nullopt) = 0;
  // A run that had ended is to go on: its request, state, message, times and nodes become the given ones, and it has no
  // logs and no record until it ends again. What it was asked before is forgotten. Its tags keep what they keep.
  // Errors: not_found.
  virtual Status reopen(const model::RunRecord& run) = 0;
  // Removes the run's rows; its tags stay. Errors: not_found.
  virtual Status remove_run(std::string_view name) = 0;

  // Creates a tag; with `replace`, moves it. Errors: conflict, not_found (the run).
  virtual Status set_tag(std::string_view name, std::string_view run, Time created, bool replace) = 0;
  // Creates or moves a tag of a run that need not be here any more.
  virtual Status import_tag(const Tag& tag) = 0;
  virtual Result<Tag> tag(std::string_view name) = 0;
  virtual Result<std::vector<Tag>> tags() = 0;  // newest first
  virtual Status remove_tag(std::string_view name) = 0;

  // Puts an artifact under a key, whatever was there. Errors: invalid (no such key can be).
  virtual Status set_key(const Key& key) = 0;
  // Errors: not_found.
  virtual Result<Key> key(std::string_view key) = 0;
  // Those that begin with the prefix, ascending.
  virtual Result<std::vector<Key>> keys(std::string_view prefix) = 0;
  // With `tree`, only where it holds this. Errors: not_found.
  virtual Status remove_key(std::string_view key, const std::optional<Digest>& tree = std::nullopt) = 0;

  // Writes these labels and annotations on a run, in place of what was there. Errors: not_found.
  virtual Status mark_run(std::string_view run, const model::Marks& marks) = 0;
  virtual Result<model::Marks> marks(std::string_view run) = 0;
  // Errors: not_found (the run).
  virtual Status add_owned(std::string_view run, const Owned& owned) = 0;
  virtual Result<std::vector<Owned>> owned(std::string_view run) = 0;
  // The runs that own it; and that none does any more: it is about to be removed, and what is made under its name later
  // is another thing.
  virtual Result<std::vector<std::string>> owners(const Owned& owned) = 0;
  virtual Status disown(const Owned& owned) = 0;

  // Reads all of the database. Errors: corrupt.
  virtual Status check() = 0;

  // Requests to the owner of a run: written by anybody, read by the owner, oldest first. They stay until changes say
  // that they are answered, which are written with what they have brought about, or after it.
  virtual Status add_request(std::string_view run, const Request& request) = 0;
  virtual Result<std::vector<Request>> requests(std::string_view run) = 0;

  // Takes all of the locks for a node, or none and a place in the line of each.
  // `is_lost` says of a run that nobody owns it: its locks and its places are free. To be asked again until they are
  // held.
  virtual Result<LockAnswer> acquire(const LockSeeker& seeker, std::span<const LockWish> wishes,
                                     const std::function<bool(std::string_view run)>& is_lost) = 0;
  // Gives back what a node holds or waits for; an empty node: all that the run does.
  virtual Status release(std::string_view run, std::string_view node) = 0;

  // Remembers a node's outputs, in place of what was there. Errors: those of writing.
  virtual Status remember(std::string_view cache, std::string_view key, const Memo& memo) = 0;
  // Errors: not_found.
  virtual Result<Memo> recall(std::string_view cache, std::string_view key) = 0;
  virtual Status forget(std::string_view cache, std::string_view key) = 0;
  // Of the nodes with this fingerprint that succeeded, in the runs that are here, the last to end before `before`.
  // Errors: not_found.
  virtual Result<Work> find_work(std::string_view fingerprint, Time before) = 0;
  // Whether it can become a part of its metric: one name has one kind and one help. Errors: conflict.
  virtual Status check_measurement(const Series& series) = 0;
  // All series, by name and labels. So many are kept: of more, those that have not changed for longest are forgotten.
  static constexpr std::size_t kMostSeries = 10'000;
  virtual Result<std::vector<Series>> metrics() = 0;
  // Everything that is remembered.
  virtual Status memos(
      const std::function<Status(std::string_view cache, std::string_view key, const Memo&)>& each) = 0;
};

}  // namespace kist::catalog
