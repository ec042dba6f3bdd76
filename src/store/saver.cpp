// One walk in path order: entries become pending in the order of the tree; files are read into batches, whose chunks
// come back from the pipeline a little later, in order; an entry leaves for the tree when all before it are complete.
// So a small file costs open, fstat, read, fstat, close, and nothing waits for a chunk but its own entry.
//
// A file is kept as it was at one moment: size, mtime and ctime must be the same after reading as before, else it is
// read again. Files are opened without following links, below descriptors of their directories (walk.hpp), so that what
// the tree's owner does meanwhile cannot lead out of the tree.
//
// A file to be adopted is only hashed; whether it is worth it shows in its first batch (does it compress, is it known?)
// and at its end (did most of it prove to be known?). A wrong guess costs reading it again.
#include "store/saver.hpp"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <map>
#include <set>

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/system.hpp"
#include "base/utf8.hpp"
#include "store/adoption.hpp"
#include "store/chunker.hpp"
#include "store/file_time.hpp"
#include "store/pipeline.hpp"
#include "store/segment.hpp"
#include "store/stat_cache.hpp"
#include "store/tree.hpp"
#include "store/walk.hpp"

namespace kist::store {

struct PendingEntry {
  TreeEntry entry;
  ChunkListWriter list;
  std::size_t outstanding = 0;      // pieces in the pipeline
  bool read = false;                // nothing more will be added
  bool known = false;               // it is what it was: its content is in the entry already
  std::optional<struct stat> keep;  // the status by which the content may be known again

  struct Adoption {
    AdoptionTable table;
    enum class State { undecided, accepted, refused } state = State::undecided;
    std::uint64_t known = 0;  // bytes of chunks that the store has
  };
  std::optional<Adoption> adoption;
};

namespace {

namespace fs = std::filesystem;

constexpr int kAttempts = 3;
constexpr std::size_t kMostNotices = 100;
constexpr std::size_t kMostPending = 16384;          // entries waiting for their chunks
constexpr std::size_t kMostUnpublished = 128 << 10;  // chunks: 8 GiB of data, 13 MB of table

bool unchanged(const struct stat& a, const struct stat& b) {
  auto same = [](const timespec& x, const timespec& y) { return x.tv_sec == y.tv_sec && x.tv_nsec == y.tv_nsec; };
  return a.st_size == b.st_size && same(a.st_mtim, b.st_mtim) && same(a.st_ctim, b.st_ctim) && a.st_ino == b.st_ino;
}

bool is_sparse(const struct stat& status) {
  return status.st_blocks * 512 < status.st_size;
}

std::string_view kind_of(mode_t mode) {
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISFIFO(mode)) return "a named pipe";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "neither file, directory nor link";
}

class Saver {
 public:
  Saver(const SaveContext& context, const SaveOptions& options, std::string source)
      : context_(context),
        options_(options),
        source_(std::move(source)),
        pipeline_([this](const Digest& id) { return context_.pending.contains(id); }),
        batch_(pipeline_.fresh()),
        tree_(put()),
        stat_cache_(context.directory) {}

  Result<Saved> save() {
    struct stat status{};
    KIST_TRY_ASSIGN(FileDescriptor top, open_top(status));
    if (S_ISREG(status.st_mode)) {
      KIST_TRY(save_file(top.get(), "", status, Taking::again));
    } else if (S_ISDIR(status.st_mode)) {
      add_entry(EntryType::directory, "", status);
      KIST_TRY(walk());
    } else {
      return fail(ErrorKind::invalid, fmt::format("cannot save {}: it is {}", source_, kind_of(status.st_mode)));
    }
    return finish();
  }

  Result<Saved> save_entries(std::span<const Change> changes, std::vector<std::string>& unsettled) {
    struct stat status{};
    KIST_TRY_ASSIGN(FileDescriptor top, open_top(status));
    if (!S_ISDIR(status.st_mode))
      return fail(ErrorKind::invalid, fmt::format("cannot save {}: it is no directory", source_));
    // The order of the tree is that of whole paths: "a", "a-b", "a/c".
    std::map<std::string_view, const Change*> entries;  // nullptr: only on the way
    for (const Change& change : changes) {
      std::string_view path = change.path;
      entries[path] = &change;
      for (std::size_t end = path.rfind('/'); end != std::string_view::npos; end = path.rfind('/', end - 1))
        if (!entries.try_emplace(path.substr(0, end), nullptr).second) break;
    }
    add_entry(EntryType::directory, "", status);
    std::set<std::string_view> directories = {""};  // an entry lies in a directory that is an entry too
    for (const auto& [path, change] : entries) {
      std::size_t slash = path.rfind('/');
      std::string_view above = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
      if (!directories.contains(above)) continue;
      auto directory = chain_->open(above);
      if (!directory) continue;
      std::string name(path.substr(slash == std::string_view::npos ? 0 : slash + 1));
      if (::fstatat(*directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
      if (S_ISDIR(status.st_mode)) {
        directories.insert(path);
      } else if (change == nullptr) {
        continue;
      }
      Taking taking = change != nullptr && !change->settled ? Taking::as_read : Taking::once;
      auto saved = save_entry(*directory, name, std::string(path), IFTODT(status.st_mode), taking);
      if (!saved && saved.error().kind != ErrorKind::unavailable) return std::unexpected(saved.error());
      if (!saved) unsettled.emplace_back(path);
      KIST_TRY(emit());
    }
    return finish();
  }

 private:
  Result<FileDescriptor> open_top(struct stat& status) {
    FileDescriptor top(os::openat(AT_FDCWD, source_.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY));
    if (!top || ::fstat(top.get(), &status) != 0) return fail_errno(fmt::format("cannot save {}", source_));
    chain_.emplace(top.get(), source_);
    return top;
  }

  Result<Saved> finish() {
    KIST_TRY(retire_all());
    KIST_TRY(emit());
    stat_cache_.flush();
    KIST_TRY_ASSIGN(auto saved, tree_.finish());
    if (left_out_ > kMostNotices) notices_.push_back(fmt::format("and {} more", left_out_ - kMostNotices));
    saved.notices = std::move(notices_);
    return saved;
  }

  // --- The walk -----------------------------------------------------------------------------------------------------

  struct Level {
    std::string path;
    DirectoryNames names;
    std::size_t next = 0;
  };

  Status walk() {
    std::vector<Level> levels;
    KIST_TRY(enter("", levels));
    while (!levels.empty()) {
      Level& level = levels.back();
      if (level.next == level.names.items().size()) {
        levels.pop_back();
        continue;
      }
      const DirectoryNames::Item& item = level.names.items()[level.next++];
      std::string name(level.names.name(item));
      std::string path = level.path.empty() ? name : fmt::format("{}/{}", level.path, name);
      if (item.below) {
        KIST_TRY(enter(path, levels));
        continue;
      }
      KIST_TRY_ASSIGN(int directory, chain_->open(level.path));
      if (item.type == DT_REG && stat_cache_.may_know(item.inode) && save_known(directory, name, path)) {
        KIST_TRY(emit());
        continue;
      }
      KIST_TRY(save_entry(directory, name, path, item.type, Taking::again));
      KIST_TRY(emit());
    }
    return {};
  }

  Status enter(const std::string& path, std::vector<Level>& levels) {
    auto directory = chain_->open(path);
    if (!directory) return leave_out(path, directory.error());
    auto names = DirectoryNames::read(*directory);
    if (!names) return leave_out(path, names.error());
    levels.push_back({path, std::move(*names)});
    return {};
  }

  // How a file is taken that may change while it is read: read again until it does not, given up, or taken as it came
  // up to the size that it had.
  enum class Taking { again, once, as_read };

  Status save_entry(int directory, const std::string& name, const std::string& path, std::uint8_t type, Taking taking) {
    if (type == DT_REG) {
      FileDescriptor file(os::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
      struct stat status{};
      if (!file || ::fstat(file.get(), &status) != 0) return leave_out(path, fail_errno("cannot open it").error());
      if (!S_ISREG(status.st_mode)) return changed(path);
      return save_file(file.get(), path, status, taking);
    }
    struct stat status{};
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      return leave_out(path, fail_errno("cannot read it").error());
    if (S_ISDIR(status.st_mode) && type == DT_DIR) {
      add_entry(EntryType::directory, path, status);
      return {};
    }
    if (S_ISLNK(status.st_mode)) return save_link(directory, name, path, status);
    if (S_ISDIR(status.st_mode) || S_ISREG(status.st_mode)) return changed(path);
    return leave_out(path, Error{ErrorKind::unsupported, fmt::format("it is {}", kind_of(status.st_mode))});
  }

  // A file that is as it was when it was saved before, whose chunks are all still here.
  bool save_known(int directory, const std::string& name, const std::string& path) {
    struct stat status{};
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode)) return false;
    auto content = stat_cache_.find(status);
    if (!content) return false;
    auto stored =
        each_chunk(*content, context_.pending, 0, content->size, [&](const ChunkRecord& chunk, std::uint64_t) {
          return context_.pending.contains(chunk.id) ? Status() : fail(ErrorKind::not_found, "");
        });
    if (!stored) return false;
    PendingEntry& pending = add_entry(EntryType::file, path, status);
    pending.entry.content = std::move(*content);
    pending.known = true;
    pending.read = true;
    return true;
  }

  Status save_link(int directory, const std::string& name, const std::string& path, const struct stat& status) {
    std::string target(static_cast<std::size_t>(status.st_size) + 1, '\0');
    while (true) {
      ssize_t length = ::readlinkat(directory, name.c_str(), target.data(), target.size());
      if (length < 0) return leave_out(path, fail_errno("cannot read the link").error());
      if (static_cast<std::size_t>(length) < target.size()) {
        target.resize(static_cast<std::size_t>(length));
        break;
      }
      target.resize(target.size() * 2);  // some file systems give a link no size
    }
    PendingEntry& pending = add_entry(EntryType::link, path, status);
    pending.entry.link_target = std::move(target);
    return {};
  }

  PendingEntry& add_entry(EntryType type, const std::string& path, const struct stat& status) {
    PendingEntry& pending = pending_.emplace_back();
    pending.entry.path = path;
    pending.entry.type = type;
    pending.entry.mode = status.st_mode & 07777;
    pending.entry.modified = from_timespec(status.st_mtim);
    pending.read = type != EntryType::file;
    return pending;
  }

  std::string show(std::string_view path) const { return chain_->show(path); }

  std::unexpected<Error> changed(std::string_view path) const {
    return fail(
        ErrorKind::unavailable,
        fmt::format("cannot save {}: it changed while it was read; save it when nothing writes to it", show(path)));
  }

  // What cannot be kept is said, or is an error where the caller wants all or nothing. Damage and a full disk always
  // are.
  Status leave_out(const std::string& path, const Error& why) {
    bool harmless =
        why.kind == ErrorKind::denied || why.kind == ErrorKind::not_found || why.kind == ErrorKind::unsupported;
    if (options_.strict || !harmless)
      return std::unexpected(Error{why.kind, fmt::format("cannot save {}: {}", show(path), why.text)});
    if (++left_out_ <= kMostNotices)
      notices_.push_back(fmt::format("{}: {}", path.empty() ? "." : printable(path), why.text));
    return {};
  }

  // --- One file -----------------------------------------------------------------------------------------------------

  enum class Outcome { kept, changed, not_adopted };

  Status save_file(int file, const std::string& path, struct stat status, Taking taking) {
    PendingEntry& pending = add_entry(EntryType::file, path, status);
    bool adopt = may_adopt(status);
    const bool as_read = taking == Taking::as_read;
    for (int attempt = 0; attempt < (taking == Taking::again ? kAttempts : 1); ++attempt) {
      const bool keep = !as_read && stat_cache_.may_keep(file, status);
      auto outcome = status.st_size <= static_cast<off_t>(kSmallFile)
                         ? read_small(pending, file, status, as_read)
                         : read_large(pending, file, status, adopt, as_read);
      if (!outcome) return with_context(fmt::format("cannot save {}", show(path)), outcome.error());
      if (*outcome == Outcome::kept) {
        if (keep && !adopt) pending.keep = status;
        pending.read = true;
        return {};
      }
      KIST_TRY(retire_all());
      pending.list.clear();
      pending.adoption.reset();
      if (*outcome == Outcome::not_adopted) {
        adopt = false;
        --attempt;
        continue;
      }
      if (::fstat(file, &status) != 0) return fail_errno(fmt::format("cannot save {}", show(path)));
      pending.entry.mode = status.st_mode & 07777;
      pending.entry.modified = from_timespec(status.st_mtim);
    }
    pending_.pop_back();
    return changed(path);
  }

  Result<Outcome> read_small(PendingEntry& pending, int file, const struct stat& status, bool as_read) {
    auto size = static_cast<std::size_t>(status.st_size);
    // The byte more shows whether it has grown.
    if (batch_->room() < size + 1 || batch_->used >= Batch::kFull) KIST_TRY(submit());
    std::size_t got = 0;
    while (got <= size) {
      ssize_t count = os::pread(file, batch_->end() + got, size + 1 - got, static_cast<off_t>(got));
      if (count < 0) return fail_errno("cannot read it");
      got += static_cast<std::size_t>(count);
      if (count == 0 || got == size) break;  // a short read of a regular file is its end
    }
    struct stat after{};
    if (::fstat(file, &after) != 0) return fail_errno("cannot read it");
    if (as_read)
      size = std::min(got, size);
    else if (got != size || !unchanged(status, after))
      return Outcome::changed;
    if (size > 0) add_piece(pending, batch_->used, size);
    batch_->used += size;
    if (batch_->pieces.size() >= Batch::kMostPieces) KIST_TRY(submit());
    return Outcome::kept;
  }

  Result<Outcome> read_large(PendingEntry& pending, int file, const struct stat& status, bool adopt, bool as_read) {
    if (adopt) {
      KIST_TRY(retire_all());  // its batches are to hold nothing else
      KIST_TRY_ASSIGN(auto table, AdoptionTable::create(context_.directory, context_.lease));
      pending.adoption.emplace(PendingEntry::Adoption{std::move(table)});
    }
    if (static_cast<std::uint64_t>(status.st_size) >= kSegmentsFrom && !is_sparse(status) && !as_read)
      return read_segments(pending, file, status);
    Holes holes(file, status);
    std::uint64_t position = 0;        // in the file, of the next read
    std::size_t start = batch_->used;  // in the batch, of what is not cut yet
    bool ended = false;
    while (!ended) {
      // What was read ahead of a hole's first chunk is given up: the chunk is known without reading.
      while (holes.chunk_at(position - (batch_->used - start))) {
        position += kChunkMax - (batch_->used - start);
        batch_->used = start;
        add_piece(pending, start, kChunkMax).hole = true;
        if (batch_->pieces.size() >= Batch::kMostPieces) KIST_TRY(next_batch(pending, start));
      }
      std::size_t wanted = batch_->room();
      if (as_read) wanted = std::min<std::size_t>(wanted, static_cast<std::uint64_t>(status.st_size) - position);
      ssize_t count = os::pread(file, batch_->end(), wanted, static_cast<off_t>(position));
      if (count < 0) return fail_errno("cannot read it");
      ended = count == 0;
      batch_->used += static_cast<std::size_t>(count);
      position += static_cast<std::uint64_t>(count);
      if (position > static_cast<std::uint64_t>(status.st_size)) return Outcome::changed;
      while (batch_->used - start >= kChunkMax || (ended && batch_->used > start)) {
        std::size_t length = first_chunk({batch_->bytes.get() + start, batch_->used - start});
        add_piece(pending, start, length);
        start += length;
      }
      if (batch_->used >= Batch::kFull || batch_->pieces.size() >= Batch::kMostPieces)
        KIST_TRY(next_batch(pending, start));
    }
    if (as_read) return Outcome::kept;
    struct stat after{};
    if (::fstat(file, &after) != 0) return fail_errno("cannot read it");
    if (position != static_cast<std::uint64_t>(status.st_size) || !unchanged(status, after)) return Outcome::changed;
    return pending.adoption ? finish_adoption(pending, file, status) : Outcome::kept;
  }

  // Gives away what is cut of a large file.
  Status next_batch(PendingEntry& pending, std::size_t& start) {
    KIST_TRY(submit_before(start));
    start = 0;
    if (!pending.adoption) return {};
    using State = PendingEntry::Adoption::State;
    if (pending.adoption->state == State::undecided) KIST_TRY(retire_under_way());
    if (pending.adoption->state == State::refused) pending.adoption.reset();
    batch_->only_hash = pending.adoption.has_value();
    return {};
  }

  // A large file by several threads at once.
  Result<Outcome> read_segments(PendingEntry& pending, int file, const struct stat& status) {
    KIST_TRY(submit());
    const auto size = static_cast<std::uint64_t>(status.st_size);
    chain_end_ = 0;
    chain_broken_ = false;
    // Whatever happens, nobody reads from the file after it is closed.
    struct Drain {
      Pipeline& pipeline;
      ~Drain() {
        while (pipeline.under_way() > 0) pipeline.recycle(pipeline.take());
      }
    } drain{pipeline_};
    for (std::uint64_t begin = 0; begin < size && !chain_broken_;) {
      auto batch = pipeline_.fresh();
      Segment& segment = batch->segment.emplace();
      segment.owner = &pending;
      segment.file = file;
      segment.begin = begin;
      // The first is short where the others wait for what it shows.
      segment.end = std::min(size, begin + (begin == 0 && pending.adoption ? Batch::kFull : kSegment));
      segment.size = size;
      begin = segment.end;
      batch->only_hash = pending.adoption && pending.adoption->state != PendingEntry::Adoption::State::undecided;
      ++pending.outstanding;
      pipeline_.give(std::move(batch));
      while (pipeline_.under_way() >= pipeline_.limit()) KIST_TRY(retire(pipeline_.take()));
      if (pending.adoption && pending.adoption->state == PendingEntry::Adoption::State::undecided)
        KIST_TRY(retire_under_way());
      if (pending.adoption && pending.adoption->state == PendingEntry::Adoption::State::refused)
        pending.adoption.reset();
    }
    KIST_TRY(retire_under_way());  // they read from the file
    struct stat after{};
    if (::fstat(file, &after) != 0) return fail_errno("cannot read it");
    if (chain_broken_ || chain_end_ != size || !unchanged(status, after)) return Outcome::changed;
    return pending.adoption ? finish_adoption(pending, file, status) : Outcome::kept;
  }

  // Joins the chunks of a segment to the chain of chunks from the file's beginning.
  Status stitch(Batch& batch) {
    Segment& segment = *batch.segment;
    PendingEntry& pending = *segment.owner;
    --pending.outstanding;
    if (segment.failed && segment.error != 0) return fail_errno("cannot read it", segment.error);
    if (segment.failed) chain_broken_ = true;
    if (chain_broken_) return {};
    if (pending.adoption && pending.adoption->state == PendingEntry::Adoption::State::undecided) decide(pending, batch);
    std::uint64_t at = segment.first;
    auto piece = batch.pieces.begin();
    while (chain_end_ < segment.end) {
      for (; piece != batch.pieces.end() && at < chain_end_; ++piece) at += piece->length;
      if (piece == batch.pieces.end() || at != chain_end_) {
        KIST_TRY(follow_chain(pending, segment, batch.only_hash));
        if (chain_broken_) return {};
        continue;
      }
      KIST_TRY(take_piece(pending, batch, *piece));
      chain_end_ += piece->length;
      at += piece->length;
      ++piece;
    }
    return {};
  }

  // The chunk at the end of the chain, where a segment's scan has another or none.
  Status follow_chain(PendingEntry& pending, const Segment& segment, bool only_hash) {
    auto batch = pipeline_.fresh();
    batch->only_hash = only_hash;
    while (batch->used < kChunkMax && chain_end_ + batch->used < segment.size) {
      ssize_t count =
          os::pread(segment.file, batch->end(), kChunkMax - batch->used, static_cast<off_t>(chain_end_ + batch->used));
      if (count < 0) return fail_errno("cannot read it");
      if (count == 0) {
        chain_broken_ = true;
        return {};
      }
      batch->used += static_cast<std::size_t>(count);
    }
    Piece& piece = batch->pieces.emplace_back();
    piece.length = static_cast<std::uint32_t>(first_chunk({batch->bytes.get(), batch->used}));
    pipeline_.work(*batch, piece);
    KIST_TRY(take_piece(pending, *batch, piece));
    chain_end_ += piece.length;
    pipeline_.recycle(std::move(batch));
    return {};
  }

  // Where a sparse file has whole chunks of nothing.
  class Holes {
   public:
    Holes(int file, const struct stat& status) : file_(file), size_(status.st_size), sparse_(is_sparse(status)) {}

    bool chunk_at(std::uint64_t position) {
      auto at = static_cast<off_t>(position);
      if (!sparse_ || at >= size_) return false;
      if (at >= known_until_) {
        off_t data = ::lseek(file_, at, SEEK_DATA);
        if (data < 0) data = errno == ENXIO ? size_ : at;
        hole_end_ = data;
        known_until_ = data > at ? data : ::lseek(file_, at, SEEK_HOLE);
        if (known_until_ <= at) sparse_ = false;  // the file system does not say
      }
      return hole_end_ - at >= static_cast<off_t>(kChunkMax);
    }

   private:
    int file_;
    off_t size_;
    bool sparse_;
    off_t known_until_ = 0;
    off_t hole_end_ = 0;  // of the hole that the last question fell into
  };

  // --- Adoption -----------------------------------------------------------------------------------------------------

  bool may_adopt(const struct stat& status) const {
    return options_.adopt && static_cast<std::uint64_t>(status.st_size) >= kAdoptFrom && status.st_nlink == 1 &&
           status.st_uid == ::geteuid() && (status.st_mode & S_IRUSR) != 0 &&
           status.st_dev == context_.directory.device() && status.st_blocks * 512 >= status.st_size / 8 * 7;
  }

  // By the first batch: worth it if three quarters of it are neither known nor shrink.
  static void decide(PendingEntry& pending, const Batch& batch) {
    std::uint64_t bytes = 0;
    std::uint64_t plain = 0;
    for (const Piece& piece : batch.pieces) {
      if (!batch.segment && piece.owner != &pending) continue;
      bytes += piece.length;
      if (!piece.known && !piece.hole && piece.frame_length == 0) plain += piece.length;
    }
    using State = PendingEntry::Adoption::State;
    pending.adoption->state = plain >= bytes / 4 * 3 ? State::accepted : State::refused;
  }

  Result<Outcome> finish_adoption(PendingEntry& pending, int file, const struct stat& status) {
    KIST_TRY(submit());
    KIST_TRY(retire_under_way());
    if (pending.adoption->state != PendingEntry::Adoption::State::accepted) return Outcome::not_adopted;
    if (pending.adoption->known > static_cast<std::uint64_t>(status.st_size) / 2) return Outcome::not_adopted;
    KIST_TRY_ASSIGN(auto staged, pending.adoption->table.stage(context_.directory, context_.lease, file, status));
    if (!staged) return Outcome::not_adopted;
    KIST_TRY(context_.pending.add(std::move(*staged)));
    pending.adoption.reset();
    return Outcome::kept;
  }

  // --- Batches ------------------------------------------------------------------------------------------------------

  Piece& add_piece(PendingEntry& pending, std::size_t offset, std::size_t length) {
    ++pending.outstanding;
    Piece& piece = batch_->pieces.emplace_back();
    piece.offset = static_cast<std::uint32_t>(offset);
    piece.length = static_cast<std::uint32_t>(length);
    piece.owner = &pending;
    return piece;
  }

  Status submit() { return submit_before(batch_->used); }

  // Gives the batch away up to `end`; what comes after begins the next one.
  Status submit_before(std::size_t end) {
    std::unique_ptr<Batch> next = pipeline_.fresh();
    next->used = batch_->used - end;
    std::memcpy(next->bytes.get(), batch_->bytes.get() + end, next->used);
    if (batch_->pieces.empty()) {
      pipeline_.recycle(std::move(batch_));
    } else {
      pipeline_.give(std::move(batch_));
    }
    batch_ = std::move(next);
    while (pipeline_.under_way() >= pipeline_.limit()) KIST_TRY(retire(pipeline_.take()));
    return {};
  }

  // Brings all chunks that were read into the transaction.
  Status retire_all() {
    KIST_TRY(submit());
    return retire_under_way();
  }

  Status retire_under_way() {
    while (pipeline_.under_way() > 0) KIST_TRY(retire(pipeline_.take()));
    return {};
  }

  Status retire(std::unique_ptr<Batch> batch) {
    if (batch->segment) {
      KIST_TRY(stitch(*batch));
    } else {
      for (const Piece& piece : batch->pieces) {
        PendingEntry& pending = *piece.owner;
        if (pending.adoption && pending.adoption->state == PendingEntry::Adoption::State::undecided)
          decide(pending, *batch);
        KIST_TRY(take_piece(pending, *batch, piece));
        --pending.outstanding;
      }
    }
    pipeline_.recycle(std::move(batch));
    if (context_.pending.chunks() >= kMostUnpublished) KIST_TRY(context_.publish());
    return {};
  }

  // The next chunk of a file.
  Status take_piece(PendingEntry& pending, const Batch& batch, const Piece& piece) {
    ChunkRecord record{piece.id, piece.length};
    if (pending.adoption && pending.adoption->state == PendingEntry::Adoption::State::accepted) {
      KIST_TRY(pending.adoption->table.add(record));
      if (piece.known) pending.adoption->known += piece.length;
    } else if (piece.hole) {
      if (!context_.pending.contains(piece.id)) KIST_TRY(context_.pending.put(zero_bytes()));
    } else if (!piece.known) {
      KIST_TRY(context_.pending.add(piece.id, batch.frame(piece), piece.length));
    }
    return pending.list.add(record, put());
  }

  // Passes on the entries at the front that are complete.
  Status emit() {
    if (pending_.size() >= kMostPending) KIST_TRY(retire_all());
    while (!pending_.empty() && pending_.front().read && pending_.front().outstanding == 0) {
      PendingEntry& front = pending_.front();
      if (front.entry.type == EntryType::file && !front.known) {
        KIST_TRY_ASSIGN(front.entry.content, front.list.finish(put()));
        if (front.keep) stat_cache_.keep(*front.keep, front.entry.content);
      }
      KIST_TRY(tree_.add(front.entry));
      pending_.pop_front();
    }
    return {};
  }

  Put put() {
    return [this](ByteSpan bytes) { return context_.pending.put(bytes); };
  }

  const SaveContext& context_;
  const SaveOptions& options_;
  std::string source_;
  std::optional<DirectoryChain> chain_;
  std::deque<PendingEntry> pending_;  // before the pipeline, whose work is over when they go
  Pipeline pipeline_;
  std::unique_ptr<Batch> batch_;
  std::uint64_t chain_end_ = 0;  // of the chunks found of the large file under way, from its beginning
  bool chain_broken_ = false;    // it became shorter meanwhile
  TreeWriter tree_;
  StatCache stat_cache_;
  std::size_t left_out_ = 0;
  std::vector<std::string> notices_;
};

}  // namespace

Result<Saved> save_tree(const SaveContext& context, const fs::path& source, const SaveOptions& options) {
  return Saver(context, options, source.string()).save();
}

Result<Saved> save_entries(const SaveContext& context, const fs::path& directory, std::span<const Change> changes,
                           std::vector<std::string>& unsettled) {
  const SaveOptions options;
  return Saver(context, options, directory.string()).save_entries(changes, unsettled);
}

}  // namespace kist::store
