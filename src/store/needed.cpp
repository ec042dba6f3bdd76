#include "store/needed.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace kist::store {
namespace {

constexpr std::size_t kMostRowless = 1 << 20;  // 50 MB; with more nothing can be told of them

}  // namespace

Needed::Needed(Chunks& chunks, Rows& rows)
    : chunks_(chunks),
      rows_(rows),
      needed_(rows.count()),
      per_container_(rows.containers().size()),
      inside_{RowBits(rows.count()), RowBits(rows.count()), RowBits(rows.count()), RowBits(rows.count()),
              RowBits(rows.count()), RowBits(rows.count()), RowBits(rows.count())} {}

Status Needed::take(const Root& root) {
  auto taken = [&]() -> Status {
    if (const auto* object = std::get_if<Digest>(&root.what)) return mark(*object);
    return reach(chunks_, std::get<ArtifactId>(root.what), *this);
  }();
  if (!taken)
    return with_context(
        fmt::format("cannot tell what {} needs, so nothing can be collected (`kist fsck` tells more)", root.name),
        taken.error());
  return {};
}

bool Needed::has(const Digest& id) const {
  auto row = rows_.find(id);
  return row && needed_.test(*row);
}

bool Needed::may_have(const Digest& id) const {
  return has(id) || rowless_.size() == kMostRowless || rowless_.contains(id);
}

Result<bool> Needed::enter(const Digest& id, Kind kind, unsigned depth) {
  KIST_TRY(mark(id));
  auto row = rows_.find(id);
  // What is newer than the rows cannot be remembered, only walked.
  if (!row) return true;
  std::size_t which = kind == Kind::list ? 2 + depth : static_cast<std::size_t>(kind);
  return inside_[std::min(which, inside_.size() - 1)].set(*row);
}

Status Needed::leaf(const Digest& id, std::uint32_t, std::string_view, bool) {
  return mark(id);
}

Status Needed::broken(const Digest&, std::string_view path, const Error& why) {
  return path.empty() ? std::unexpected(why) : with_context(fmt::format("'{}'", path), why);
}

Status Needed::mark(const Digest& id) {
  auto number = rows_.find(id);
  if (!number) {
    if (rowless_.size() < kMostRowless) rowless_.insert(id);
    return {};
  }
  if (!needed_.set(*number)) return {};
  auto row = rows_.row(*number);
  Sum& sum = per_container_[row.container];
  ++sum.chunks;
  sum.bytes += row.record.stored;
  return {};
}

}  // namespace kist::store
