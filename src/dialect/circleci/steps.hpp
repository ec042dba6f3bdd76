// The steps of a job as actions of a task.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dialect/circleci/config.hpp"
#include "model/workflow.hpp"

namespace kist::dialect::circleci {

// What steps take from their job.
struct StepDefaults {
  std::string container;           // the actions' container
  std::vector<std::string> shell;  // of `run`
};

// A step's failure does not end a job: later steps are run or left out by their `when`. Mistakes, and steps that are
// not supported yet, are noted.
std::vector<model::Action> read_steps(const Config& config, const Texts& texts, const yaml::Node& steps,
                                      const StepDefaults& defaults);

// `shell:` as argv: a text of words, or a list of them. Nothing where it cannot be read or is not for this machine;
// that is noted.
std::optional<std::vector<std::string>> read_shell(const Texts& texts, const yaml::Node& node);

// "10m", "1.5h", "1h30m", "90s"; rounded up to whole seconds.
std::optional<std::chrono::seconds> parse_duration(std::string_view text);

}  // namespace kist::dialect::circleci
