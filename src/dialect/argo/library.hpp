// Documents that are there for others: which of many a workflow needs, and each by itself, to be kept.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/dialect.hpp"
#include "model/record.hpp"

namespace kist::dialect::argo {

// model::Dialect::is_complete.
bool has_all(const model::RunRequest& request);

// model::Dialect::library_for.
std::vector<model::SourceText> find_library(const model::RunRequest& request,
                                            const std::vector<model::SourceText>& candidates, bool implied);

// Of documents that were written since the request was made, the config maps that it speaks of.
std::vector<model::SourceText> find_written_maps(const model::RunRequest& request,
                                                 const std::vector<model::SourceText>& written);

// model::Dialect::kept_documents.
Result<std::vector<model::Dialect::Kept>> split_kept(const model::SourceText& file);

// The text with the documents that are secrets made empty lines; a text that cannot be read as it is. Errors: invalid
// (which lines are a secret's cannot be told).
Result<std::string> blank_secrets(const model::SourceText& file);

}  // namespace kist::dialect::argo
