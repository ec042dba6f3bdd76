// How a task is doing: its phase decides which actions are performed, success until something fails; a stop and an
// abort come from outside. It only ever gets worse. How the task ended is told by what failed it first: a process
// (failed) or kist (error: an artifact missing, a path refused); what goes wrong afterwards is added to the problems
// and changes nothing.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "model/dialect.hpp"
#include "model/workflow.hpp"
#include "task/secrets.hpp"
#include "task/task.hpp"

namespace kist::task {

enum class Phase { success, failure, stopped, aborted };

class Verdict {
 public:
  explicit Verdict(MaskedServices& services) : services_(services) {}

  Outcome outcome;

  Phase phase() const { return phase_; }
  bool wants(const model::When& when) const;

  // Takes in what was asked from outside.
  void heed(Stop how);
  void fail_kist(const std::string& problem);
  // The task has failed, and this is why.
  void fail_task(const std::string& problem);
  void fail_process(const model::ProcessEnd& end);
  // One more thing to tell of a task that has failed, where that was not told before.
  void add_problem(const std::string& problem);

 private:
  MaskedServices& services_;
  Phase phase_ = Phase::success;
};

}  // namespace kist::task
