#include "store/transaction.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "store/chunker.hpp"
#include "store/combine.hpp"
#include "store/frame.hpp"
#include "store/saver.hpp"
#include "store/tree.hpp"
#include "store/update.hpp"

namespace kist::store {
namespace {

class DiskTransaction final : public Transaction {
 public:
  DiskTransaction(const StoreDirectory& directory, Lease& lease, Lease::Hold hold, Chunks& chunks, Publisher& publisher,
                  bool attributes)
      : directory_(directory),
        lease_(lease),
        hold_(std::move(hold)),
        publisher_(publisher),
        pending_(directory, lease, chunks, Codec::lz4),
        attributes_(attributes) {}

  Result<Saved> save(const std::filesystem::path& source, const SaveOptions& options) override {
    KIST_TRY(usable());
    return save_tree(context(), source, options);
  }

  Result<Saved> save_text(std::string_view content, std::uint32_t mode, Time modified) override {
    KIST_TRY(usable());
    TreeEntry entry;
    entry.mode = static_cast<std::uint16_t>(mode & 07777);
    entry.modified = modified;
    ChunkListWriter list;
    for (ByteSpan rest = bytes_of(content); !rest.empty();) {
      std::size_t length = content.size() <= kSmallFile ? rest.size() : first_chunk(rest);
      KIST_TRY_ASSIGN(auto id, pending_.put(rest.first(length)));
      KIST_TRY(list.add({id, static_cast<std::uint32_t>(length)}, put()));
      rest = rest.subspan(length);
    }
    KIST_TRY_ASSIGN(entry.content, list.finish(put()));
    TreeWriter tree(put());
    KIST_TRY(tree.add(entry));
    return tree.finish();
  }

  Result<Saved> combine(std::span<const Part> parts) override {
    KIST_TRY(usable());
    return combine_trees(pending_, put(), parts);
  }

  Result<Updated> update(const std::optional<ArtifactId>& base, const std::filesystem::path& directory,
                         std::span<const Change> changes) override {
    KIST_TRY(usable());
    std::vector<Change> sorted(changes.begin(), changes.end());
    for (const Change& change : sorted)
      if (change.path.empty() || !is_clean_path(change.path))
        return fail(ErrorKind::invalid, fmt::format("'{}' is no path inside a directory", change.path));
    std::ranges::stable_sort(sorted, {}, &Change::path);
    const auto same = std::ranges::unique(sorted, {}, &Change::path);
    sorted.erase(same.begin(), same.end());
    Updated updated;
    KIST_TRY_ASSIGN(updated.saved, save_entries(context(), directory, sorted, updated.unsettled));
    if (!base) return updated;
    std::set<std::string_view> looked_at;
    for (const Change& change : sorted) looked_at.insert(looked_at.end(), change.path);
    for (const std::string& path : updated.unsettled) looked_at.erase(path);
    std::vector<std::string> notices = std::move(updated.saved.notices);
    KIST_TRY_ASSIGN(updated.saved, update_tree(pending_, put(), *base, updated.saved.id, looked_at));
    updated.saved.notices = std::move(notices);
    return updated;
  }

  Result<Digest> put_object(std::string_view bytes) override {
    KIST_TRY(usable());
    if (bytes.size() > kLargestObject)
      return fail(ErrorKind::unsupported, fmt::format("an object of {} bytes is too large, at most {} can be kept",
                                                      bytes.size(), kLargestObject));
    return pending_.put(bytes_of(bytes));
  }

  Status commit() override {
    KIST_TRY(usable());
    return publish();
  }

 private:
  // What a failed publication leaves behind cannot be told from what it did, so nothing more is built on it.
  Status usable() const { return failed_ ? Status(std::unexpected(*failed_)) : Status(); }

  Status publish() {
    auto published = [&]() -> Status {
      KIST_TRY_ASSIGN(auto publication, pending_.take());
      KIST_TRY(publisher_.publish(publication));
      pending_.published();
      return {};
    }();
    if (!published) failed_ = published.error();
    return published;
  }

  SaveContext context() {
    return {directory_, lease_, pending_, [this] { return publish(); }, attributes_};
  }

  Put put() {
    return [this](ByteSpan bytes) { return pending_.put(bytes); };
  }

  const StoreDirectory& directory_;
  Lease& lease_;
  Lease::Hold hold_;
  Publisher& publisher_;
  Pending pending_;
  const bool attributes_;
  std::optional<Error> failed_;
};

}  // namespace

Result<std::unique_ptr<Transaction>> begin_transaction(const StoreDirectory& directory, Lease& lease, Chunks& chunks,
                                                       Publisher& publisher, bool attributes) {
  // First the hold, then the look at the index: what is found was there while it was held.
  KIST_TRY_ASSIGN(auto hold, lease.hold());
  KIST_TRY(chunks.refresh());
  return std::make_unique<DiskTransaction>(directory, lease, std::move(hold), chunks, publisher, attributes);
}

}  // namespace kist::store
