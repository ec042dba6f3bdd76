// Where a task sends an artifact beside keeping it.
#pragma once

#include <string>

#include "model/record.hpp"

namespace kist::engine {

struct Sending {
  std::string artifact;  // its name
  model::SentArtifact to;
};

}  // namespace kist::engine
