#include "engine/tags.hpp"

#include "engine/references.hpp"

namespace kist::engine {
namespace {

// What the catalog has for a tag; nullopt: no such tag, or of a run without a record.
Result<std::optional<Digest>> record_of(catalog::Catalog& catalog, std::string_view name) {
  auto tag = catalog.tag(name);
  if (tag) return tag->record;
  if (tag.error().kind == ErrorKind::not_found) return std::nullopt;
  return std::unexpected(tag.error());
}

// Asks the catalog again afterwards: who moves a tag meanwhile may have written its reference before ours.
Status refer_tag(const Parts& parts, const std::string& name) {
  KIST_TRY_ASSIGN(auto record, record_of(parts.catalog, name));
  while (true) {
    if (record) {
      KIST_TRY(refer(parts.store, "tags/" + name, *record));
    } else if (auto removed = parts.store.remove_reference("tags/" + name);
               !removed && removed.error().kind != ErrorKind::not_found) {
      return removed;
    }
    KIST_TRY_ASSIGN(auto now, record_of(parts.catalog, name));
    if (now == record) return {};
    record = now;
  }
}

}  // namespace

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
  for (const std::string& name : names) KIST_TRY(refer_tag(parts, name));
  return {};
}

Status refer_all_tags(const Parts& parts) {
  KIST_TRY_ASSIGN(auto tags, parts.catalog.tags());
  for (const catalog::Tag& tag : tags)
    if (tag.record) KIST_TRY(refer_tag(parts, tag.name));
  return {};
}

}  // namespace kist::engine
