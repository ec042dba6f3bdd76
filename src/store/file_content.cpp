#include "store/file_content.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <unistd.h>

#include "base/system.hpp"
#include "store/chunker.hpp"
#include "store/segment.hpp"

namespace kist::store {
namespace {

bool is_sparse(const struct stat& status) {
  return status.st_blocks * 512 < status.st_size;
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

// By the first batch: worth it if three quarters of it are neither known nor shrink.
void decide(ContentUnderWay& content, const Batch& batch) {
  std::uint64_t bytes = 0;
  std::uint64_t plain = 0;
  for (const Piece& piece : batch.pieces) {
    if (!batch.segment && piece.owner != &content) continue;
    bytes += piece.length;
    if (!piece.known && !piece.hole && piece.frame_length == 0) plain += piece.length;
  }
  using State = ContentUnderWay::Adoption::State;
  content.adoption->state = plain >= bytes / 4 * 3 ? State::accepted : State::refused;
}

}  // namespace

bool unchanged(const struct stat& before, const struct stat& after) {
  auto same = [](const timespec& x, const timespec& y) { return x.tv_sec == y.tv_sec && x.tv_nsec == y.tv_nsec; };
  return before.st_size == after.st_size && same(before.st_mtim, after.st_mtim) &&
         same(before.st_ctim, after.st_ctim) && before.st_ino == after.st_ino && before.st_dev == after.st_dev;
}

ContentReader::ContentReader(const SaveContext& context)
    : context_(context),
      pipeline_({.known = [this](const Digest& id) { return context_.pending.contains(id); },
                 .store = [this](const Batch& batch) { return store(batch); },
                 .codec = context.pending.codec()}),
      batch_(pipeline_.fresh()) {}

bool ContentReader::may_adopt(const struct stat& status) const {
  return static_cast<std::uint64_t>(status.st_size) >= kAdoptFrom && status.st_nlink == 1 &&
         status.st_uid == ::geteuid() && (status.st_mode & S_IRUSR) != 0 &&
         status.st_dev == context_.directory.device() && status.st_blocks * 512 >= status.st_size / 8 * 7;
}

// A file is kept as it was at one moment: size, mtime and ctime must be the same after reading as before.
Result<ContentReader::Outcome> ContentReader::read(ContentUnderWay& content, int file, const struct stat& status,
                                                   const How& how) {
  for (How now = how;; now.adopt = false) {
    auto ending = status.st_size <= static_cast<off_t>(kSmallFile) ? read_small(content, file, status, now.as_read)
                                                                   : read_large(content, file, status, now);
    if (!ending) return std::unexpected(ending.error());
    if (*ending == Ending::kept) return Outcome::kept;
    KIST_TRY(settle());
    content.list.clear();
    content.adoption.reset();
    if (*ending == Ending::changed) return Outcome::changed;
  }
}

Status ContentReader::settle() {
  KIST_TRY(submit());
  return retire_under_way();
}

Result<ContentReader::Ending> ContentReader::read_small(ContentUnderWay& content, int file, const struct stat& status,
                                                        bool as_read) {
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
    return Ending::changed;
  if (size > 0) add_piece(content, batch_->used, size);
  batch_->used += size;
  if (batch_->pieces.size() >= Batch::kMostPieces) KIST_TRY(submit());
  return Ending::kept;
}

Result<ContentReader::Ending> ContentReader::read_large(ContentUnderWay& content, int file, const struct stat& status,
                                                        const How& how) {
  if (how.adopt) {
    KIST_TRY(settle());  // its batches are to hold nothing else
    KIST_TRY_ASSIGN(auto table, AdoptionTable::create(context_.directory, context_.lease));
    content.adoption.emplace(ContentUnderWay::Adoption{std::move(table)});
  }
  if (static_cast<std::uint64_t>(status.st_size) >= kSegmentsFrom && !is_sparse(status) && !how.as_read)
    return read_segments(content, file, status);
  Holes holes(file, status);
  std::uint64_t position = 0;        // in the file, of the next read
  std::size_t start = batch_->used;  // in the batch, of what is not cut yet
  bool ended = false;
  while (!ended) {
    // What was read ahead of a hole's first chunk is given up: the chunk is known without reading.
    while (holes.chunk_at(position - (batch_->used - start))) {
      position += kChunkMax - (batch_->used - start);
      batch_->used = start;
      add_piece(content, start, kChunkMax).hole = true;
      if (batch_->pieces.size() >= Batch::kMostPieces) KIST_TRY(next_batch(content, start));
    }
    std::size_t wanted = batch_->room();
    if (how.as_read) wanted = std::min<std::size_t>(wanted, static_cast<std::uint64_t>(status.st_size) - position);
    ssize_t count = os::pread(file, batch_->end(), wanted, static_cast<off_t>(position));
    if (count < 0) return fail_errno("cannot read it");
    ended = count == 0;
    batch_->used += static_cast<std::size_t>(count);
    position += static_cast<std::uint64_t>(count);
    if (position > static_cast<std::uint64_t>(status.st_size)) return Ending::changed;
    while (batch_->used - start >= kChunkMax || (ended && batch_->used > start)) {
      std::size_t length = first_chunk({batch_->bytes.get() + start, batch_->used - start});
      add_piece(content, start, length);
      start += length;
    }
    if (batch_->used >= Batch::kFull || batch_->pieces.size() >= Batch::kMostPieces)
      KIST_TRY(next_batch(content, start));
  }
  if (how.as_read) return Ending::kept;
  struct stat after{};
  if (::fstat(file, &after) != 0) return fail_errno("cannot read it");
  if (position != static_cast<std::uint64_t>(status.st_size) || !unchanged(status, after)) return Ending::changed;
  return content.adoption ? finish_adoption(content, file, status) : Ending::kept;
}

// Gives away what is cut of a large file.
Status ContentReader::next_batch(ContentUnderWay& content, std::size_t& start) {
  KIST_TRY(submit_before(start));
  start = 0;
  if (!content.adoption) return {};
  using State = ContentUnderWay::Adoption::State;
  if (content.adoption->state == State::undecided) KIST_TRY(retire_under_way());
  if (content.adoption->state == State::refused) content.adoption.reset();
  batch_->only_hash = content.adoption.has_value();
  return {};
}

// A large file by several threads at once.
Result<ContentReader::Ending> ContentReader::read_segments(ContentUnderWay& content, int file,
                                                           const struct stat& status) {
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
    segment.owner = &content;
    segment.file = file;
    segment.begin = begin;
    batch->only_hash = content.adoption && content.adoption->state != ContentUnderWay::Adoption::State::undecided;
    segment.end = segment_end(begin, size, batch->only_hash);
    // The first is short where the others wait for what it shows.
    if (begin == 0 && content.adoption) segment.end = Batch::kFull;
    segment.size = size;
    begin = segment.end;
    ++content.outstanding;
    pipeline_.give(std::move(batch));
    while (pipeline_.under_way() >= pipeline_.limit()) KIST_TRY(retire(pipeline_.take()));
    if (content.adoption && content.adoption->state == ContentUnderWay::Adoption::State::undecided)
      KIST_TRY(retire_under_way());
    if (content.adoption && content.adoption->state == ContentUnderWay::Adoption::State::refused)
      content.adoption.reset();
  }
  KIST_TRY(retire_under_way());  // they read from the file
  struct stat after{};
  if (::fstat(file, &after) != 0) return fail_errno("cannot read it");
  if (chain_broken_ || chain_end_ != size || !unchanged(status, after)) return Ending::changed;
  return content.adoption ? finish_adoption(content, file, status) : Ending::kept;
}

// Joins the chunks of a segment to the chain of chunks from the file's beginning.
Status ContentReader::stitch(Batch& batch) {
  Segment& segment = *batch.segment;
  ContentUnderWay& content = *segment.owner;
  --content.outstanding;
  if (segment.failed && segment.error != 0) return fail_errno("cannot read it", segment.error);
  if (segment.failed) chain_broken_ = true;
  if (chain_broken_) return {};
  if (content.adoption && content.adoption->state == ContentUnderWay::Adoption::State::undecided)
    decide(content, batch);
  std::uint64_t at = segment.first;
  auto piece = batch.pieces.begin();
  while (chain_end_ < segment.end) {
    for (; piece != batch.pieces.end() && at < chain_end_; ++piece) at += piece->length;
    if (piece == batch.pieces.end() || at != chain_end_) {
      KIST_TRY(follow_chain(content, segment, batch.only_hash));
      if (chain_broken_) return {};
      continue;
    }
    KIST_TRY(take_piece(content, batch, *piece));
    chain_end_ += piece->length;
    at += piece->length;
    ++piece;
  }
  return {};
}

// The chunk at the end of the chain, where a segment's scan has another or none.
Status ContentReader::follow_chain(ContentUnderWay& content, const Segment& segment, bool only_hash) {
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
  pipeline_.work(*batch, {&piece, 1});
  KIST_TRY(take_piece(content, *batch, piece));
  KIST_TRY(add_taken());
  chain_end_ += piece.length;
  pipeline_.recycle(std::move(batch));
  return {};
}

Result<ContentReader::Ending> ContentReader::finish_adoption(ContentUnderWay& content, int file,
                                                             const struct stat& status) {
  KIST_TRY(submit());
  KIST_TRY(retire_under_way());
  if (content.adoption->state != ContentUnderWay::Adoption::State::accepted) return Ending::not_adopted;
  if (content.adoption->known > static_cast<std::uint64_t>(status.st_size) / 2) return Ending::not_adopted;
  KIST_TRY_ASSIGN(auto staged, content.adoption->table.stage(context_.directory, context_.lease, file, status));
  if (!staged) return Ending::not_adopted;
  KIST_TRY(context_.pending.add(std::move(*staged)));
  content.adoption.reset();
  KIST_TRY(publish_if_many());
  return Ending::kept;
}

// --- Batches ------------------------------------------------------------------------------------------------------

Piece& ContentReader::add_piece(ContentUnderWay& content, std::size_t offset, std::size_t length) {
  ++content.outstanding;
  Piece& piece = batch_->pieces.emplace_back();
  piece.offset = static_cast<std::uint32_t>(offset);
  piece.length = static_cast<std::uint32_t>(length);
  piece.owner = &content;
  return piece;
}

// Gives the batch away up to `end`; what comes after begins the next one.
Status ContentReader::submit_before(std::size_t end) {
  std::unique_ptr<Batch> next = pipeline_.fresh();
  next->used = batch_->used - end;
  std::memcpy(next->bytes.get(), batch_->bytes.get() + end, next->used);
  if (batch_->pieces.empty()) {
    pipeline_.recycle(std::move(batch_));
  } else {
    batch_->to_store =
        std::ranges::none_of(batch_->pieces, [](const Piece& piece) { return piece.owner->adoption.has_value(); });
    pipeline_.give(std::move(batch_));
  }
  batch_ = std::move(next);
  while (pipeline_.under_way() >= pipeline_.limit()) KIST_TRY(retire(pipeline_.take()));
  return {};
}

Status ContentReader::retire_under_way() {
  while (pipeline_.under_way() > 0) KIST_TRY(retire(pipeline_.take()));
  return {};
}

Status ContentReader::retire(std::unique_ptr<Batch> batch) {
  KIST_TRY(take_in(std::move(batch)));
  return publish_if_many();
}

Status ContentReader::take_in(std::unique_ptr<Batch> batch) {
  KIST_TRY(batch->stored);
  taken_.clear();
  if (batch->segment) {
    KIST_TRY(stitch(*batch));
  } else {
    for (const Piece& piece : batch->pieces) {
      ContentUnderWay& content = *piece.owner;
      if (content.adoption && content.adoption->state == ContentUnderWay::Adoption::State::undecided)
        decide(content, *batch);
      KIST_TRY(take_piece(content, *batch, piece));
      --content.outstanding;
    }
  }
  KIST_TRY(add_taken());
  pipeline_.recycle(std::move(batch));
  return {};
}

// Of what is published nobody may be adding to.
Status ContentReader::publish_if_many() {
  if (context_.pending.chunks() < kMostUnpublished) return {};
  while (pipeline_.under_way() > 0) KIST_TRY(take_in(pipeline_.take()));
  return context_.publish();
}

// The new chunks of a batch of which all are kept.
Status ContentReader::store(const Batch& batch) const {
  std::vector<Pending::NewChunk> chunks;
  chunks.reserve(batch.pieces.size());
  for (const Piece& piece : batch.pieces)
    if (!piece.known && !piece.hole) chunks.push_back({piece.id, batch.frame(piece), piece.length});
  return context_.pending.add(chunks);
}

// Adds the chunks that were taken of a batch, whose bytes are needed no longer.
Status ContentReader::add_taken() {
  const Status added = context_.pending.add(taken_);
  taken_.clear();
  return added;
}

// The next chunk of a file.
Status ContentReader::take_piece(ContentUnderWay& content, const Batch& batch, const Piece& piece) {
  ChunkRecord record{piece.id, piece.length};
  if (content.adoption && content.adoption->state == ContentUnderWay::Adoption::State::accepted) {
    KIST_TRY(content.adoption->table.add(record));
    if (piece.known) content.adoption->known += piece.length;
  } else if (piece.hole) {
    if (!context_.pending.contains(piece.id)) KIST_TRY(context_.pending.put(zero_bytes()));
  } else if (!piece.known && !batch.to_store) {
    taken_.push_back({piece.id, batch.frame(piece), piece.length});
  }
  return content.list.add(record, [this](ByteSpan bytes) { return context_.pending.put(bytes); });
}

}  // namespace kist::store
