// Owning a run in this process: the launcher forked while the process is small, signals turned into requests, the
// engine, and the exit code. Shared by `run` and `resume`.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/file.hpp"
#include "base/result.hpp"
#include "cli/house.hpp"
#include "engine/engine.hpp"
#include "model/record.hpp"
#include "sandbox/sandbox.hpp"
#include "task/starters.hpp"

namespace kist::cli {

// Hears SIGINT, SIGTERM and SIGHUP in a thread of its own. Until a run is named, a signal ends kist at once, as if
// nothing listened. Then: the first asks the run to stop, the second to abort, the third ends kist (the kernel ends the
// tasks with it).
class Interruptions {
 public:
  // Blocks the signals in this thread and those it starts: make it after the launcher and before other threads.
  static Result<std::unique_ptr<Interruptions>> start();
  ~Interruptions();
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;

  // From now on a signal is for this run. `ask` is called from the thread, with `stop` and then `abort`.
  void listen(std::function<void(catalog::Request::Kind)> ask);
  // The first signal that came; 0: none.
  int received() const { return received_; }

 private:
  Interruptions() = default;
  void wait_for_signals();

  FileDescriptor signals_;
  FileDescriptor end_;
  std::mutex mutex_;
  std::function<void(catalog::Request::Kind)> ask_;
  std::atomic<int> received_ = 0;
  std::thread thread_;
};

// Writes down that a run is to be sent to a remote when it ends, for whoever owns it then.
Status set_destination(const catalog::Home& home, const std::string& run, const std::string& remote);

// Owns the run to its end, sends it where it is to be sent, and gives the exit code: 0 succeeded, 1 not, 128 + signal
// where a signal ended it. `jobs`: at most so many tasks at once; 0: as many as this machine has processors, at least
// four (tasks wait more than they compute). `observer`: thread-safe, as it also hears of a sending that is beside the
// run. `spare`: of the runs before it; nullptr: it is the only one.
Result<int> own_run(House& house, sandbox::Launcher& launcher, Interruptions& interruptions, const std::string& run,
                    engine::Observer& observer, int jobs, const task::SpareStarters* spare);

}  // namespace kist::cli
