#include "store/pack_tree.hpp"

#include <fmt/format.h>

#include "base/utf8.hpp"
#include "store/hard_links.hpp"

namespace kist::store {
namespace {

// `same_as`: the path in the archive of what is the same file; empty: nothing is.
Status add(archive::Writer& writer, ChunkSource& chunks, const TreeEntry& entry, std::string path,
           const std::string& same_as) {
  archive::Header header{.path = std::move(path), .mode = entry.mode, .modified = entry.modified, .attributes = {}};
  for (const auto& [name, value] : entry.extra.attributes) header.attributes.emplace_back(name, value);
  switch (entry.type) {
    case EntryType::directory:
      return writer.add_directory(header);
    case EntryType::link:
      return writer.add_link(header, entry.link_target);
    case EntryType::file:
      break;
  }
  if (!same_as.empty()) return writer.add_hard_link(header, same_as);
  KIST_TRY(writer.add_file(header, entry.content.size));
  auto written = each_piece(chunks, entry.content, [&](ByteSpan bytes) { return writer.write(bytes); });
  if (!written && written.error().kind == ErrorKind::corrupt)
    return with_context(fmt::format("cannot read '{}'", printable(entry.path)), std::move(written).error());
  return written;
}

}  // namespace

Status pack_tree(const Place& place, const std::string& name, archive::Writer& writer) {
  auto full = [&](std::string_view path) {
    return name.empty() ? std::string(path) : path.empty() ? name : fmt::format("{}/{}", name, path);
  };
  LinkedEntries linked(place.chunks, place.id);
  return each_entry(place, [&](std::string_view path, const TreeEntry& entry) -> Result<bool> {
    if (path.empty() && name.empty()) {
      if (entry.type != EntryType::directory) return fail(ErrorKind::invalid, "a file needs a name in its archive");
      return true;
    }
    std::string same_as;
    if (!path.empty() && writer.has_hard_links()) {
      KIST_TRY_ASSIGN(const TreeEntry* same, linked.before(entry, place.path));
      if (same != nullptr) same_as = full(std::string_view(same->path).substr(entry.path.size() - path.size()));
    }
    KIST_TRY(add(writer, place.chunks, entry, full(path), same_as));
    return true;
  });
}

}  // namespace kist::store
