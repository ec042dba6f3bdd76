// One walk over the artifacts of all groups. For each chunk it is remembered which group needs it, until a second one
// does: 4 bytes a chunk, and a bit for what the group at hand has.
#include "store/usage.hpp"

#include <array>
#include <set>

#include "store/reach.hpp"
#include "store/rows.hpp"

namespace kist::store {
namespace {

constexpr std::uint32_t kNobody = UINT32_MAX;
constexpr std::uint32_t kSeveral = UINT32_MAX - 1;

class Count final : public ReachVisitor {
 public:
  explicit Count(Rows& rows) : rows_(rows), owners_(rows.count(), kNobody), seen_(rows.count()) {}

  void begin(const std::string& name) {
    costs_.push_back({.name = name});
    seen_.clear();
    artifacts_.clear();
    for (RowBits& bits : entered_) bits.clear();
  }

  Status add(ChunkSource& source, const Root& root) {
    if (const auto* object = std::get_if<Digest>(&root.what)) {
      count(*object);
      return {};
    }
    const auto& id = std::get<ArtifactId>(root.what);
    if (!artifacts_.insert(id).second) return {};
    return reach(source, id, *this);
  }

  Result<bool> enter(const Digest& id, Kind kind, unsigned depth) override {
    count(id);
    // Sizes are counted by entry, so trees are walked anew; lists of chunks below them only once.
    if (kind != Kind::list) return true;
    auto row = rows_.find(id);
    return !row || entered_[std::min<std::size_t>(depth, entered_.size()) - 1].set(*row);
  }
  Status leaf(const Digest& id, std::uint32_t, std::string_view, bool) override {
    count(id);
    return {};
  }
  Status broken(const Digest&, std::string_view, const Error&) override { return {}; }
  void entry(const TreeEntry& entry) override {
    if (entry.type != EntryType::file) return;
    ++costs_.back().files;
    costs_.back().apparent += entry.content.size;
  }

  std::vector<Cost> finish() { return std::move(costs_); }

 private:
  void count(const Digest& id) {
    auto number = rows_.find(id);
    if (!number || !seen_.set(*number)) return;
    const std::uint64_t stored = rows_.row(*number).record.stored;
    costs_.back().stored += stored;
    std::uint32_t& owner = owners_[*number];
    if (owner == kNobody) {
      owner = static_cast<std::uint32_t>(costs_.size() - 1);
      costs_.back().unique += stored;
    } else if (owner != kSeveral) {
      costs_[owner].unique -= stored;
      owner = kSeveral;
    }
  }

  Rows& rows_;
  std::vector<std::uint32_t> owners_;
  RowBits seen_;  // by the group at hand
  std::array<RowBits, kDeepestList> entered_{RowBits(rows_.count()), RowBits(rows_.count()), RowBits(rows_.count()),
                                             RowBits(rows_.count())};
  std::set<ArtifactId> artifacts_;
  std::vector<Cost> costs_;
};

}  // namespace

Result<std::vector<Cost>> costs(const StoreDirectory& directory, Chunks& chunks, const Groups& groups) {
  Rows rows(directory, chunks.index());
  Count count(rows);
  auto counted = groups([&](const Group& group) -> Status {
    count.begin(group.name);
    for (const Root& root : group.roots) KIST_TRY(count.add(chunks, root));
    return {};
  });
  KIST_TRY(counted);
  return count.finish();
}

}  // namespace kist::store
