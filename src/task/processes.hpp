// The processes of one task, in the roots of its containers: starts them, hands on what they write as it comes, serves
// the control sockets meanwhile, and ends them when the task is asked to stop.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <poll.h>

#include "base/file.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "sandbox/sandbox.hpp"
#include "task/control.hpp"
#include "task/pseudo_terminal.hpp"
#include "task/secrets.hpp"
#include "task/task.hpp"

namespace kist::task {

// Between SIGTERM and SIGKILL where nothing else is said.
inline constexpr std::chrono::seconds kGrace(10);
// How much of a standard output is kept as a result: its end.
inline constexpr std::size_t kLongestResult = 256 << 10;

struct Finished {
  sandbox::Ended ended;
  bool too_quiet = false;  // it was ended because it wrote nothing for too long
  bool overdue = false;    // it was ended at its deadline
  Time started;
  Time finished;
  std::string output;  // the end of its standard output, where it was wanted
};

// Used by one thread.
class Processes {
 public:
  using Clock = std::chrono::steady_clock;
  using Id = std::size_t;

  Processes(MaskedServices& services, StopSignal& stop) : services_(services), stop_(stop) {}

  // Serves this control socket from now on; it outlives the waiting.
  void serve(ControlServer& control) { controls_.push_back(&control); }

  struct Options {
    Stop known = Stop::none;  // what the task had been asked when it was decided to start it: that does not end it
    std::string label;        // its container, where its lines are to begin with that
    std::optional<std::chrono::seconds> no_output_timeout;
    std::optional<std::chrono::nanoseconds> deadline;
    std::chrono::seconds grace = kGrace;
    bool keep_output = false;  // the end of its standard output is wanted
    bool terminal = false;     // its streams are one terminal: all it shows is standard output
  };

  // Starts a process that is waited for. What it leaves running keeps its output descriptors and is listened to from
  // then on. Errors: as Sandbox::start.
  Result<Id> start(sandbox::Sandbox& sandbox, sandbox::Command command, const Options& options);
  // Starts one that goes on while others run.
  Result<Id> start_background(sandbox::Sandbox& sandbox, sandbox::Command command, const Options& options);

  // Until one that is waited for has ended, or that moment has come (nullopt).
  Result<std::optional<std::pair<Id, Finished>>> wait(std::optional<Clock::time_point> until = {});
  // Whether one in the background has ended.
  Result<bool> has_ended(Id background);
  // Those in the background that have ended since this was asked last, in the order they were started.
  Result<std::vector<std::pair<Id, sandbox::Ended>>> take_ended();

  // Whether nothing runs in the background and nobody holds an output descriptor.
  bool are_idle() const { return background_.empty() && outputs_.empty(); }

  // Ends all: background processes by SIGTERM and grace, everything else at once. Returns when they are gone and what
  // they wrote was handed on.
  Status end_all();

 private:
  struct Child {
    Id id = 0;
    sandbox::Sandbox* sandbox = nullptr;
    sandbox::ProcessId process = 0;
    Options options;
    Finished finished;
    bool has_ended = false;
    Clock::time_point began;
    Clock::time_point last_output;
    Clock::time_point last_look;
    std::optional<Clock::time_point> kill_at;  // of one that is ended for its own sake
    std::optional<Clock::time_point> drain_until;
  };
  struct Output {
    FileDescriptor pipe;
    Stream stream;
    std::string label;
    std::optional<Id> child;           // while that is waited for
    std::optional<LineEnds> terminal;  // where it is one
  };

  Result<Child> begin(sandbox::Sandbox& sandbox, sandbox::Command& command, const Options& options, bool waited_for);
  // Waits until something happens, `timeout` at most, and deals with it.
  void pump(std::chrono::milliseconds timeout);
  void read_from(Output& output);
  void take_in(const Output& output, std::string_view bytes);
  // Whether it is over with a process.
  Result<bool> look_at(Child& child);
  Status end_for(Child& child, bool& why);
  bool is_open(Id child) const;
  // Of the first of those that run together: what was asked of those before them is over.
  void begin_anew(const Options& options);
  // Acts on what the task was asked beyond what was known.
  void heed_stop();
  void signal_all(int number);
  bool in_grace() const { return asked_ && !killed_ && Clock::now() < *asked_ + grace_; }

  MaskedServices& services_;
  StopSignal& stop_;
  std::vector<ControlServer*> controls_;
  std::vector<sandbox::Sandbox*> sandboxes_;  // those that processes were started in
  std::vector<Output> outputs_;
  std::deque<Child> children_;     // waited for
  std::vector<Child> background_;  // not known to have ended
  Id last_ = 0;
  Stop known_ = Stop::none;                 // what was asked before the children were to start
  std::chrono::seconds grace_{kGrace};      // the longest of theirs
  std::optional<Clock::time_point> asked_;  // when every process was sent SIGTERM
  bool killed_ = false;                     // every process was sent SIGKILL
  std::vector<pollfd> waiting_;             // of pump(): kept to be used again
};

}  // namespace kist::task
