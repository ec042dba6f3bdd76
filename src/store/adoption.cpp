#include "store/adoption.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "base/system.hpp"

namespace kist::store {
namespace {
constexpr std::size_t kRecordBuffer = 4096 * kChunkRecordSize;
}

AdoptionTable::AdoptionTable(TemporaryFile file)
    : file_(std::move(file)), buffer_(adopted_table_header()), checksum_(std::make_unique<Checksum>()) {
  checksum_->update(buffer_);
}

Result<AdoptionTable> AdoptionTable::create(const StoreDirectory& directory, Lease& lease) {
  KIST_TRY_ASSIGN(auto file, TemporaryFile::create(directory, lease));
  return AdoptionTable(std::move(file));
}

Status AdoptionTable::add(const ChunkRecord& chunk) {
  std::size_t start = buffer_.size();
  write_chunk_record(buffer_, chunk);
  ByteSpan record = ByteSpan(buffer_).subspan(start);
  checksum_->update(record);
  name_.update(record);
  ++count_;
  return buffer_.size() < kRecordBuffer ? Status() : spill();
}

Status AdoptionTable::spill() {
  KIST_TRY(file_.write(buffer_));
  buffer_.clear();
  return {};
}

Result<std::optional<StagedFile>> AdoptionTable::stage(const StoreDirectory& directory, Lease& lease, int file,
                                                       const struct stat& status) {
  Bytes trailer = adopted_table_trailer(count_, checksum_->finish());
  buffer_.insert(buffer_.end(), trailer.begin(), trailer.end());
  KIST_TRY(spill());
  file_.start_sync();
  file_.close();  // there may be many
  (void)::sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE);

  // By the descriptor, so that it is the file that was read and no other.
  KIST_TRY_ASSIGN(auto name, lease.temporary_name());
  std::string source = fmt::format("/proc/self/fd/{}", file);
  if (os::linkat(AT_FDCWD, source.c_str(), directory.descriptor(), name.c_str(), AT_SYMLINK_FOLLOW) != 0) {
    if (errno == EXDEV || errno == EPERM || errno == EMLINK || errno == ENOENT || errno == EOPNOTSUPP)
      return std::nullopt;
    return fail_errno(fmt::format("cannot link a file into {}", directory.show("tmp")));
  }
  Container container{Container::Kind::adopted, name_.finish(), static_cast<std::uint64_t>(status.st_size)};
  return StagedFile{container, TemporaryFile(directory, name), std::move(file_), status};
}

Status each_adopted_chunk(const StoreDirectory& directory, const TemporaryFile& table,
                          const std::function<Status(const ChunkRecord&, std::uint64_t at)>& each) {
  KIST_TRY_ASSIGN(auto file, directory.open_file(table.name(), O_RDONLY));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno(fmt::format("cannot read {}", table.path()));
  std::uint64_t end = static_cast<std::uint64_t>(status.st_size) - kContainerTrailerSize;
  std::uint64_t at = 0;
  Bytes buffer;
  for (std::uint64_t offset = kContainerHeaderSize; offset < end; offset += buffer.size()) {
    buffer.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kRecordBuffer, end - offset)));
    KIST_TRY(read_fully(file.get(), buffer.data(), buffer.size(), offset, table.path()));
    ByteReader reader(buffer);
    while (reader.left() > 0) {
      ChunkRecord chunk = read_chunk_record(reader);
      KIST_TRY(each(chunk, at));
      at += chunk.length;
    }
  }
  return {};
}

}  // namespace kist::store
