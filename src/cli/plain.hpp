// Artifacts as plain objects of a bucket, under the keys and in the archives that the run's own system gives them, for
// programs that know nothing of kist. Nothing is shared between runs, and nothing comes back: that is what remotes are
// for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/house.hpp"
#include "cli/remotes.hpp"
#include "model/address.hpp"
#include "model/record.hpp"

namespace kist::cli {

// The key of an artifact below the prefix; what is in a directory that is not archived follows it after a slash.
//   Argo      RUN/POD/FILE, the default keyFormat: NAME.tgz, NAME.zip, or the last part of the path
//   CircleCI  output/job/JOB/artifacts/0/DESTINATION
//   dstack    artifacts/PROJECT/JOB/PATH
std::string plain_key(const model::RunRecord& run, const model::AddressedArtifact& artifact);

struct Published {
  std::uint64_t objects = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> left_out;  // links, by key
};

// Puts all artifacts of a run, each object whole or not at all; those that are there are replaced. Errors: those of the
// bucket, invalid (not a bucket).
Result<Published> publish_plain(House& house, const NamedRemote& bucket, const model::RunRecord& run);

}  // namespace kist::cli
