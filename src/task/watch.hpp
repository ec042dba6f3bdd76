// Saves a directory again and again while a task writes it, so that a file closed a second ago is in the store and the
// engine knows, whatever happens next. The exact tree is saved at the end of the task (saves.hpp).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <sys/stat.h>

#include "base/file.hpp"
#include "base/result.hpp"
#include "model/record.hpp"
#include "store/store.hpp"
#include "task/directory_events.hpp"

namespace kist::task {

class Watcher {
 public:
  struct Options {
    std::filesystem::path directory;                               // on this machine
    std::string name;                                              // of the artifact
    std::string path;                                              // as the task's file names it
    std::optional<store::ArtifactId> begins_with;                  // what the directory holds already
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
  // A path that may have changed since it was saved.
  struct Noted {
    bool closed = false;             // nobody may be writing to it any more
    bool tried = false;              // it changed while it was read
    Clock::time_point since;         // it was noted; or, of a file that is open, saved
    std::optional<struct stat> was;  // of a file that was saved although it may be open
  };
  // A large file: how often it may be read.
  struct Large {
    Clock::time_point next;
    bool was_closed = false;  // when it was saved last
  };

  void run();
  void note(std::string path, bool closed, Clock::time_point since);
  Status look_around();
  Status save_noted();
  std::vector<store::Change> choose();
  enum class Turn { now, as_it_is, later, never };
  Turn turn_of(const std::string& path, Noted& noted);
  bool may_be_read(const std::string& path, const Noted& noted, std::uint64_t size);
  Status announce(const store::Saved& saved);
  void complain(std::string_view why);

  store::Store& store_;
  const Options options_;
  FileDescriptor stop_;
  FileDescriptor top_;
  DirectoryEvents events_;
  std::unordered_map<std::string, Noted> noted_;
  std::unordered_map<std::string, Large> large_;
  std::optional<store::ArtifactId> published_;
  bool top_changed_ = false;  // the directory's own mode
  bool look_now_ = true;      // something was missed
  Clock::time_point looked_;  // when the last look around began
  Clock::time_point next_look_;
  bool complained_ = false;
  std::atomic<bool> ending_ = false;
  std::jthread thread_;  // last: ends before what it uses
};

}  // namespace kist::task
