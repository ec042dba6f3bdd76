// What the files of a request refer to: it comes from further files that were given, from what was applied to this
// home, and else from the other YAML files beside them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "catalog/documents.hpp"
#include "model/dialect.hpp"
#include "model/record.hpp"

namespace kist::cli {

// Fills request.library, and takes values of secrets out of its files. Returns what is to be said: files that were used
// without being named. `documents` may be nullptr: no home is there to be asked.
Result<std::vector<std::string>> supply(model::RunRequest& request, const model::Dialect& dialect,
                                        const std::vector<model::SourceText>& given,
                                        const catalog::Documents* documents);

// The same for a run that a task of another one asks for: from that one's files, from what was applied to this home,
// and else from the YAML files beside that one's.
Status supply_for(model::RunRequest& request, const model::Dialect& dialect, const model::RunRequest& asking,
                  const catalog::Documents& documents);

}  // namespace kist::cli
