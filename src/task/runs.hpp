// The Runs of a task: one to its end, several side by side as they wait for each other, and those in the background
// with their readiness. What fails goes into the verdict.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/workflow.hpp"
#include "task/containers.hpp"
#include "task/hold.hpp"
#include "task/processes.hpp"
#include "task/ready.hpp"
#include "task/roots.hpp"
#include "task/secrets.hpp"
#include "task/starters.hpp"
#include "task/task.hpp"
#include "task/verdict.hpp"

namespace kist::task {

// Used by one thread.
class Runs {
 public:
  struct Tools {
    const Document& document;
    const Containers& containers;
    Processes& processes;
    MaskedServices& services;
    StopSignal& stop;
    Verdict& verdict;
    // The root of an action's container, with its inputs in place; nullptr: it cannot be had, and the verdict says so.
    std::function<Root*(std::size_t action)> root;
    Starters* starters = nullptr;
  };
  explicit Runs(Tools tools);

  // Performs these Runs, by their actions: one, or all that go side by side. Returns when they have ended; one in the
  // background when it is ready. `known`: what the task had been asked when it was decided that they are to run; what
  // it is asked from then on, while a root is made for them too, ends them or keeps them from being started.
  void perform(const std::vector<std::size_t>& actions, Stop known);

  // When the work is done, and before what is left is ended: those in the background that have ended by themselves,
  // and whose end counts, have failed the task.
  void heed_background();

  // Whether the task's main process was ready as a daemon.
  bool was_ready() const { return was_ready_; }

 private:
  using Clock = Processes::Clock;
  // A Run under way.
  struct Member {
    enum class Stage { waiting, delayed, held, running, ended };
    std::size_t action = 0;
    const model::Run* run = nullptr;
    Stage stage = Stage::waiting;
    Root* root = nullptr;
    Processes::Id process = 0;
    sandbox::Command command;
    RunEnd end;
    int tries_left = 0;
    std::chrono::nanoseconds delay{};
    Clock::time_point next_start;
    Time since;
    std::uint64_t killed_before = 0;  // by the kernel for lack of memory, on all this machine
    std::string progress;
    std::optional<Hold> hold;
    bool was_held = false;             // before it began
    std::optional<Finished> held_end;  // it is held after it has ended
  };

  Result<Member> prepare(std::size_t action) const;
  void perform_background(Member& member);
  void perform_members(std::vector<Member>& members);
  // Starts what may start; what never may is omitted.
  void start_ready(std::vector<Member>& members);
  void start(Member& member);
  void take_end(Member& member, Finished finished);
  // False: it cannot be held, or need not be.
  bool hold(Member& member, Hold::When when);
  void release(Member& member);
  // Whether nothing more of the task runs in the container of an action.
  bool is_last_in_container(std::size_t action) const;
  void fail_start(Member& member, const Error& error);
  void stay_ready(Member& member);
  // Waits for the probe of a process; false: it will not be ready. An empty text: the task is stopped.
  Result<bool> wait_until_ready(const Member& member, const std::function<Result<bool>(Clock::time_point)>& pause);
  void look_at_progress(Member& member);
  std::optional<Clock::time_point> next_look(const std::vector<Member>& members) const;
  Result<sandbox::Command> make_command(std::size_t action, const model::Run& run, Root& root) const;
  // A connection to the starter of a command, where it has one.
  FileDescriptor starter_of(const Member& member) const;
  Processes::Options options_of(Member& member) const;
  std::string label_of(const model::Action& action) const;
  // A container's working directory is made when the first process misses it.
  template <typename Start>
  std::invoke_result_t<Start> start_in(Member& member, const Start& start) const;
  const model::Action& action_of(const Member& member) const { return tools_.document.task.actions[member.action]; }
  void say(std::string_view text) const;
  std::string describe(std::size_t action, std::string_view problem) const;

  bool is_stopping() const { return tools_.stop.get() > known_; }

  Tools tools_;
  Stop known_ = Stop::none;
  std::map<Processes::Id, std::size_t> counting_;  // those in the background whose end counts, and their actions
  bool has_main_ = false;                          // one of the Runs is the main one
  bool was_ready_ = false;
};

}  // namespace kist::task
