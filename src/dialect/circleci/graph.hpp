// The jobs of a workflow and what each waits for.
#pragma once

#include <string>
#include <vector>

#include "dialect/circleci/config.hpp"
#include "model/workflow.hpp"

namespace kist::dialect::circleci {

// One job of a workflow.
struct JobEntry {
  std::string name;                 // unique in the workflow
  const yaml::Node* job = nullptr;  // of `jobs`; nullptr: it is not there, which was noted
  model::Dependency depends;
  model::Origin origin;
};

// The jobs in the order of the file. Unknown jobs and names, cycles, and what is not supported yet are noted.
std::vector<JobEntry> read_workflow(const Config& config, const Texts& texts, const yaml::Node& workflow);

}  // namespace kist::dialect::circleci
