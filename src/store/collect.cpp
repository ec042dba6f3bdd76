#include "store/collect.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "base/system.hpp"
#include "store/container_table.hpp"
#include "store/file_time.hpp"
#include "store/index_upkeep.hpp"
#include "store/needed.hpp"
#include "store/rescue.hpp"
#include "store/rows.hpp"

namespace kist::store {
namespace {

// So many packs of less than so many bytes are put together: each commit makes one, and a store of many files is slow.
constexpr std::uint64_t kSmallPack = 1 << 20;
constexpr std::size_t kManySmallPacks = 64;

std::uint64_t on_disk(const struct stat& status) {
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

// The time that the file system would note now: the kernel's, which lags a little behind the clock.
Time file_clock() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &time);
  return from_timespec(time);
}

struct Found {
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::uint64_t disk = 0;  // with its table
  timespec modified{};
  Time changed;  // or linked, or named, for the last time
};

class Collector {
 public:
  Collector(const StoreParts& parts, const Roots& roots, const CollectOptions& options)
      : parts_(parts), directory_(parts.directory), chunks_(parts.chunks), roots_(roots), options_(options) {}

  Result<Collected> run() {
    KIST_TRY_ASSIGN(auto lock, FileLock::try_lock(directory_.root() / "gc.lock", FileLock::Kind::exclusive));
    if (!lock)
      return fail(ErrorKind::unavailable,
                  fmt::format("another collection of {} is going on", directory_.root().string()));
    KIST_TRY(load());
    KIST_TRY(choose());
    if (options_.dry_run) return estimate();
    KIST_TRY(condemn());
    KIST_TRY(repack());
    KIST_TRY(remove());
    KIST_TRY(collect_views());
    return std::move(report_);
  }

 private:
  struct Candidate {
    Container container;
    Found there;
    std::uint32_t number = Rows::kNowhere;
    bool repack = false;
    std::optional<Moment> since = {};
    Time when = {};
    bool due = false;
    bool gone = false;
    bool kept = false;  // not condemned any more
  };

  // The containers first, then the index, then the roots: what comes later than this is not judged.
  Status load() {
    KIST_TRY_ASSIGN(auto names, directory_.names("containers"));
    std::unordered_map<std::string, std::uint64_t> tables;
    for (const std::string& name : names) {
      std::string path = std::string(kContainers) + name;
      auto status = directory_.status(path);
      if (!status) continue;
      if (name.ends_with(kTableSuffix)) {
        tables.emplace(path.substr(0, path.size() - kTableSuffix.size()), on_disk(*status));
        continue;
      }
      found_.emplace(path, Found{status->st_ino, static_cast<std::uint64_t>(status->st_size), on_disk(*status),
                                 status->st_mtim, from_timespec(status->st_ctim)});
    }
    for (const auto& [path, disk] : tables)
      if (auto at = found_.find(path); at != found_.end()) at->second.disk += disk;

    KIST_TRY(chunks_.reload());
    KIST_TRY_ASSIGN(auto text, read_condemned(directory_));
    auto list = CondemnedList::parse(text);
    is_list_damaged_ = !list;
    if (list)
      for (const Condemned& item : list->items) before_.emplace(item.container.path(), item);
    rows_.emplace(directory_, chunks_.index());
    for (Rows::Known& known : rows_->containers()) known.avoided = before_.contains(known.container.path());
    needed_.emplace(chunks_, *rows_);
    return mark();
  }

  Status mark() {
    return roots_([&](const Root& root) { return needed_->take(root); });
  }

  // What is to go: containers of which nothing is needed, indexed or not; and those to be repacked.
  Status choose() {
    std::unordered_set<std::string> judged;
    std::vector<Candidate> small;
    const auto& known = rows_->containers();
    for (std::uint32_t i = 0; i < known.size(); ++i) {
      std::string path = known[i].container.path();
      auto there = found_.find(path);
      if (!known[i].stands) {
        stale_ = true;
        continue;
      }
      judged.insert(path);
      if (there == found_.end()) continue;  // newer than what is judged
      const auto& sum = needed_->of(i);
      if (sum.chunks == 0)
        candidates_.push_back({known[i].container, there->second, i, false});
      else if ((sum.bytes * 2 < known[i].container.size && mostly_unneeded(known[i].container, sum.bytes)) ||
               (options_.compress && has_lz4(known[i].container)))
        candidates_.push_back({known[i].container, there->second, i, true});
      else if (known[i].container.kind == Container::Kind::pack && known[i].container.size < kSmallPack)
        small.push_back({known[i].container, there->second, i, true});
    }
    if (small.size() >= kManySmallPacks) candidates_.insert(candidates_.end(), small.begin(), small.end());
    for (const auto& [path, there] : found_) {
      if (judged.contains(path)) continue;
      const auto container = Container::from_path(path, there.size);
      if (!container) continue;  // nothing of ours
      // What a newer kist wrote is not for this one to judge.
      if (auto table = ContainerTable::open(directory_, container->file());
          !table && table.error().kind == ErrorKind::unsupported) {
        report_.notices.push_back(fmt::format("{} stays: {}", directory_.show(path), table.error().text));
        continue;
      }
      candidates_.push_back({*container, there, Rows::kNowhere, false});
    }
    std::ranges::sort(candidates_, {}, [](const Candidate& one) { return one.container.name; });
    for (Candidate& one : candidates_) {
      auto item = before_.find(one.container.path());
      if (item == before_.end() || item->second.inode != one.there.inode) continue;
      // A file system gives the inodes of files that are gone to new ones: what came under this name after the other
      // was condemned has not been condemned.
      if (one.there.changed >= item->second.when) continue;
      one.since = item->second.since;
      one.when = item->second.when;
    }
    return {};
  }

  bool has_lz4(const Container& container) const {
    if (container.kind != Container::Kind::pack) return false;
    auto table = ContainerTable::open(directory_, container.file());
    return table && table->codec() == Codec::lz4;
  }

  // A small pack is half table, so only frames count.
  bool mostly_unneeded(const Container& container, std::uint64_t needed) const {
    auto table = ContainerTable::open(directory_, container.file());
    if (!table) return false;
    std::uint64_t frames = 0;
    const Status summed = table->each([&](const IndexRecord& frame) -> Status {
      frames += frame.stored;
      return {};
    });
    return summed && needed * 2 < frames;
  }

  Result<Collected> estimate() {
    for (const Candidate& one : candidates_) {
      ++report_.containers;
      report_.bytes += one.there.disk;
      if (!one.repack) continue;
      ++report_.repacked;
      report_.written += needed_->of(one.number).bytes;
    }
    KIST_TRY(collect_views());
    return std::move(report_);
  }

  Status condemn() {
    if (candidates_.empty() && before_.empty() && !is_list_damaged_) return {};
    for (Candidate& one : candidates_)
      if (one.when == Time{}) one.when = file_clock();
    KIST_TRY(write_list());
    // Seen by whoever looks from now on; so this is the moment of what was condemned just now.
    Moment moment = this_moment();
    for (Candidate& one : candidates_)
      if (!one.since) one.since = moment;
    return chunks_.refresh();
  }

  Status write_list() const {
    CondemnedList list;
    for (const Candidate& one : candidates_)
      if (!one.gone && !one.kept) list.items.push_back({one.container, one.there.inode, one.since, one.when});
    return write_condemned(directory_, parts_.lease, list);
  }

  // --- Step 2

  Status repack() {
    if (std::ranges::none_of(candidates_, &Candidate::repack)) return {};
    KIST_TRY_ASSIGN(auto hold, parts_.lease.hold());
    KIST_TRY(chunks_.refresh());
    Rescue rescue(parts_);
    for (Candidate& one : candidates_) {
      if (!one.repack) continue;
      auto copied = copy_needed(one, rescue);
      if (!copied && (copied.error().kind == ErrorKind::corrupt || copied.error().kind == ErrorKind::not_found)) {
        keep(one, copied.error());
        continue;
      }
      KIST_TRY(copied);
    }
    KIST_TRY(rescue.finish());
    report_.written = rescue.written();
    return {};
  }

  // The frames that are needed and have their best place in this container.
  Status copy_needed(const Candidate& one, Rescue& rescue) const {
    KIST_TRY_ASSIGN(auto table, ContainerTable::open(directory_, one.container.file()));
    KIST_TRY(rescue.open(one.container));
    return table.each([&](const IndexRecord& frame) -> Status {
      auto row = rows_->find(frame.id);
      const bool is_wanted = row && needed_->has(*row) && rows_->row(*row).container == one.number;
      return is_wanted ? rescue.copy(frame, Rescue::Damage::is_error) : Status();
    });
  }

  // --- Steps 3 to 5

  Status remove() {
    if (candidates_.empty() && before_.empty() && !stale_) return {};
    KIST_TRY_ASSIGN(auto oldest, Lease::oldest_hold(directory_));
    const Time at = now();
    bool any = false;
    for (Candidate& one : candidates_) {
      bool free = !oldest || one.since.value_or(INT64_MAX) < *oldest;
      one.due = free && at - one.when >= options_.grace && !one.kept;
      any = any || one.due;
    }
    if (any) KIST_TRY(mark());
    {
      // While this is held nobody merges index files, so a row that is there stays there.
      KIST_TRY_ASSIGN(auto merging, FileLock::lock(directory_.root() / "index.lock", FileLock::Kind::exclusive));
      KIST_TRY(chunks_.refresh());
      auto index = chunks_.index();
      for (Candidate& one : candidates_)
        if (one.due) KIST_TRY(judge(one, *index));
      KIST_TRY(move_away());
      KIST_TRY(forget_missing_containers(directory_, parts_.lease, chunks_));
    }
    for (const std::string& trash : trash_) KIST_TRY(directory_.remove(trash));
    for (const Candidate& one : candidates_) {
      if (one.gone) {
        ++report_.containers;
        report_.bytes += one.there.disk;
        if (one.repack) ++report_.repacked;
        if (one.container.kind == Container::Kind::adopted)
          KIST_TRY(directory_.remove("inodes/" + one.container.name.hex()));
      } else if (!one.kept) {
        ++report_.waiting;
        report_.waiting_bytes += one.there.disk;
      }
    }
    KIST_TRY(write_list());
    return chunks_.refresh();
  }

  // Whether it may go after the roots were read again: all that is needed of it is elsewhere.
  Status judge(Candidate& one, const IndexSet& index) {
    if (one.number == Rows::kNowhere) {
      // It was in no index; a saver that died between its renames, or one whose index came later.
      if (indexed(index, one.container)) one.kept = true;
    } else if (needed_->of(one.number).chunks > 0 && !one.repack) {
      one.kept = true;
    }
    if (one.kept) return {};
    // The place that was to serve instead may be gone from the index since: who merges index files keeps one row of a
    // chunk, and that one only if it knew already that this container is condemned. So each needed chunk must be found
    // elsewhere now.
    auto table = ContainerTable::open(directory_, one.container.file());
    if (!table) {
      // What it holds cannot be told: perhaps what is found nowhere else, or by who reads its table another time.
      const bool is_unreadable = table.error().kind == ErrorKind::corrupt || table.error().kind == ErrorKind::not_found;
      if (one.number != Rows::kNowhere || !is_unreadable || needed_->lacks_some()) keep(one, table.error());
      return {};
    }
    return table->each([&](const IndexRecord& frame) -> Status {
      one.kept = one.kept || (needed_->may_have(frame.id) && !chunks_.contains(index, frame.id));
      return {};
    });
  }

  static bool indexed(const IndexSet& index, const Container& container) {
    for (const auto& file : index)
      for (std::uint32_t i = 0; i < file->containers(); ++i)
        if (file->container(i).name == container.name && file->container(i).kind == container.kind) return true;
    return false;
  }

  void keep(Candidate& one, const Error& why) {
    one.kept = true;
    report_.notices.push_back(fmt::format("{} stays: {}", directory_.show(one.container.path()), why.text));
  }

  Status move_away() {
    // A saver that has the lock is between renames; the wait is short, and so is this.
    KIST_TRY_ASSIGN(auto moving, FileLock::lock(directory_.root() / "containers.lock", FileLock::Kind::exclusive));
    for (Candidate& one : candidates_) {
      if (!one.due || one.kept) continue;
      std::string path = one.container.path();
      auto status = directory_.status(path);
      if (!status && status.error().kind == ErrorKind::not_found) {
        one.gone = true;
        continue;
      }
      KIST_TRY(status);
      if (status->st_ino != one.there.inode || status->st_mtim.tv_sec != one.there.modified.tv_sec ||
          status->st_mtim.tv_nsec != one.there.modified.tv_nsec) {
        one.kept = true;  // somebody has stored the same again
        continue;
      }
      if (one.container.kind == Container::Kind::adopted) {
        KIST_TRY_ASSIGN(auto table, parts_.lease.temporary_name());
        auto moved = directory_.rename(one.container.table_path(), table);
        if (moved) trash_.push_back(table);
        if (!moved && moved.error().kind != ErrorKind::not_found) return moved;
      }
      KIST_TRY_ASSIGN(auto trash, parts_.lease.temporary_name());
      KIST_TRY(directory_.rename(path, trash));
      trash_.push_back(trash);
      one.gone = true;
    }
    return {};
  }

  // --- Views

  Status collect_views() {
    auto unneeded = [&](const ArtifactId& id) { return !needed_->has(id.tree) || !needed_->has(id.times); };
    KIST_TRY_ASSIGN(auto evicted, parts_.views.evict_unused(unneeded, options_.views_budget, options_.dry_run));
    report_.views = evicted.views;
    report_.view_bytes = evicted.bytes;
    return {};
  }

  const StoreParts& parts_;
  const StoreDirectory& directory_;
  Chunks& chunks_;
  const Roots& roots_;
  const CollectOptions& options_;
  std::unordered_map<std::string, Found> found_;
  std::unordered_map<std::string, Condemned> before_;
  bool is_list_damaged_ = false;
  std::optional<Rows> rows_;
  std::optional<Needed> needed_;
  bool stale_ = false;  // the index names containers that are not there
  std::vector<Candidate> candidates_;
  std::vector<std::string> trash_;
  Collected report_;
};

}  // namespace

Result<Collected> collect(const StoreParts& parts, const Roots& roots, const CollectOptions& options) {
  return Collector(parts, roots, options).run();
}

}  // namespace kist::store
