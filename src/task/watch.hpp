// Saves a directory again and again while a task writes it, so that a file closed a second ago is in the store and the
// engine knows, whatever happens next. The exact tree is saved at the end of the task (saves.hpp).
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <sys/stat.h>

#include "base/file.hpp"
#include "base/result.hpp"
#include "model/record.hpp"
#include "store/store.hpp"

namespace kist::task {

class Watcher {
 public:
  struct Options {
    std::filesystem::path directory;                               // on this machine
    std::filesystem::path staging;                                 // does not exist; beside it
    std::string name;                                              // of the artifact
    std::string path;                                              // as the task's file names it
    std::function<Status(const model::ArtifactRecord&)> announce;  // told of each version; called from a thread
    std::function<void(std::string_view)> say;                     // told once what keeps it from saving
  };
  Watcher(store::Store& store, Options options);
  // Stops watching; what was not saved by then is not saved.
  ~Watcher();

  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  struct KnownFile {
    struct stat status = {};                 // in this walk
    struct stat saved_status = {};           // when it was saved
    std::optional<store::ArtifactId> saved;  // none yet
    Clock::time_point taken;                 // when it was saved last, or seen first
    bool seen = false;                       // in this walk
  };
  // Directories with their modes and links with their targets, by path.
  using Skeleton = std::map<std::string, std::string>;
  struct Walked {
    Skeleton skeleton;
    std::vector<std::string> changed;  // files whose saved version is not what is there
    bool removed = false;              // a file is gone
  };

  void run();
  Status scan();
  Status walk(const FileDescriptor& directory, const std::string& prefix, Walked& walked);
  void add_inotify(const std::string& prefix);
  bool is_quiet(const KnownFile& file) const;
  Result<store::ArtifactId> save_skeleton(const Skeleton& skeleton, store::Transaction& transaction) const;

  store::Store& store_;
  const Options options_;
  FileDescriptor stop_;
  FileDescriptor inotify_;
  std::map<std::string, KnownFile> files_;
  Skeleton skeleton_;  // of published_
  std::optional<store::ArtifactId> published_;
  bool unfinished_ = false;  // something was left for the next scan
  bool complained_ = false;
  std::jthread thread_;  // last: ends before what it uses
};

}  // namespace kist::task
