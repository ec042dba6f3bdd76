// The artifacts of all finished runs as one directory of files, for a mount that stays while runs come and go.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/context.hpp"
#include "model/address.hpp"
#include "mount/files.hpp"

namespace kist::cli {

// How runs are laid out below the mount.
enum class Layout {
  by_run,  // RUN/ADDRESS/…
  dstack,  // REPOSITORY/JOB/PATH/…, as dstack kept them: the project's name, "RUN,WORKFLOW,0", the artifact's path
};

// Where an artifact stands: a clean path.
std::string place_in(Layout layout, const model::RunRecord& run, const model::AddressedArtifact& artifact);

// Looks which runs there are, at most once a second, when a mount is looked into. Thread-safe.
class AllRuns {
 public:
  // All must outlive it.
  AllRuns(House& house, Layout layout) : house_(house), layout_(layout) {}

  // Shows what there is now. Errors: those of the catalog; a run whose record cannot be read is left out.
  Status refresh(mount::Files& files);
  // The same, unless that was a moment ago or somebody is at it.
  void refresh_if_due(mount::Files& files);

 private:
  Result<std::vector<mount::Shown>> shown_of(const catalog::RunSummary& run);

  House& house_;
  Layout layout_;
  std::mutex mutex_;  // what follows, and the house
  Time last_;
  // By the names of runs: the record that was read, and what it shows.
  struct Known {
    Digest record;
    std::vector<mount::Shown> shown;
  };
  std::map<std::string, Known> known_;
};

// Under dstack's name: mounts ~/.dstack/artifacts, where that person has a ~/.dstack and nothing of old stands there,
// unless it is mounted already. What fails is not said: it is a convenience.
void keep_dstack_artifacts(const Context& context);

}  // namespace kist::cli
