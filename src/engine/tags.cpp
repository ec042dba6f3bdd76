#include "engine/tags.hpp"

#include "engine/references.hpp"

namespace kist::engine {
Status set_tag(const Parts& parts, std::string_view name, std::string_view run, bool replace) {
  KIST_TRY(parts.catalog.set_tag(name, run, parts.clock(), replace));
  const std::string names[] = {std::string(name)};
  return refer_tags(parts, names);
}

Status remove_tag(const Parts& parts, std::string_view name) {
  KIST_TRY(parts.catalog.remove_tag(name));
  const std::string names[] = {std::string(name)};
  return refer_tags(parts, names);
}

Status refer_tags(const Parts& parts, std::span<const std::string> names) {
  for (const std::string& name : names) {
    auto tag = parts.catalog.tag(name);
    if (!tag && tag.error().kind != ErrorKind::not_found) return std::unexpected(tag.error());
    if (tag && tag->record) {
      KIST_TRY(refer(parts.store, "tags/" + name, *tag->record));
      continue;
    }
    auto removed = parts.store.remove_reference("tags/" + name);
    if (!removed && removed.error().kind != ErrorKind::not_found) return removed;
  }
  return {};
}

Status refer_all_tags(const Parts& parts) {
  KIST_TRY_ASSIGN(auto tags, parts.catalog.tags());
  for (const catalog::Tag& tag : tags)
    if (tag.record) KIST_TRY(refer(parts.store, "tags/" + tag.name, *tag.record));
  return {};
}

}  // namespace kist::engine
