#include "store/pull.hpp"

#include <algorithm>
#include <chrono>
#include <map>

#include <fmt/format.h>

#include "base/terminal.hpp"
#include "store/frame.hpp"
#include "store/parallel.hpp"
#include "store/pending.hpp"
#include "store/places.hpp"
#include "store/tree.hpp"

namespace kist::store {
namespace {

constexpr std::size_t kRequestsAtOnce = 8;            // requests
constexpr std::size_t kMostToFetch = 1 << 17;         // gathered before they are fetched: 12 MiB
constexpr std::uint64_t kSmallGap = 128 << 10;        // read through rather than asked around
constexpr std::uint64_t kLargestRange = 16ULL << 20;  // of one request
constexpr std::uint64_t kStep = 64ULL << 20;          // committed at once
constexpr std::uint64_t kSmallStep = 4ULL << 20;      // where the line is slow: after as many bytes,
constexpr auto kStepTime = std::chrono::seconds(4);   // and so much time

// One request: the bytes [begin, end) of a pack, for places [first, last).
struct PackRange {
  std::size_t first = 0;
  std::size_t last = 0;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

class Puller {
 public:
  Puller(const PullContext& context, Transfer& transfer)
      : context_(context),
        transfer_(transfer),
        pending_(context.directory, context.lease, context.chunks, Codec::zstd) {}

  Status pull(const Digest& record) {
    KIST_TRY(context_.index.refresh());
    KIST_TRY(fetch({record}));
    KIST_TRY_ASSIGN(auto run, read_run_record(context_.chunks, record));
    const std::vector<ArtifactId> artifacts = artifacts_of(run);
    KIST_TRY(fetch_roots(artifacts));
    KIST_TRY(fetch_blocks(artifacts));
    KIST_TRY(fetch_lists(artifacts));
    return fetch_content(artifacts);
  }

 private:
  // --- What is wanted, level by level -------------------------------------------------------------------------------

  Status fetch_roots(const std::vector<ArtifactId>& artifacts) {
    std::vector<Digest> roots;
    for (const ArtifactId& id : artifacts) {
      roots.push_back(id.tree);
      roots.push_back(id.times);
    }
    return fetch(std::move(roots));
  }

  Status fetch_blocks(const std::vector<ArtifactId>& artifacts) {
    std::vector<Digest> blocks;
    Bytes bytes;
    for (const ArtifactId& id : artifacts) {
      KIST_TRY(context_.chunks.read(id.tree, bytes));
      KIST_TRY_ASSIGN(auto tree, parse_tree_root(std::exchange(bytes, {})));
      for (const TreeRoot::Block& block : tree.blocks) blocks.push_back(block.id);
      KIST_TRY(context_.chunks.read(id.times, bytes));
      KIST_TRY_ASSIGN(auto times, parse_times_root(bytes));
      const std::vector<Digest> parts = times.parts();
      blocks.insert(blocks.end(), parts.begin(), parts.end());
      if (blocks.size() >= kMostToFetch) KIST_TRY(fetch(std::exchange(blocks, {})));
    }
    return fetch(std::move(blocks));
  }

  struct List {
    Digest id;
    unsigned depth;
  };

  Status fetch_lists(const std::vector<ArtifactId>& artifacts) {
    std::vector<List> lists;
    KIST_TRY(each_file(artifacts, [&](const FileContent& content) -> Status {
      if (content.depth > 0) lists.push_back({content.root, content.depth});
      return lists.size() < kMostToFetch ? Status() : fetch_below(std::exchange(lists, {}));
    }));
    return fetch_below(std::move(lists));
  }

  // Brings lists, and all pieces below them.
  Status fetch_below(std::vector<List> lists) {
    while (!lists.empty()) {
      std::vector<Digest> ids;
      for (const List& list : lists) ids.push_back(list.id);
      KIST_TRY(fetch(std::move(ids)));
      std::vector<List> below;
      Bytes bytes;
      for (const List& list : lists) {
        if (list.depth == 1) continue;
        KIST_TRY(context_.chunks.read(list.id, bytes));
        ByteReader reader(bytes);
        while (reader.left() > 0) {
          below.push_back({reader.digest(), list.depth - 1});
          reader.u64();
        }
        if (!reader.good())
          return fail(ErrorKind::corrupt, fmt::format("the chunk list {} is damaged", list.id.to_string()));
        if (below.size() >= kMostToFetch) KIST_TRY(fetch_below(std::exchange(below, {})));
      }
      lists = std::move(below);
    }
    return {};
  }

  Status fetch_content(const std::vector<ArtifactId>& artifacts) {
    std::vector<Digest> wanted;
    KIST_TRY(each_file(artifacts, [&](const FileContent& content) {
      return each_chunk(content, context_.chunks, 0, UINT64_MAX,
                        [&](const ChunkRecord& chunk, std::uint64_t) -> Status {
                          if (context_.chunks.contains(*here_, chunk.id)) return {};
                          wanted.push_back(chunk.id);
                          return wanted.size() < kMostToFetch ? Status() : fetch(std::exchange(wanted, {}));
                        });
    }));
    return fetch(std::move(wanted));
  }

  Status each_file(const std::vector<ArtifactId>& artifacts, const std::function<Status(const FileContent&)>& each) {
    for (const ArtifactId& id : artifacts) {
      KIST_TRY_ASSIGN(auto tree, TreeCursor::open(context_.chunks, id));
      while (true) {
        KIST_TRY_ASSIGN(const TreeEntry* entry, tree.next());
        if (entry == nullptr) break;
        if (entry->type == EntryType::file) KIST_TRY(each(entry->content));
      }
    }
    return {};
  }

  // --- Fetching -----------------------------------------------------------------------------------------------------

  // Brings those that are not here, and commits them. What is damaged in one pack is looked for in others.
  Status fetch(std::vector<Digest> ids) {
    std::ranges::sort(ids);
    auto repeated = std::ranges::unique(ids);
    ids.erase(repeated.begin(), repeated.end());
    std::erase_if(ids, [&](const Digest& id) { return context_.chunks.contains(*here_, id); });
    damaged_.clear();
    while (!ids.empty()) {
      KIST_TRY(locate(ids));
      KIST_TRY(check_room());
      const std::vector<PackRange> ranges = plan();
      for (const PackRange& range : ranges) transfer_.total += range.end - range.begin;
      ids.clear();
      KIST_TRY(in_parallel(kRequestsAtOnce, ranges.size(), [&](std::size_t i) { return fetch(ranges[i], ids); }));
      KIST_TRY(commit());
    }
    return {};
  }

  Status locate(const std::vector<Digest>& ids) {
    places_.clear();
    auto set = context_.index.set();
    bool fresh = false;
    for (const Digest& id : ids) {
      const auto damaged = damaged_.find(id);
      const std::span<const Digest> without =
          damaged == damaged_.end() ? std::span<const Digest>() : damaged->second.packs;
      auto found = RemoteIndex::find(*set, id, without);
      if (!found && !fresh) {
        // Somebody may have pushed or merged since the index was read.
        KIST_TRY(context_.index.refresh());
        set = context_.index.set();
        fresh = true;
        found = RemoteIndex::find(*set, id, without);
      }
      if (!found && damaged != damaged_.end())
        return fail(ErrorKind::corrupt,
                    fmt::format("{}/{}, byte {}: {}. Remove this object there, and push again from where the runs are",
                                context_.objects.address(), pack_object(damaged->second.packs.front()),
                                damaged->second.offset, damaged->second.what));
      if (!found)
        return fail(ErrorKind::corrupt,
                    fmt::format("{} lacks {}, which is part of the run: {}", context_.objects.address(), id.to_string(),
                                context_.index.what_to_do()));
      const IndexRecord& record = found->record;
      if (record.stored > record.length || record.length > kLargestObject ||
          record.offset + record.stored > found->container.size)
        return fail(ErrorKind::corrupt, fmt::format("the index of {} gives an impossible place for {}",
                                                    context_.objects.address(), id.to_string()));
      places_.add(found->container, record);
    }
    places_.sort();
    return {};
  }

  // What is wanted next must go into the room with what was wanted before.
  Status check_room() {
    for (std::size_t i = 0; i < places_.size(); ++i) wanted_ += places_[i].stored;
    if (wanted_ <= transfer_.room) return {};
    return fail(ErrorKind::no_space,
                fmt::format("{} at least are to be fetched, and {} are left of the quota: remove runs (`kist rm`) and "
                            "collect what they held (`kist gc`), or raise the quota",
                            human_size(wanted_), human_size(transfer_.room)));
  }

  std::vector<PackRange> plan() const {
    std::vector<PackRange> ranges;
    for (std::size_t begin = 0; begin < places_.size();) {
      const auto [end, bytes] = places_.of_one_container(begin);
      // Where most of a pack is wanted no gap is worth a request.
      const std::uint64_t size = places_.container(places_[begin]).size;
      const std::uint64_t gap = bytes > size / 10 * 6 ? size : kSmallGap;
      for (std::size_t i = begin; i < end; ++i) {
        const ChunkPlace& place = places_[i];
        const bool near = i > begin && place.offset - ranges.back().end <= gap &&
                          place.offset + place.stored - ranges.back().begin <= kLargestRange;
        if (!near) ranges.push_back({i, i, place.offset, place.offset});
        ranges.back().last = i + 1;
        ranges.back().end = place.offset + place.stored;
      }
      begin = end;
    }
    return ranges;
  }

  // What cannot be had from this range is added to `damaged`.
  Status fetch(const PackRange& range, std::vector<Digest>& damaged) {
    const Container& container = places_.container(places_[range.first]);
    const std::string object = pack_object(container.name);
    auto note = [&](const ChunkPlace& place, std::string_view what) {
      std::lock_guard lock(mutex_);
      auto [known, first] = damaged_.try_emplace(place.id, Damaged{{}, place.offset, what});
      known->second.packs.push_back(container.name);
      damaged.push_back(place.id);
    };
    std::size_t next = range.first;
    std::uint64_t at = range.begin;
    Bytes frame;
    Bytes chunk;
    auto take = [&](ByteSpan bytes) -> Status {
      transfer_.done += bytes.size();
      while (!bytes.empty() && next < range.last) {
        const ChunkPlace& place = places_[next];
        if (at < place.offset) {
          const auto skipped = std::min<std::uint64_t>(place.offset - at, bytes.size());
          bytes = bytes.subspan(static_cast<std::size_t>(skipped));
          at += skipped;
          continue;
        }
        const std::size_t taken = std::min(bytes.size(), place.stored - frame.size());
        frame.insert(frame.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
        bytes = bytes.subspan(taken);
        at += taken;
        if (frame.size() < place.stored) return {};
        if (is_whole(place, frame, chunk))
          KIST_TRY(store(place, frame));
        else
          note(place, "the bytes there are not the chunk that they should be");
        frame.clear();
        ++next;
      }
      at += bytes.size();
      return {};
    };
    auto got = context_.objects.get(object, take, range.begin, range.end - range.begin);
    if (!got && got.error().kind != ErrorKind::not_found) return std::unexpected(got.error());
    for (; next < range.last; ++next) note(places_[next], got ? "it ends too early" : "the object is not there");
    ++transfer_.objects;
    return {};
  }

  static bool is_whole(const ChunkPlace& place, const Bytes& frame, Bytes& chunk) {
    const bool compressed = place.stored < place.length;
    if (compressed && !decode_frame(frame, place.length, chunk)) return false;
    return sha256(compressed ? chunk : frame) == place.id;
  }

  Status store(const ChunkPlace& place, ByteSpan frame) {
    std::lock_guard lock(mutex_);
    KIST_TRY(pending_.add(Pending::NewChunk{place.id, frame, place.length}));
    uncommitted_ += frame.size();
    const bool is_slow = uncommitted_ >= kSmallStep && std::chrono::steady_clock::now() - published_ >= kStepTime;
    return uncommitted_ < kStep && !is_slow ? Status() : publish();
  }

  Status commit() {
    std::lock_guard lock(mutex_);
    KIST_TRY(publish());
    here_ = context_.chunks.index();
    return {};
  }

  Status publish() {
    KIST_TRY_ASSIGN(auto publication, pending_.take());
    KIST_TRY(context_.publisher.publish(publication));
    pending_.published();
    uncommitted_ = 0;
    published_ = std::chrono::steady_clock::now();
    return {};
  }

  const PullContext& context_;
  Transfer& transfer_;
  std::shared_ptr<const IndexSet> here_ = context_.chunks.index();
  ChunkPlaces places_;
  std::uint64_t wanted_ = 0;  // bytes, so far

  std::mutex mutex_;  // what follows, and what is damaged on one level
  struct Damaged {
    std::vector<Digest> packs;  // in which it is
    std::uint64_t offset = 0;   // in the first of them
    std::string_view what;
  };
  std::map<Digest, Damaged> damaged_;
  Pending pending_;
  std::uint64_t uncommitted_ = 0;
  std::chrono::steady_clock::time_point published_ = std::chrono::steady_clock::now();
};

}  // namespace

Status pull_record(const PullContext& context, const Digest& record, Transfer& transfer) {
  return Puller(context, transfer).pull(record);
}

}  // namespace kist::store
