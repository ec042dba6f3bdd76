// The table of tags, as the catalog keeps it.
#pragma once

#include <string_view>
#include <vector>

#include "catalog/catalog.hpp"
#include "catalog/sqlite.hpp"

namespace kist::catalog {

// Creates a tag of a run that is here; with `replace`, moves it. Errors: conflict, not_found (the run), invalid.
Status write_tag(Database& database, std::string_view name, std::string_view run, Time created, bool replace);
// Creates or moves a tag of a run that need not be here. Errors: invalid.
Status write_foreign_tag(Database& database, const Tag& tag);
// Errors: not_found.
Result<Tag> read_tag(Database& database, std::string_view name);
Result<std::vector<Tag>> list_tags(Database& database);  // newest first
// Errors: not_found.
Status delete_tag(Database& database, std::string_view name);

// The tags of a run get its record; a run that is gone leaves its tags behind, and a later one of its name is another.
Status give_record_to_tags(Database& database, std::string_view run, std::string_view record);
Status part_tags_from_run(Database& database, std::string_view run);

}  // namespace kist::catalog
