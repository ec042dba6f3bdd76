// What a task fetches from locations outside, and sends there. Everything goes by way of the store: what was fetched is
// an artifact like others, and what is sent is durable here before.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/result.hpp"
#include "location/location.hpp"
#include "model/record.hpp"
#include "model/workflow.hpp"
#include "task/rooms.hpp"
#include "task/secrets.hpp"
#include "task/task.hpp"

namespace kist::task {

// Used by one thread. What it fetched is held in the store as long as it lives.
class Transfers {
 public:
  Transfers(const Tools& tools, MaskedServices& services, StopSignal& stop, TaskDirectory& directory)
      : tools_(tools), services_(services), stop_(stop), directory_(directory) {}

  // What the task had been asked when it was decided to go on: what it is asked beyond that breaks off what is fetched.
  // What is sent, only an abort breaks off: a stop keeps what was made.
  void go_on(Stop known) { known_ = known; }

  // Brings what lies there into the store. `name` and `path` are the input's. Errors: those of location::load; the
  // first words are "artifact NAME failed to load".
  Result<model::ArtifactRecord> fetch(const model::ExternalArtifact& source, const std::string& name,
                                      const std::string& path);
  // Sends a durable artifact there, archived as its record says. Errors name the artifact.
  Status send(const model::ArtifactRecord& artifact, const model::Location& to);

  // For whoever asks a location by itself. Errors: io.
  Result<location::Context> context();

 private:
  const Tools& tools_;
  MaskedServices& services_;
  StopSignal& stop_;
  TaskDirectory& directory_;
  std::vector<std::unique_ptr<store::Transaction>> fetched_;
  Stop known_ = Stop::none;
  int count_ = 0;
};

// A location that is a key of the home's default repository: the engine's matter, since the store is that repository.
bool is_repository_key(const model::Location& location);

}  // namespace kist::task
