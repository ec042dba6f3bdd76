// What the store has to keep for a home: what its catalog and the store's references lead to.
#pragma once

#include <set>
#include <string>

#include "engine/engine.hpp"
#include "store/maintenance.hpp"

namespace kist::engine {

// What a record keeps: all artifacts it names, inputs and those of the runs it used too, so that a run can be gone on
// with, looked into and pushed as long as it is there.
void each_artifact(const model::RunRecord& run,
                   const std::function<void(const model::ArtifactRecord&, std::string)>& each);

// Names every root: records and artifacts of the store's references, of tags, of keys, and of runs that have not ended;
// as if the runs `without` were removed. Errors: corrupt (a record cannot be read, so what it keeps is not known), and
// those of `take`.
Status take_roots(const Parts& parts, const store::TakeRoot& take, const std::set<std::string>& without = {});

// The same for a check: what cannot be read is told to `problem` (the record's name and what is wrong), and the rest is
// gone through. `catalog` may be none: then what the references lead to.
Status take_readable_roots(store::Store& store, catalog::Catalog* catalog, const store::TakeRoot& take,
                           const std::function<void(const std::string& name, const Error& error)>& problem);

// The runs and removed runs' tags, each with what it keeps, newest first, and all keys as one ("keys"): what `kist du`
// counts.
Status take_groups(const Parts& parts, const store::TakeGroup& take);

}  // namespace kist::engine
