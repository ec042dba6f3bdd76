#include "store/compare.hpp"

namespace kist::store {
namespace {

Difference changed(std::string path, const TreeEntry& before, const TreeEntry& after) {
  Difference difference{.path = std::move(path), .before = &before, .after = &after};
  difference.type = before.type != after.type;
  difference.mode = before.mode != after.mode && !difference.type;
  difference.content =
      !difference.type && before.type == EntryType::file && !same_content(before.content, after.content);
  difference.target = !difference.type && before.link_target != after.link_target;
  return difference;
}

}  // namespace

bool same_content(const FileContent& a, const FileContent& b) {
  if (a.size != b.size || a.depth != b.depth) return false;
  return a.depth > 0 ? a.outside_id == b.outside_id : a.chunks == b.chunks;
}

Status compare(const Place& before, const Place& after, const std::function<Result<bool>(const Difference&)>& each) {
  KIST_TRY_ASSIGN(auto old_walk, PlaceWalk::open(before));
  KIST_TRY_ASSIGN(auto new_walk, PlaceWalk::open(after));
  KIST_TRY(old_walk.advance());
  KIST_TRY(new_walk.advance());
  const bool same_place = before.path == after.path;
  if (same_place && before.id.tree == after.id.tree) return {};
  while (old_walk.entry() != nullptr || new_walk.entry() != nullptr) {
    const TreeEntry* old_entry = old_walk.entry();
    const TreeEntry* new_entry = new_walk.entry();
    const int order = old_entry == nullptr ? 1 : new_entry == nullptr ? -1 : old_walk.path().compare(new_walk.path());
    bool more = true;
    if (order < 0) {
      KIST_TRY_ASSIGN(more, each({.path = std::string(old_walk.path()), .before = old_entry, .after = nullptr}));
    } else if (order > 0) {
      KIST_TRY_ASSIGN(more, each({.path = std::string(new_walk.path()), .before = nullptr, .after = new_entry}));
    } else {
      const Difference difference = changed(std::string(old_walk.path()), *old_entry, *new_entry);
      if (difference.type || difference.mode || difference.content || difference.target) {
        KIST_TRY_ASSIGN(more, each(difference));
      }
      // Blocks hold whole paths, so they can only be the same where the places are.
      const bool inside = old_walk.is_inside() && new_walk.is_inside();
      if (same_place && (inside || before.path.empty())) KIST_TRY(old_walk.tree().skip_common(new_walk.tree()));
    }
    if (!more) return {};
    if (order <= 0) KIST_TRY(old_walk.advance());
    if (order >= 0) KIST_TRY(new_walk.advance());
  }
  return {};
}

}  // namespace kist::store
