// A job as a task.
#pragma once

#include <string>

#include "dialect/circleci/config.hpp"
#include "model/workflow.hpp"

namespace kist::dialect::circleci {

// How a job comes to run.
struct JobUse {
  std::string name;       // of the job in its workflow: CIRCLE_JOB
  int number = 1;         // its place in the workflow, from 1
  bool implicit = false;  // there are no workflows
};

// Mistakes, and what is not supported yet, are noted; where there are errors the task is not to be used.
model::Task read_job(const Config& config, const Texts& texts, const yaml::Node& job, const JobUse& use,
                     const model::RunRequest& request);

}  // namespace kist::dialect::circleci
