#include "store/update.hpp"

#include <string>

#include "store/hard_links.hpp"

namespace kist::store {
namespace {

bool lies_in_any(std::string_view path, const std::set<std::string, std::less<>>& prefixes) {
  if (prefixes.empty()) return false;
  for (std::size_t end = path.rfind('/'); end != std::string_view::npos; end = path.rfind('/')) {
    path = path.substr(0, end);
    if (prefixes.contains(path)) return true;
  }
  return false;
}

}  // namespace

Result<Saved> update_tree(ChunkSource& source, const Put& put, const ArtifactId& base, const ArtifactId& fresh,
                          const std::set<std::string_view>& looked_at) {
  KIST_TRY_ASSIGN(auto old_entries, TreeCursor::open(source, base));
  KIST_TRY_ASSIGN(auto new_entries, TreeCursor::open(source, fresh));
  TreeWriter tree(put);
  MergedLinks links;
  // Takes an entry over, or leaves it out.
  auto take = [&](const TreeCursor& from, const TreeEntry& entry, bool taken) -> Status {
    const auto as = taken ? std::optional(tree.entries()) : std::nullopt;
    const auto same_as = links.take(&from == &old_entries ? 0 : 1, from.number(), entry.extra, as);
    if (!taken) return {};
    if (same_as == entry.extra.same_as) return tree.add(entry);
    TreeEntry changed = entry;
    changed.extra.same_as = same_as;
    return tree.add(changed);
  };
  std::set<std::string, std::less<>> gone;  // what lies below them is too
  KIST_TRY_ASSIGN(const TreeEntry* before, old_entries.next());
  KIST_TRY_ASSIGN(const TreeEntry* now, new_entries.next());
  while (before != nullptr || now != nullptr) {
    bool is_new = now != nullptr && (before == nullptr || now->path <= before->path);
    if (!is_new) {
      const bool is_gone = looked_at.contains(before->path);
      if (is_gone) gone.insert(before->path);
      KIST_TRY(take(old_entries, *before, !is_gone && !lies_in_any(before->path, gone)));
      KIST_TRY_ASSIGN(before, old_entries.next());
      continue;
    }
    if (before != nullptr && before->path == now->path) {
      if (now->type != EntryType::directory) gone.insert(before->path);
      KIST_TRY(take(old_entries, *before, false));
      KIST_TRY_ASSIGN(before, old_entries.next());
    }
    KIST_TRY(take(new_entries, *now, true));
    KIST_TRY_ASSIGN(now, new_entries.next());
  }
  return tree.finish();
}

}  // namespace kist::store
