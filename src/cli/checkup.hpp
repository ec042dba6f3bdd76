// What `kist doctor` looks at: what this machine lets kist do, and what would make it better.
#pragma once

#include <string>
#include <vector>

#include "cli/house.hpp"

namespace kist::cli {

struct Finding {
  enum class Status { ok, warning, problem };
  std::string name;
  Status status = Status::ok;
  std::string text;    // how it is
  std::string advice;  // what to do about it; empty where nothing is to be done
};

// Starts a launcher for a moment: call it before there are threads.
std::vector<Finding> check_up(House& house);

}  // namespace kist::cli
