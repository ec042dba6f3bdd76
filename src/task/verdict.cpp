#include "task/verdict.hpp"

#include <algorithm>

namespace kist::task {

bool Verdict::wants(const model::When& when) const {
  switch (phase_) {
    case Phase::success:
      return when.success;
    case Phase::failure:
      return when.failure;
    case Phase::stopped:
      return when.stopped;
    case Phase::aborted:
      return when.aborted;
  }
  return false;
}

void Verdict::heed(Stop how) {
  if (how == Stop::abort)
    phase_ = Phase::aborted;
  else if (how == Stop::graceful)
    phase_ = std::max(phase_, Phase::stopped);
}

void Verdict::fail_kist(const std::string& problem) {
  add_problem(problem);
  if (phase_ != Phase::success) return;
  phase_ = Phase::failure;
  outcome.state = model::State::error;
}

void Verdict::fail_task(const std::string& problem) {
  add_problem(problem);
  if (phase_ != Phase::success) return;
  phase_ = Phase::failure;
  outcome.state = model::State::failed;
}

void Verdict::fail_process(const model::ProcessEnd& end) {
  if (!outcome.process) outcome.process = end;
  if (phase_ != Phase::success) return;
  phase_ = Phase::failure;
  outcome.state = model::State::failed;
}

void Verdict::add_problem(const std::string& problem) {
  std::string told = services_.hide(problem);
  if (std::ranges::find(outcome.problems, told) == outcome.problems.end()) outcome.problems.push_back(std::move(told));
}

}  // namespace kist::task
