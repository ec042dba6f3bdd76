// Tags: names for a run's record. The catalog knows them; the store has a reference for each whose run has a record, so
// that what they keep is kept even where the catalog is lost.
#pragma once

#include <span>
#include <string>

#include "engine/engine.hpp"

namespace kist::engine {

// Creates a tag; with `replace`, moves it. Errors: conflict, not_found (the run).
Status set_tag(const Parts& parts, std::string_view name, std::string_view run, bool replace);
// Errors: not_found.
Status remove_tag(const Parts& parts, std::string_view name);
// Makes the store's references say what the catalog says: of these tags.
Status refer_tags(const Parts& parts, std::span<const std::string> names);
// Of all, where they do not yet. A reference without a tag in the catalog stays: the catalog may be the one that lost
// it.
Status refer_all_tags(const Parts& parts);

}  // namespace kist::engine
