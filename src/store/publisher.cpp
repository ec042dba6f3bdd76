// How kist uses fsync
// -------------------
// An fsync for each file is what makes stores of small files slow (0.2 to 0.7 ms each); none at all loses work at a
// power cut. kist syncs a handful of times for a commit, whatever it holds:
//
//   1. each container is written under a name in tmp/ and fdatasync'ed there: packs as they fill up, small
//   transactions'
//      frames together in one pack for all that commit at this moment, adopted files as they are;
//   2. the index file that tells of them is written in tmp/ and fdatasync'ed; the disk is told to begin with all of
//   these
//      files before the first of them is waited for, so that they share one commit of a file system's journal;
//   3. then all are renamed into place;
//   4. then containers/ and index/ are fsync'ed, which makes the names last.
//
// A name in containers/ or index/ thus always stands for durable bytes, and after step 4 all names that this process
// could see are durable, also those that another process has renamed but not yet synced: a transaction may rely on
// whatever it found. The names of step 3 may reach the disk in any order: an index is believed only as far as the
// containers it names stand with their sizes (IndexFile::container_stands), so an index without its pack is as if it
// were not there, and a pack without its index only lies idle until it is indexed again. A crash at any point leaves
// files in tmp/, which the next process sweeps, or unreferenced ones in containers/, which collection finds.
//
// The reference that makes it all reachable is written by the caller afterwards, in the same way (references.cpp).
//
// Files in tmp/ have real names and are renamed, rather than O_TMPFILE and linked: it costs 15 µs more, but on file
// systems without a journal an inode that was synced while it had no name may be lost although its name was synced
// later.
//
// Views, inode records and leases are caches or live no longer than their process: they are never synced.
#include "store/publisher.hpp"

#include <algorithm>
#include <cerrno>
#include <unordered_set>

#include <fmt/format.h>

#include "base/system.hpp"
#include "store/adoption.hpp"
#include "store/index_upkeep.hpp"
#include "store/new_index.hpp"

namespace kist::store {

Status Publisher::publish(Publication& publication) {
  for (const StagedFile& file : publication.files) KIST_TRY(settle_staged(file));

  // Whoever comes first publishes for all that wait by then; those who come meanwhile are the next group.
  Waiting own{&publication, {}};
  std::unique_lock lock(mutex_);
  waiting_.push_back(&own);
  while (!own.done) {
    if (leading_) {
      changed_.wait(lock);
      continue;
    }
    leading_ = true;
    Group group = std::exchange(waiting_, {});
    lock.unlock();
    Status result = publish_group(group);
    lock.lock();
    leading_ = false;
    for (Waiting* member : group) {
      member->result = result;
      member->done = true;
    }
    changed_.notify_all();
  }
  return own.result;
}

Status Publisher::publish_group(const Group& group) {
  KIST_TRY_ASSIGN(auto loose, pack_of_loose_frames(group));

  NewIndex index(directory_, lease_);
  auto set = chunks_.index();
  auto add_pack = [&](const SealedPack& pack) -> Status {
    index.begin(pack.container);
    std::uint64_t offset = kContainerHeaderSize;
    for (const PackRecord& record : pack.records) {
      KIST_TRY(index.add({record.id, 0, offset, record.stored, record.length}));
      offset += record.stored;
    }
    return {};
  };
  std::size_t rows = loose ? loose->records.size() : 0;
  for (const Waiting* member : group)
    for (const SealedPack& pack : member->publication->packs) rows += pack.records.size();
  index.expect(rows);
  if (loose) KIST_TRY(add_pack(*loose));
  for (const Waiting* member : group) {
    for (const SealedPack& pack : member->publication->packs) KIST_TRY(add_pack(pack));
    for (const StagedFile& file : member->publication->files) {
      index.begin(file.container);
      KIST_TRY(each_adopted_chunk(directory_, file.table, [&](const ChunkRecord& chunk, std::uint64_t at) -> Status {
        if (chunks_.contains(*set, chunk.id)) return {};
        return index.add({chunk.id, 0, at, chunk.length, chunk.length});
      }));
    }
  }

  // Merging index files is for one process at a time; the others go on without.
  std::optional<FileLock> merging;
  IndexSet absorbed;
  if (!to_absorb(*set, index.rows()).empty()) {
    KIST_TRY_ASSIGN(merging, FileLock::try_lock(directory_.root() / "index.lock", FileLock::Kind::exclusive));
    if (merging) {
      KIST_TRY(chunks_.refresh());
      absorbed = to_absorb(*chunks_.index(), index.rows());
    }
  }
  KIST_TRY(index.write(absorbed));
  KIST_TRY(sync_all(group, loose, index));

  // A collector that removes containers must see either the old file of a name or the new one, and leave the new one.
  KIST_TRY_ASSIGN(auto moving, FileLock::lock(directory_.root() / "containers.lock", FileLock::Kind::shared));
  for (const Waiting* member : group) {
    for (StagedFile& file : member->publication->files) KIST_TRY(move_in(file));
    for (SealedPack& pack : member->publication->packs) KIST_TRY(pack.file.move_to(pack.container.path()));
  }
  if (loose) KIST_TRY(loose->file.move_to(loose->container.path()));
  KIST_TRY(index.move_in());
  KIST_TRY(directory_.sync("containers"));
  KIST_TRY(directory_.sync("index"));

  for (const auto& file : absorbed)
    if (index.name() != file->name()) (void)directory_.remove("index/" + file->name());  // it may also go next time
  return chunks_.reload();
}

// One pack for all frames that their transactions kept in memory; of a chunk that several bring, one.
Result<std::optional<SealedPack>> Publisher::pack_of_loose_frames(const Group& group) {
  std::vector<PackRecord> records;
  Bytes bytes = pack_header(Codec::zstd);
  Codec codec = Codec::zstd;
  std::unordered_set<Digest> seen;
  for (const Waiting* member : group) {
    const Publication& publication = *member->publication;
    ByteSpan frames = publication.frames;
    for (const PackRecord& record : publication.records) {
      ByteSpan frame = frames.first(record.stored);
      frames = frames.subspan(record.stored);
      if (group.size() > 1 && !seen.insert(record.id).second) continue;
      bytes.insert(bytes.end(), frame.begin(), frame.end());
      records.push_back(record);
      if (codec_of(frame, record.length) == Codec::lz4) codec = Codec::lz4;
    }
  }
  if (records.empty()) return std::nullopt;
  std::ranges::copy(pack_header(codec), bytes.begin());
  Bytes footer = pack_footer(records, codec);
  bytes.insert(bytes.end(), footer.begin(), footer.end());
  KIST_TRY_ASSIGN(auto file, TemporaryFile::create(directory_, lease_));
  KIST_TRY(file.write(bytes));
  file.start_sync();
  return SealedPack{
      {Container::Kind::pack, pack_name(records, codec), bytes.size()}, std::move(file), std::move(records)};
}

// Waits for an adopted file's bytes, which may be many, before others wait too; it must be what was read.
Status Publisher::settle_staged(const StagedFile& staged) const {
  KIST_TRY_ASSIGN(auto file, directory_.open_file(staged.file.name(), O_RDONLY));
  constexpr unsigned kWait = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  if (::sync_file_range(file.get(), 0, 0, kWait) != 0 && errno == EIO)
    return fail_errno(fmt::format("cannot sync {}", staged.file.path()));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno(fmt::format("cannot read {}", staged.file.path()));
  if (status.st_size != staged.status.st_size || status.st_mtim.tv_sec != staged.status.st_mtim.tv_sec ||
      status.st_mtim.tv_nsec != staged.status.st_mtim.tv_nsec || status.st_mode != staged.status.st_mode)
    return fail(
        ErrorKind::unavailable,
        fmt::format("a file was changed after it was saved and before it was committed ({})", staged.file.path()));
  return {};
}

// All that gets its name next becomes durable.
Status Publisher::sync_all(const Group& group, std::optional<SealedPack>& loose, NewIndex& index) const {
  auto sync = [&](const TemporaryFile& temporary) -> Status {
    KIST_TRY_ASSIGN(auto file, directory_.open_file(temporary.name(), O_RDONLY));
    if (os::fdatasync(file.get()) != 0) return fail_errno(fmt::format("cannot sync {}", temporary.path()));
    return {};
  };
  for (const Waiting* member : group) {
    for (const StagedFile& file : member->publication->files) {
      KIST_TRY(sync(file.file));
      KIST_TRY(sync(file.table));
    }
  }
  if (loose) {
    KIST_TRY(loose->file.sync());
    loose->file.close();
  }
  KIST_TRY(index.sync());
  for (const Waiting* member : group)
    for (std::future<Status>& syncing : member->publication->syncing) KIST_TRY(syncing.get());
  return {};
}

Status Publisher::move_in(StagedFile& staged) {
  auto there = directory_.status(staged.container.path());
  // Where the same content was adopted before, that file stays, and only its table is made sure of; but not where it is
  // to be collected.
  bool known = there && static_cast<std::uint64_t>(there->st_size) == staged.container.size &&
               !chunks_.is_condemned(staged.container);
  if (!known) KIST_TRY(staged.file.move_to(staged.container.path()));
  KIST_TRY(staged.table.move_to(staged.container.table_path()));
  return known ? Status() : inodes_.adopted(staged.container);
}

}  // namespace kist::store
