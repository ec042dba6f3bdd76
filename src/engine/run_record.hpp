// The record of a run as the store keeps it once the run has ended.
#pragma once

#include "base/digest.hpp"
#include "base/result.hpp"
#include "model/record.hpp"

namespace kist::store {
class Store;
}

namespace kist::engine {

// Errors: not_found, corrupt, invalid (no such record, or one of a newer kist).
Result<model::RunRecord> read_run_record(store::Store& store, const Digest& digest);

// As it is kept and shown: parameters with secrets in them have lost their values.
model::RunRecord hide_secrets(model::RunRecord run);

}  // namespace kist::engine
