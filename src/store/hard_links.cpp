#include "store/hard_links.hpp"

#include "store/compare.hpp"

namespace kist::store {
namespace {

constexpr std::size_t kMostFiles = 1 << 18;  // that are kept account of at once
constexpr std::size_t kBudget = 4 << 20;     // of bytes, and of entries, that are kept in memory

}  // namespace

std::optional<ManyNames> many_names(const struct stat& status) {
  if (!S_ISREG(status.st_mode) || status.st_nlink < 2) return std::nullopt;
  return ManyNames{status.st_dev, status.st_ino, status.st_nlink};
}

std::optional<std::uint64_t> SeenNames::take(const ManyNames& file, std::uint64_t number) {
  const auto found = seen_.find({file.device, file.inode});
  if (found == seen_.end()) {
    if (seen_.size() < kMostFiles) seen_.emplace(std::pair(file.device, file.inode), Seen{number, file.names - 1});
    return std::nullopt;
  }
  const std::uint64_t before = std::exchange(found->second.last, number);
  if (--found->second.left == 0) seen_.erase(found);
  return before;
}

std::optional<std::uint64_t> MergedLinks::take(std::size_t from, std::uint64_t number, const Extra& extra,
                                               std::optional<std::uint64_t> as) {
  if (!extra.shared) return std::nullopt;
  std::optional<std::uint64_t> before;
  if (extra.same_as) {
    if (const auto known = last_.extract({from, *extra.same_as})) before = known.mapped();
  }
  const auto latest = as ? as : before;
  if (latest && last_.size() < kMostFiles) last_.emplace(std::pair(from, number), *latest);
  return as ? before : std::nullopt;
}

LinkedEntries::LinkedEntries(ChunkSource& source, const ArtifactId& id)
    : id_(id), chunks_(source, kBudget), blocks_(kBudget) {}

Result<const TreeEntry*> LinkedEntries::before(const TreeEntry& entry, std::string_view prefix) {
  if (entry.type != EntryType::file || !entry.extra.same_as) return nullptr;
  if (!tree_) {
    KIST_TRY_ASSIGN(tree_, NumberedTree::open(chunks_, blocks_, id_));
  }
  KIST_TRY_ASSIGN(const TreeEntry* other, tree_->at(*entry.extra.same_as, pin_));
  if (other->type != EntryType::file || other->mode != entry.mode || !lies_in(other->path, prefix) ||
      !same_content(other->content, entry.content))
    return nullptr;
  KIST_TRY_ASSIGN(const Time modified, tree_->modified(*entry.extra.same_as));
  return modified == entry.modified ? other : nullptr;
}

}  // namespace kist::store
