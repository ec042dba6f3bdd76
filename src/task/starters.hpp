// The starters of a kist (model::Starter, sandbox/starter.hpp): each is begun when the first command wants it, and ends
// by itself after a minute in which none did, or with kist.
//
// A starter runs on this machine, not in a private root: there it could enter none. It begins with the variables of the
// command that wanted it first, and serves only commands with the same.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/file.hpp"
#include "model/workflow.hpp"
#include "sandbox/sandbox.hpp"
#include "task/host.hpp"
#include "task/task.hpp"

namespace kist::task {

// Starters on their way from the runs of one command to the next, each of which may be a process of its own: whoever
// holds this holds them. They end when nobody does.
struct SpareStarters {
  FileDescriptor in, out;  // a channel that nobody waits at

  static Result<SpareStarters> make();
};

// Thread-safe.
class Starters {
 public:
  // Begins with what is spare, and leaves there what it has in the end. nullptr: with none.
  explicit Starters(const SpareStarters* spare = nullptr);
  Starters(const Starters&) = delete;
  Starters& operator=(const Starters&) = delete;
  ~Starters();

  // A connection for one process of `program`, for sandbox::Command. Waits until a new starter is ready, seconds at
  // most, or until more is asked by `stop` than `known`. None where there can be no starter: it ended, there are too
  // many others; and where it was not waited for.
  FileDescriptor connect(const model::Starter& starter, const std::filesystem::path& program,
                         const std::vector<std::string>& environment, const StopSignal& stop, Stop known);

 private:
  using Key = std::vector<std::string>;
  using Clock = std::chrono::steady_clock;
  struct One {
    pid_t process = -1;    // -1: none of this kist's children
    bool is_lost = false;  // it did not get ready, and is not tried again
    Clock::time_point began;
    FileDescriptor control;  // what it says when it is ready stays unread: everybody sees it
  };
  static std::shared_ptr<One> begin(const model::Starter& starter, const std::filesystem::path& program,
                                    std::vector<std::string> environment);
  enum class Readiness { ready, lost, unknown };
  static Readiness wait_until_ready(const One& one, const StopSignal& stop, Stop known);
  static void end(One& one);

  const SpareStarters* spare_;
  std::mutex mutex_;  // of what follows, with what all of them are but their control
  std::map<Key, std::shared_ptr<One>> all_;
};

// The program of a command as it lies on this machine, for its starter. None where it is not here, and where it is a
// project's own and nobody has chosen it by activating its virtual environment: of what came with a project nothing
// runs outside of a private root.
std::optional<std::filesystem::path> program_outside(const sandbox::Command& command, const Host& host,
                                                     const std::filesystem::path& project);

}  // namespace kist::task
