// Environment variables of a config and those that CircleCI sets itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dialect/circleci/config.hpp"
#include "model/workflow.hpp"

namespace kist::dialect::circleci {

using Variables = std::vector<model::EnvironmentVariable>;

// Appends what an `environment:` says: a mapping, a list of `K=V`, a list of mappings, or nothing. Values are what is
// written, digit for digit; nothing is expanded in them.
void read_environment(const Texts& texts, const yaml::Node& node, Variables& variables);

// Of several of one name the last, in its place.
Variables without_overridden(Variables variables);

struct BuiltIn {
  std::string job;
  int number = 1;                 // of the job in its workflow
  std::string project;            // absolute path
  std::string working_directory;  // as written
};

// CI, CIRCLECI, CIRCLE_JOB and so on, and BASH_ENV. What only a server knows (CIRCLE_BRANCH, CIRCLE_SHA1, …) is not
// set; the caller can give it.
Variables built_in_variables(const BuiltIn& values);

// The file every bash of a job reads first; a step that appends to it sets variables for the later steps.
inline constexpr std::string_view kBashEnv = "/var/tmp/.kist/bash_env";

}  // namespace kist::dialect::circleci
