// RUN and :TAG on the command line: what they name.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cli/house.hpp"
#include "model/address.hpp"
#include "model/record.hpp"

namespace kist::cli {

// The name of a run. A unique prefix will do where nothing is destroyed. Errors: not_found, invalid (several begin so).
enum class Naming { exact, prefix };
Result<std::string> find_run(House& house, std::string_view word, Naming naming);

// The record behind RUN or :TAG, as it is now. ":TAG" is a tag; a word without the colon is a run, else a tag, else the
// only run that begins so. A tag leads to its artifacts when the run is removed. Errors: not_found, invalid, corrupt.
Result<model::RunRecord> find_record(House& house, std::string_view word);

// "RUN", ":TAG", or one of these and a path behind a slash: "RUN/ARTIFACT/FILE". Errors: those of find_record().
struct Located {
  model::RunRecord run;
  std::string path;  // empty: all artifacts
};
Result<Located> locate(House& house, std::string_view word);

// A tag's name as typed, with its colon or without. Errors: invalid (a name that could not be addressed).
Result<std::string> tag_name(std::string_view word);

// The artifact that a path leads to in a record. Errors: not_found, invalid; the text lists what there is.
Result<model::Resolved> find_artifact(const model::RunRecord& run, const std::string& path);

}  // namespace kist::cli
