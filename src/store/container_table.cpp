#include "store/container_table.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "store/chunker.hpp"

namespace kist::store {
namespace {
constexpr std::size_t kRecordsAtOnce = 4096;
}

Result<ContainerTable> ContainerTable::open(const StoreDirectory& directory, const std::string& file) {
  const auto known = Container::from_file(file, 0);
  if (!known)
    return fail(ErrorKind::corrupt,
                fmt::format("{}: not a name kist gives", directory.show(std::string(kContainers) + file)));
  ContainerTable table;
  table.container_ = *known;
  KIST_TRY_ASSIGN(auto container, directory.open_file(known->path(), O_RDONLY));
  struct stat status{};
  if (::fstat(container.get(), &status) != 0) return fail_errno(fmt::format("cannot read {}", directory.show(file)));
  table.container_.size = static_cast<std::uint64_t>(status.st_size);
  if (known->kind == Container::Kind::pack) {
    table.path_ = directory.show(known->path());
    table.file_ = std::move(container);
  } else {
    table.path_ = directory.show(known->table_path());
    KIST_TRY_ASSIGN(table.file_, directory.open_file(known->table_path(), O_RDONLY));
  }
  if (auto checked = table.check(); !checked) return with_context(table.path_, checked.error());
  return table;
}

Status ContainerTable::check() {
  const bool is_pack = container_.kind == Container::Kind::pack;
  struct stat status{};
  if (::fstat(file_.get(), &status) != 0) return fail_errno("cannot read it");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size < kContainerHeaderSize + kContainerTrailerSize)
    return fail(ErrorKind::corrupt, "cut off before its trailer");
  Bytes header(kContainerHeaderSize);
  KIST_TRY(read_fully(file_.get(), header.data(), header.size(), 0, path_));
  // The version first: what a newer kist wrote may end in another way.
  KIST_TRY(check_container_header(header, container_.kind));
  codec_ = pack_codec(header);
  Bytes end(kContainerTrailerSize);
  KIST_TRY(read_fully(file_.get(), end.data(), end.size(), size - end.size(), path_));
  KIST_TRY_ASSIGN(auto trailer, read_container_trailer(end, container_.kind));
  frames_ = trailer.records;
  const std::uint64_t records = std::uint64_t{frames_} * (is_pack ? kPackRecordSize : kChunkRecordSize);
  const std::uint64_t room = size - kContainerHeaderSize - kContainerTrailerSize;
  if (is_pack ? records > room : records != room)
    return fail(ErrorKind::corrupt, fmt::format("its {} records do not fit into its {} bytes", frames_, size));
  records_at_ = size - kContainerTrailerSize - records;

  Checksum checksum;
  Sha256 name;
  checksum.update(header);
  if (is_pack) name.update(header);
  std::uint64_t at = is_pack ? kContainerHeaderSize : 0;
  auto take = [&](ByteSpan piece) {
    checksum.update(piece);
    name.update(piece);
  };
  KIST_TRY(read(take, [&](const IndexRecord& frame) -> Status {
    at = frame.offset + frame.stored;
    return {};
  }));
  if (checksum.finish() != trailer.checksum) return fail(ErrorKind::corrupt, "the checksum of its table is wrong");
  if (name.finish() != container_.name) return fail(ErrorKind::corrupt, "its table is not the one it is named after");
  const std::uint64_t wanted = is_pack ? records_at_ : container_.size;
  if (at != wanted) return fail(ErrorKind::corrupt, fmt::format("its frames end at {} and not at {}", at, wanted));
  return {};
}

Status ContainerTable::each(const Each& each) const {
  return read([](ByteSpan) {}, each);
}

Status ContainerTable::read(const std::function<void(ByteSpan)>& piece, const Each& each) const {
  const bool is_pack = container_.kind == Container::Kind::pack;
  const std::size_t record_size = is_pack ? kPackRecordSize : kChunkRecordSize;
  std::uint64_t offset = is_pack ? kContainerHeaderSize : 0;
  Bytes bytes;
  for (std::uint32_t done = 0; done < frames_;) {
    const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(kRecordsAtOnce, frames_ - done));
    bytes.resize(count * record_size);
    KIST_TRY(
        read_fully(file_.get(), bytes.data(), bytes.size(), records_at_ + std::uint64_t{done} * record_size, path_));
    piece(bytes);
    ByteReader reader(bytes);
    for (std::uint32_t i = 0; i < count; ++i) {
      PackRecord record;
      if (is_pack) {
        record = read_pack_record(reader);
      } else {
        const ChunkRecord chunk = read_chunk_record(reader);
        record = {chunk.id, chunk.length, chunk.length};
      }
      const std::uint32_t most = is_pack ? kLargestObject : static_cast<std::uint32_t>(kChunkMax);
      const bool is_possible =
          record.stored <= record.length && record.length <= most && (is_pack || record.length > 0);
      if (!is_possible || !reader.good())
        return fail(ErrorKind::corrupt,
                    fmt::format("{}: impossible frame of {} bytes for {}", path_, record.stored, record.length));
      KIST_TRY(each({record.id, 0, offset, record.stored, record.length}));
      offset += record.stored;
    }
    done += count;
  }
  return {};
}

}  // namespace kist::store
