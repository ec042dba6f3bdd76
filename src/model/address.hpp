// How one artifact of a run is addressed, the same way in every listing, `cat`, `cp` and download:
// "[STEP/]ARTIFACT[/PATH]". The step is left out where the artifact's name is unambiguous in its run; where several
// nodes have a step of that name, more of the node's name is needed. Names may hold slashes (dstack's `dir2/dir22`,
// CircleCI's destinations).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/record.hpp"

namespace kist::model {

struct AddressedArtifact {
  std::string address;               // the shortest that is unambiguous
  const NodeRecord* node = nullptr;  // in the run it was made from, which must outlive this
  const ArtifactRecord* artifact = nullptr;
};

// Every output artifact of the run's tasks with its address, in the order of the nodes. Artifacts that a group merely
// hands on (the same name and content as a task's below it) are left out.
std::vector<AddressedArtifact> addresses(const RunRecord& run);

// The artifact a path leads to, and the rest of the path inside it. The short address and every longer form of it are
// understood. Errors: not_found (the text lists what there is), invalid (ambiguous: the text lists the candidates).
struct Resolved {
  AddressedArtifact artifact;
  std::string inside;
};
Result<Resolved> resolve(const RunRecord& run, std::string_view path);

}  // namespace kist::model
