#include "store/pending.hpp"

#include <fmt/format.h>

#include "base/system.hpp"
#include "store/adoption.hpp"
#include "store/frame.hpp"

namespace kist::store {
namespace {
constexpr std::size_t kWriteBuffer = 1 << 20;
constexpr std::size_t kWorthWriting = 128 << 10;  // without waiting for more, once there is a file
constexpr std::size_t kWorthBeginning = 8 << 20;  // that the disk is told to begin with
constexpr std::size_t kMostSyncs = 8;             // packs that the disk works on while the next one fills
}  // namespace

bool Pending::contains(const Digest& id) const {
  std::shared_ptr<const IndexSet> set;
  {
    std::lock_guard lock(mutex_);
    if (places_.contains(id)) return true;
    set = set_;  // published() may replace it while it is asked
  }
  return chunks_.contains(*set, id);
}

std::size_t Pending::chunks() const {
  std::lock_guard lock(mutex_);
  return places_.size();
}

Status Pending::add(std::span<const NewChunk> chunks) {
  std::lock_guard adding(adding_);
  if (failed_) return std::unexpected(*failed_);
  Status appended = append(chunks);
  if (!appended) failed_ = appended.error();
  return appended;
}

Status Pending::append(std::span<const NewChunk> chunks) {
  std::vector<iovec> parts;
  for (const NewChunk& chunk : chunks) {
    if (!find_place(chunk)) continue;
    // writev() only reads them.
    parts.push_back({const_cast<std::byte*>(chunk.frame.data()), chunk.frame.size()});
    if (end_ < kPackTarget) continue;
    KIST_TRY(put_down(parts));
    KIST_TRY(seal());
  }
  return put_down(parts);
}

// The place of a chunk in the open pack, which ends behind it then; false where the chunk has one already.
bool Pending::find_place(const NewChunk& chunk) {
  if (chunks_.contains(*set_, chunk.id)) return false;
  if (!open_) {
    open_ = static_cast<std::uint32_t>(files_.size());
    open_codec_ = Codec::zstd;
    files_.emplace_back();
    end_ = kContainerHeaderSize;
  }
  const PackRecord record{chunk.id, static_cast<std::uint32_t>(chunk.frame.size()),
                          static_cast<std::uint32_t>(chunk.length)};
  {
    std::lock_guard lock(mutex_);
    if (!places_.try_emplace(chunk.id, Place{*open_, end_, record.stored, record.length}).second) return false;
  }
  records_.push_back(record);
  if (codec_of(chunk.frame, chunk.length) == Codec::lz4) open_codec_ = Codec::lz4;
  end_ += chunk.frame.size();
  return true;
}

// Copies frames that are few, and writes many from where they lie.
Status Pending::put_down(std::vector<iovec>& parts) {
  std::size_t bytes = 0;
  for (const iovec& part : parts) bytes += part.iov_len;
  if (buffer_.size() + bytes >= kWriteBuffer || (file_ && bytes >= kWorthWriting)) {
    KIST_TRY(spill(parts));
  } else {
    for (const iovec& part : parts) {
      const auto* frame = static_cast<const std::byte*>(part.iov_base);
      buffer_.insert(buffer_.end(), frame, frame + part.iov_len);
    }
  }
  parts.clear();
  return {};
}

Result<Digest> Pending::put(ByteSpan bytes) {
  Digest id = sha256(bytes);
  if (contains(id)) return id;
  Bytes frame;
  bool compressed = compress_frame(bytes, codec_, frame) > 0;
  const NewChunk chunk{id, compressed ? ByteSpan(frame) : bytes, bytes.size()};
  KIST_TRY(add(chunk));
  return id;
}

Status Pending::add(StagedFile file) {
  std::lock_guard adding(adding_);
  auto number = static_cast<std::uint32_t>(files_.size());
  files_.push_back(file.file.name());
  KIST_TRY(each_adopted_chunk(directory_, file.table, [&](const ChunkRecord& chunk, std::uint64_t at) -> Status {
    if (chunks_.contains(*set_, chunk.id)) return {};
    std::lock_guard lock(mutex_);
    if (places_.size() >= kMostUnpublished) return {};
    places_.try_emplace(chunk.id, Place{number, at, chunk.length, chunk.length});
    return {};
  }));
  done_.files.push_back(std::move(file));
  return {};
}

Status Pending::spill(std::span<iovec> parts) {
  if (!file_) {
    KIST_TRY_ASSIGN(auto file, TemporaryFile::create(directory_, lease_));
    file_ = std::move(file);
    files_[*open_] = file_->name();
    KIST_TRY(file_->write(pack_header(Codec::zstd)));
    written_ = kContainerHeaderSize;
    begun_ = 0;
  }
  written_ += buffer_.size();
  for (const iovec& part : parts) written_ += part.iov_len;
  KIST_TRY(file_->write(buffer_));
  buffer_.clear();
  KIST_TRY(file_->write(parts));
  if (written_ - begun_ >= kWorthBeginning) {
    file_->start_sync(begun_, written_ - begun_);
    begun_ = written_;
  }
  return {};
}

Status Pending::seal() {
  KIST_TRY(spill({}));
  if (open_codec_ == Codec::lz4) KIST_TRY(file_->write_first(pack_header(open_codec_)));
  Bytes footer = pack_footer(records_, open_codec_);
  KIST_TRY(file_->write(footer));
  if (syncing_.size() >= kMostSyncs) {
    KIST_TRY(syncing_.front().get());
    syncing_.pop_front();
  }
  auto sync = [file = FileDescriptor(file_->release_descriptor()), path = file_->path()]() -> Status {
    if (os::fdatasync(file.get()) != 0) return fail_errno(fmt::format("cannot sync {}", path));
    return {};
  };
  syncing_.push_back(std::async(std::launch::async, std::move(sync)));
  Container container{Container::Kind::pack, pack_name(records_, open_codec_), written_ + footer.size()};
  done_.packs.push_back({container, std::move(*file_), std::exchange(records_, {})});
  file_.reset();
  open_.reset();
  return {};
}

Status Pending::read(const Digest& id, Bytes& out) {
  std::optional<Place> place;
  {
    std::lock_guard lock(mutex_);
    if (auto found = places_.find(id); found != places_.end()) place = found->second;
  }
  if (!place) return chunks_.read(id, out);
  std::lock_guard adding(adding_);
  if (open_ == place->file && place->offset >= end_ - buffer_.size()) {
    ByteSpan frame = ByteSpan(buffer_).subspan(place->offset - (end_ - buffer_.size()), place->stored);
    return decode_frame(frame, place->length, out);
  }
  const std::string& name = files_[place->file];
  KIST_TRY_ASSIGN(auto file, directory_.open_file(name, O_RDONLY));
  return chunks_.read_frame(file.get(), directory_.show(name), {id, 0, place->offset, place->stored, place->length},
                            out);
}

Result<Publication> Pending::take() {
  std::lock_guard adding(adding_);
  if (failed_) return std::unexpected(*failed_);
  if (file_) KIST_TRY(seal());
  done_.syncing = std::exchange(syncing_, {});
  done_.frames = std::exchange(buffer_, {});
  done_.records = std::exchange(records_, {});
  open_.reset();
  return std::exchange(done_, {});
}

void Pending::published() {
  std::lock_guard adding(adding_);
  files_.clear();
  auto set = chunks_.index();
  std::lock_guard lock(mutex_);
  places_.clear();
  set_ = std::move(set);
}

}  // namespace kist::store
