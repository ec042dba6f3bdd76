// What a run record leads to: the artifacts it names, and the chunks they are made of.
#pragma once

#include <functional>
#include <vector>

#include "model/record.hpp"
#include "store/chunks.hpp"
#include "store/store.hpp"

namespace kist::store {

// Every artifact that a record names, each once: inputs, outputs, those of the runs it used, logs.
std::vector<ArtifactId> artifacts_of(const model::RunRecord& run);

// Calls `each` for every chunk of an artifact, roots and lists included, some perhaps several times. Reads trees, times
// and lists, but no content. Errors: not_found, corrupt; those of `each`.
Status each_reachable_chunk(ChunkSource& source, const ArtifactId& id,
                            const std::function<Status(const Digest&)>& each);

}  // namespace kist::store
