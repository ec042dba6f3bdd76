// Argo Workflows, as people, Hera and Onepanel write them: `kind: Workflow`, or a bare spec as Onepanel has it.
//
// A file goes through four rooms: documents (which workflow is meant), read (mappings by their tables, into a Spec),
// check (what Argo's lint finds wrong), lower (the Spec into the model). Wording and names are how Argo shows a run.
#pragma once

#include "model/dialect.hpp"

namespace kist::dialect::argo {

// The dialect; lives as long as the program. May be used by any thread.
const model::Dialect& dialect();

}  // namespace kist::dialect::argo
