// The processes of one task: starts them, hands on what they write as it comes, serves the control socket meanwhile,
// and ends them when the task is asked to stop.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <poll.h>

#include "base/file.hpp"
#include "base/result.hpp"
#include "sandbox/sandbox.hpp"
#include "task/control.hpp"
#include "task/task.hpp"

namespace kist::task {

// Between SIGTERM and SIGKILL, for a stop, for silence and for what ran in the background.
inline constexpr std::chrono::seconds kGrace(10);
// How much of a standard output is kept as a result: its end.
inline constexpr std::size_t kLongestResult = 256 << 10;

struct Finished {
  sandbox::Ended ended;
  bool too_quiet = false;  // it was ended because it wrote nothing for too long
};

// Used by one thread.
class Processes {
 public:
  Processes(sandbox::Sandbox& sandbox, TaskServices& services, StopSignal& stop, ControlServer& control)
      : sandbox_(sandbox), services_(services), stop_(stop), control_(control) {}

  struct Options {
    std::optional<std::chrono::seconds> no_output_timeout;
    std::string* result = nullptr;  // gets the end of its standard output
  };
  // Runs a process to its end. What it left running keeps its output descriptors and is listened to from then on.
  // Errors: as Sandbox::start.
  Result<Finished> run(sandbox::Command command, const Options& options);

  // Starts a process that goes on while others run.
  Status start_background(sandbox::Command command);

  // Whether nothing runs in the background and nobody holds an output descriptor.
  bool are_idle() const { return background_.empty() && outputs_.empty(); }

  // Ends all: background processes by SIGTERM and grace, everything else at once. Returns when they are gone and what
  // they wrote was handed on.
  Status end_all();

 private:
  using Clock = std::chrono::steady_clock;
  struct Output {
    FileDescriptor pipe;
    Stream stream;
    bool foreground;
    std::string* kept;
  };

  Result<sandbox::ProcessId> start(sandbox::Command& command, bool foreground, std::string* kept);
  // Waits until something happens, `timeout` at most, and deals with it. Whether the foreground process wrote
  // something.
  bool pump(std::chrono::milliseconds timeout);
  bool read_from(Output& output);
  bool foreground_is_open() const;
  // Acts on what the task was asked since the state was `known`.
  void heed_stop(Stop known);
  bool in_grace() const { return asked_ && !killed_ && Clock::now() < *asked_ + kGrace; }

  sandbox::Sandbox& sandbox_;
  TaskServices& services_;
  StopSignal& stop_;
  ControlServer& control_;
  std::vector<Output> outputs_;
  std::vector<sandbox::ProcessId> background_;
  std::optional<Clock::time_point> asked_;  // when every process was sent SIGTERM
  bool killed_ = false;                     // every process was sent SIGKILL
  std::vector<pollfd> waiting_;             // of pump(): kept to be used again
};

}  // namespace kist::task
