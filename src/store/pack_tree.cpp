#include "store/pack_tree.hpp"

#include <fmt/format.h>

#include "base/utf8.hpp"

namespace kist::store {
namespace {

Status add(archive::Writer& writer, ChunkSource& chunks, const TreeEntry& entry, std::string path) {
  const archive::Header header{.path = std::move(path), .mode = entry.mode, .modified = entry.modified};
  switch (entry.type) {
    case EntryType::directory:
      return writer.add_directory(header);
    case EntryType::link:
      return writer.add_link(header, entry.link_target);
    case EntryType::file:
      break;
  }
  KIST_TRY(writer.add_file(header, entry.content.size));
  auto written = each_piece(chunks, entry.content, [&](ByteSpan bytes) { return writer.write(bytes); });
  if (!written && written.error().kind == ErrorKind::corrupt)
    return with_context(fmt::format("cannot read '{}'", printable(entry.path)), std::move(written).error());
  return written;
}

}  // namespace

Status pack_tree(const Place& place, const std::string& name, archive::Writer& writer) {
  return each_entry(place, [&](std::string_view path, const TreeEntry& entry) -> Result<bool> {
    if (path.empty() && name.empty()) {
      if (entry.type != EntryType::directory) return fail(ErrorKind::invalid, "a file needs a name in its archive");
      return true;
    }
    std::string full = name.empty() ? std::string(path) : path.empty() ? name : fmt::format("{}/{}", name, path);
    KIST_TRY(add(writer, place.chunks, entry, std::move(full)));
    return true;
  });
}

}  // namespace kist::store
