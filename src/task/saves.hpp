// Keeps artifacts of a task in the store. There are three moments:
//
//   * while processes live: a save that a later process follows, and what a program publishes. It is copied, committed
//     and told to the engine at once, so that it is listed while the task runs and survives whatever comes.
//   * when every process is dead: what does not lie wholly in the task's scratch (a project directory with changes, an
//     input that was modified) is read through the root, which still stands.
//   * when the root is gone: what lies wholly in scratch. Nobody can write to it any more, so a large file is adopted
//   by
//     the store and not copied.
//
// All of the second and third moment is one transaction, committed once.
#pragma once

#include <cstddef>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/result.hpp"
#include "sandbox/sandbox.hpp"
#include "store/store.hpp"
#include "task/containers.hpp"
#include "task/rooms.hpp"
#include "task/task.hpp"

namespace kist::task {

class Saves {
 public:
  Saves(const Document& document, const Containers& containers, const Tools& tools, TaskServices& services,
        TaskDirectory& staging);

  // The first moment. An error is what the task has to be told: nothing at the path, no space, what cannot be read.
  Status save_now(std::size_t action, sandbox::Sandbox& sandbox);
  // What stands at a path now, for a program of the task. Thread-safe.
  Result<model::ArtifactRecord> publish(const std::string& name, const std::filesystem::path& path,
                                        sandbox::Sandbox& sandbox);
  // Tells the engine of a record that is durable. Thread-safe.
  Status announce(const model::ArtifactRecord& record);

  // The second moment; what can be adopted is only noted.
  Status collect(std::size_t action, sandbox::Sandbox& sandbox);
  // Notes a directory of this machine that the task shared, for the third moment.
  void collect_watched(std::size_t action, const std::filesystem::path& source);

  // The third moment: saves the rest and makes all durable. `adopt`: the root is gone for certain. Returns what went
  // wrong.
  std::vector<std::string> finish(bool adopt);

  // What is durable, in the order of the saves; several of one name are one.
  std::vector<model::ArtifactRecord> artifacts() const;

 private:
  // An artifact by its name: what the saves of that name brought, and the record of what is durable.
  struct Named {
    std::string name;
    std::map<std::size_t, store::Saved> parts;  // by action
    bool changed = false;                       // `parts` hold more than `record`
    std::optional<model::ArtifactRecord> record;
  };
  // The tree of a save.
  struct Source {
    std::size_t action = 0;
    std::filesystem::path inside;  // its path in the task
    std::filesystem::path path;    // where this process reads it: by the handle, or in scratch
    bool in_scratch = false;       // wholly
    bool is_directory = false;
    FileDescriptor handle;
    std::string pattern = {};  // only what it takes in, of a directory
  };
  // What several saves may have in common: path, `directories`, pattern, what is excluded.
  using Stored = std::tuple<std::filesystem::path, bool, std::string, std::vector<std::string>>;

  // nullopt: nothing is there, and the file says that this is fine.
  Result<std::optional<Source>> locate(std::size_t action, sandbox::Sandbox& sandbox);
  Status store_source(const Source& source, store::Transaction& transaction, bool adopt);
  // What stands at `path` on this machine.
  Status store_from(std::filesystem::path path, const Source& source, store::Transaction& transaction, bool adopt);
  Status store_deferred(std::size_t index, bool adopt);
  void add_part(std::size_t action, store::Saved saved);
  // The one record of all its parts; stores what joins them.
  Result<model::ArtifactRecord> merge(const Named& named, store::Transaction& transaction) const;
  Result<store::Transaction*> transaction();
  Named& named(const std::string& name);
  void tell_left_out(std::string_view artifact, const std::vector<std::string>& left_out);
  void say(std::string_view text);

  const Document& document_;
  const Containers& containers_;
  const Tools& tools_;
  TaskServices& services_;
  TaskDirectory& staging_;
  int staged_ = 0;
  std::unique_ptr<store::Transaction> transaction_;  // of the second and third moment
  std::vector<Source> deferred_;
  std::map<Stored, store::Saved> stored_;  // of deferred_
  mutable std::mutex mutex_;               // guards named_, which publish() shares; `parts` belong to the task's thread
  std::deque<Named> named_;                // in the order their first save had its turn; entries stay where they are
};

// What a task made at a path. Most images begin in their root, and files count on it: they write `result.txt` and keep
// `/result.txt`. Here such a task begins in the project, so what it made there under that name will do too.
Result<sandbox::Found> find_output(const ContainerHere& container, const std::filesystem::path& path,
                                   sandbox::Sandbox& sandbox);

// What to tell of a path where nothing stands: what there is beside it.
std::string describe_missing(const std::filesystem::path& path, sandbox::Sandbox& sandbox);

}  // namespace kist::task
