#include "store/push.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <unordered_set>

#include <fmt/format.h>

#include "store/container_table.hpp"
#include "store/line.hpp"
#include "store/parallel.hpp"
#include "store/places.hpp"
#include "store/reach.hpp"

namespace kist::store {
namespace {

constexpr std::size_t kMostToSend = 1 << 17;          // gathered before they are sent: 12 MiB
constexpr std::uint64_t kWorthKeeping = 16ULL << 20;  // a local pack from this size on may go as it is

// Is told every chunk of an artifact, some perhaps several times.
class Wanting final : public ReachVisitor {
 public:
  explicit Wanting(std::function<Status(const Digest&)> want) : want_(std::move(want)) {}
  Result<bool> enter(const Digest& id, Kind, unsigned) override {
    KIST_TRY(want_(id));
    return true;
  }
  Status leaf(const Digest& id, std::uint32_t, std::string_view, bool) override { return want_(id); }
  Status broken(const Digest&, std::string_view, const Error& why) override { return std::unexpected(why); }

 private:
  std::function<Status(const Digest&)> want_;
};

// One pack to be sent: places [begin, end), which are a whole local pack or not.
struct PackJob {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::uint64_t size = 0;  // of the pack
  bool whole = false;
};

class Pusher {
 public:
  Pusher(const PushContext& context, Transfer& transfer) : context_(context), transfer_(transfer) {}

  Status push(std::span<const Digest> records) {
    KIST_TRY(context_.index.refresh());
    KIST_TRY(context_.index.reconcile());
    local_ = context_.chunks.index();
    for (const Digest& record : records) {
      KIST_TRY_ASSIGN(auto run, read_run_record(context_.chunks, record));
      KIST_TRY(want(record));
      for (const ArtifactId& id : artifacts_of(run)) {
        Wanting wanting([this](const Digest& chunk) { return want(chunk); });
        auto walked = reach(context_.chunks, id, wanting);
        if (!walked) return with_context(fmt::format("cannot send all of {}", run.name), walked.error());
      }
    }
    return send();
  }

 private:
  Status want(const Digest& id) {
    if (RemoteIndex::contains(*context_.index.set(), id)) return {};
    if (!locate(id)) {
      // The index here may have lost it, or have been merged: reading looks everywhere.
      Bytes bytes;
      KIST_TRY(context_.chunks.read(id, bytes));
      local_ = context_.chunks.index();
      if (!locate(id)) return fail(ErrorKind::corrupt, fmt::format("{} is read, but in no index", id.to_string()));
    }
    if (places_.size() < kMostToSend) return {};
    places_.sort();
    return places_.size() < kMostToSend * 3 / 4 ? Status() : send();
  }

  bool locate(const Digest& id) {
    // What is condemned does not count as standing, but may be needed after all, and is there to be read until it goes.
    for (const bool condemned_too : {false, true})
      for (const auto& file : *local_) {
        auto record = file->find(id);
        if (!record || record->container >= file->containers()) continue;
        const Container container = file->container(record->container);
        if (!(condemned_too ? is_there(container) : file->container_stands(context_.directory, record->container)))
          continue;
        places_.add(container, *record);
        return true;
      }
    return false;
  }

  bool is_there(const Container& container) const {
    auto status = context_.directory.status(container.path());
    return status && S_ISREG(status->st_mode) && static_cast<std::uint64_t>(status->st_size) == container.size;
  }

  Status send() {
    places_.sort();
    if (places_.empty()) return {};
    gather_whole_packs();
    next_ = 0;
    for (std::size_t i = 0; i < places_.size(); ++i) transfer_.total += places_[i].stored + kPackRecordSize;
    std::mutex mutex;
    std::vector<RemotePack> packs;
    std::atomic<bool> failed = false;
    auto sent = in_parallel(Line::kMostAtOnce, Line::kMostAtOnce, [&](std::size_t) -> Status {
      while (!failed) {
        std::optional<PackJob> job;
        {
          std::lock_guard lock(mutex);
          job = next_job();
        }
        if (!job) return {};
        const Line::Turn turn = line_.take(job->size);
        if (failed) {
          line_.give_back(turn);
          return {};
        }
        auto pack = job->whole ? send_as_it_is(*job, turn) : send_new(*job, turn);
        line_.give_back(turn);
        if (!pack) {
          failed = true;
          return std::unexpected(std::move(pack).error());
        }
        std::lock_guard lock(mutex);
        packs.push_back(std::move(*pack));
      }
      return {};
    });
    // Also after an error: what has arrived need not be sent again.
    auto added = context_.index.add(packs);
    places_.clear();
    KIST_TRY(sent);
    return added;
  }

  // Moves the places of local packs that are wanted whole before the others.
  void gather_whole_packs() {
    std::unordered_set<std::uint32_t> as_they_are;
    for (std::size_t begin = 0; begin < places_.size();) {
      const auto [end, bytes] = places_.of_one_container(begin);
      const Container& container = places_.container(places_[begin]);
      const std::uint64_t whole =
          kContainerHeaderSize + bytes + (end - begin) * kPackRecordSize + kContainerTrailerSize;
      if (container.kind == Container::Kind::pack && container.size == whole && container.size >= kWorthKeeping &&
          has_no_lz4(container))
        as_they_are.insert(places_[begin].container);
      begin = end;
    }
    whole_ = places_.partition([&](const ChunkPlace& place) { return as_they_are.contains(place.container); });
  }

  bool has_no_lz4(const Container& pack) const {
    auto table = ContainerTable::open(context_.directory, pack.file());
    return table && table->codec() == Codec::zstd;
  }

  // The next pack, as large as the line has it now: a local pack that is wanted whole where it is not larger, else what
  // comes next. nullopt: all are given out.
  std::optional<PackJob> next_job() {
    if (next_ == places_.size()) return std::nullopt;
    const std::uint64_t wanted = line_.pack_size();
    PackJob job{.begin = next_, .end = next_, .size = kContainerHeaderSize + kContainerTrailerSize};
    std::size_t limit = places_.size();
    if (next_ < whole_) {
      limit = places_.of_one_container(next_).first;
      const bool at_its_beginning = next_ == 0 || places_[next_ - 1].container != places_[next_].container;
      const std::uint64_t size = places_.container(places_[next_]).size;
      job.whole = at_its_beginning && size <= wanted + wanted / 8;  // they may go somewhat past their target
    }
    for (; job.end < limit; ++job.end) {
      const std::uint64_t more = places_[job.end].stored + kPackRecordSize;
      if (!job.whole && job.end > job.begin && job.size + more > wanted) break;
      job.size += more;
    }
    transfer_.total += kContainerHeaderSize + kContainerTrailerSize;
    next_ = job.end;
    return job;
  }

  Result<RemotePack> send_as_it_is(const PackJob& job, const Line::Turn& turn) {
    const Container& container = places_.container(places_[job.begin]);
    KIST_TRY_ASSIGN(auto file, context_.directory.open_file(container.path(), O_RDONLY));
    RemotePack pack{container, {}};
    Bytes chunk;
    for (std::size_t i = job.begin; i < job.end; ++i) {
      const ChunkPlace& place = places_[i];
      KIST_TRY(context_.chunks.read_frame(file.get(), context_.directory.show(container.path()),
                                          {place.id, 0, place.offset, place.stored, place.length}, chunk));
      pack.records.push_back({place.id, place.stored, place.length});
    }
    KIST_TRY(put(pack, turn, {.bytes = {}, .file = file.get(), .offset = 0, .size = container.size}));
    return pack;
  }

  Result<RemotePack> send_new(const PackJob& job, const Line::Turn& turn) {
    KIST_TRY_ASSIGN(auto file, TemporaryFile::create(context_.directory, context_.lease));
    RemotePack pack;
    Bytes out = pack_header(Codec::zstd);
    std::uint64_t size = 0;
    auto spill = [&]() -> Status {
      size += out.size();
      KIST_TRY(file.write(out));
      out.clear();
      return {};
    };
    FileDescriptor from;
    std::optional<std::uint32_t> open;
    Bytes frame;
    Bytes chunk;
    for (std::size_t i = job.begin; i < job.end; ++i) {
      const ChunkPlace& place = places_[i];
      const Container& container = places_.container(place);
      if (open != place.container) {
        KIST_TRY_ASSIGN(from, context_.directory.open_file(container.path(), O_RDONLY));
        open = place.container;
      }
      KIST_TRY(read_checked(from.get(), container, place, frame, chunk));
      out.insert(out.end(), frame.begin(), frame.end());
      pack.records.push_back({place.id, static_cast<std::uint32_t>(frame.size()), place.length});
      if (out.size() >= kSpill) KIST_TRY(spill());
    }
    const Bytes footer = pack_footer(pack.records, Codec::zstd);
    out.insert(out.end(), footer.begin(), footer.end());
    KIST_TRY(spill());
    transfer_.total -= job.size - size;  // zstd stores less
    pack.container = {Container::Kind::pack, pack_name(pack.records, Codec::zstd), size};
    KIST_TRY(put(pack, turn, {.bytes = {}, .file = file.descriptor(), .offset = 0, .size = size}));
    return pack;
  }

  // The frame of a chunk, which is what it should be, and is not of LZ4. Where the frame is damaged, the chunk is read
  // from wherever else it is.
  Status read_checked(int file, const Container& container, const ChunkPlace& place, Bytes& frame, Bytes& chunk) {
    frame.resize(place.stored);
    auto read = [&]() -> Status {
      KIST_TRY(read_fully(file, frame.data(), frame.size(), place.offset, context_.directory.show(container.path())));
      if (place.stored == place.length) return check(frame, place.id);
      KIST_TRY(decode_frame(frame, place.length, chunk));
      return check(chunk, place.id);
    }();
    if (read && codec_of(frame, place.length) == Codec::zstd) return {};
    if (!read) KIST_TRY(context_.chunks.read(place.id, chunk));
    frame.clear();
    if (compress_frame(chunk, Codec::zstd, frame) == 0) frame = chunk;
    return {};
  }

  static Status check(ByteSpan chunk, const Digest& id) {
    if (sha256(chunk) == id) return {};
    return fail(ErrorKind::corrupt, fmt::format("not chunk {} any more", id.hex()));
  }

  Status put(const RemotePack& pack, const Line::Turn& turn, const net::Body& body) {
    const auto begun = std::chrono::steady_clock::now();
    std::atomic<std::uint64_t> moved = 0;
    auto put = context_.objects.put(pack_object(pack.container.name), body, {net::PutCondition::Kind::absent, ""},
                                    [&](std::uint64_t bytes) {
                                      moved += bytes;
                                      transfer_.done += bytes;
                                    });
    if (!put && put.error().kind != ErrorKind::conflict) return std::unexpected(put.error());
    if (put) line_.arrived(turn, std::chrono::steady_clock::now() - begun);
    transfer_.done += body.length() - moved;  // repeated requests, or none: where the pack was there already
    ++transfer_.objects;
    return {};
  }

  static constexpr std::size_t kSpill = 1 << 20;

  const PushContext& context_;
  Transfer& transfer_;
  std::shared_ptr<const IndexSet> local_;
  ChunkPlaces places_;
  std::size_t whole_ = 0;  // of the places, those of local packs that are wanted whole
  std::size_t next_ = 0;   // of the places, the first that is in no job yet
  Line line_;
};

}  // namespace

Status push_records(const PushContext& context, std::span<const Digest> records, Transfer& transfer) {
  return Pusher(context, transfer).push(records);
}

}  // namespace kist::store
