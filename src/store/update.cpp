#include "store/update.hpp"

#include <string>

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
  std::set<std::string, std::less<>> gone;  // what lies below them is too
  KIST_TRY_ASSIGN(const TreeEntry* before, old_entries.next());
  KIST_TRY_ASSIGN(const TreeEntry* now, new_entries.next());
  while (before != nullptr || now != nullptr) {
    bool is_new = now != nullptr && (before == nullptr || now->path <= before->path);
    if (!is_new) {
      if (looked_at.contains(before->path))
        gone.insert(before->path);
      else if (!lies_in_any(before->path, gone))
        KIST_TRY(tree.add(*before));
      KIST_TRY_ASSIGN(before, old_entries.next());
      continue;
    }
    if (before != nullptr && before->path == now->path) {
      if (now->type != EntryType::directory) gone.insert(before->path);
      KIST_TRY_ASSIGN(before, old_entries.next());
    }
    KIST_TRY(tree.add(*now));
    KIST_TRY_ASSIGN(now, new_entries.next());
  }
  return tree.finish();
}

}  // namespace kist::store
