// Any bytes are a pack, an adopted file's table, an index, a chunk list, a frame or a list of condemned containers, or
// are refused; and nothing that is read of them points outside of what it is in.
//
// The first byte says what the rest is. Where a checksum or a name is taken over it, it is made right, so that what
// stands behind them is reached.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>

#include <fmt/format.h>

#include "base/file.hpp"
#include "pieces.hpp"
#include "store/chunk_list.hpp"
#include "store/chunker.hpp"
#include "store/condemned.hpp"
#include "store/container_table.hpp"
#include "store/frame.hpp"
#include "store/references.hpp"

using namespace kist;
using namespace kist::store;
namespace fs = std::filesystem;

namespace {

void require(bool holds) {
  if (!holds) __builtin_trap();
}

Bytes trailer_of(ByteSpan records, std::size_t count, std::string_view magic) {
  Bytes header;
  ByteWriter writer(header);
  writer.text(magic);
  writer.u8(kFormatVersion);
  writer.u8(static_cast<std::uint8_t>(Digest::Algorithm::sha256));
  writer.zeros(6);
  Checksum checksum;
  checksum.update(header);
  checksum.update(records);
  Bytes out;
  ByteWriter end(out);
  end.u32(static_cast<std::uint32_t>(count));
  end.zeros(4);
  end.raw(checksum.finish());
  end.text(magic);
  return out;
}

// The input is the records; the file they are of has the size that they say, or another one.
void pack(ByteSpan input) {
  const std::size_t count = input.size() / kPackRecordSize;
  const ByteSpan records = input.first(count * kPackRecordSize);
  Bytes footer(records.begin(), records.end());
  const Bytes end = trailer_of(records, count, "kistpack");
  footer.insert(footer.end(), end.begin(), end.end());
  std::uint64_t size = kContainerHeaderSize + footer.size();
  ByteReader reader(records);
  for (std::size_t i = 0; i < count; ++i) size += read_pack_record(reader).stored;
  require(pack_footer_size(end, size).value_or(0) == footer.size());
  if (const auto parsed = parse_pack(pack_header(Codec::zstd), footer, size)) {
    require(parsed->size() == count);
    for (const PackRecord& record : *parsed) require(record.stored <= record.length);
  }
  require(!parse_pack(pack_header(Codec::zstd), footer, size + 1));
}

void table(ByteSpan input) {
  static const auto scratch = ScratchDirectory::make("/dev/shm", "kist-fuzz-").value();
  static const auto directory = StoreDirectory::open(scratch.path() / "store").value();
  const std::size_t count = input.size() / kChunkRecordSize;
  Bytes records(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(count * kChunkRecordSize));
  std::uint64_t size = 0;
  for (std::size_t i = 0; i < count; ++i) {
    records[i * kChunkRecordSize] = std::byte{1};  // the algorithm
    std::uint32_t length = 0;
    std::memcpy(&length, records.data() + i * kChunkRecordSize + kDigestSize, sizeof length);
    size += length;
  }
  const Container container{Container::Kind::adopted, sha256(records), size};
  const Bytes end = trailer_of(records, count, "kisttabl");
  std::string text(text_of(adopted_table_header()));
  text += text_of(records);
  text += text_of(end);
  require(replace_file(scratch.path() / "store" / container.table_path(), text, 0600).has_value());
  require(replace_file(scratch.path() / "store" / container.path(), "", 0600).has_value());
  fs::resize_file(scratch.path() / "store" / container.path(), size);
  if (const auto opened = ContainerTable::open(directory, container.file())) {
    std::uint64_t at = 0;
    require(opened
                ->each([&](const IndexRecord& frame) -> Status {
                  require(frame.offset == at && frame.length > 0 && frame.length <= kChunkMax);
                  at += frame.stored;
                  return {};
                })
                .has_value());
    require(at == size && opened->frames() == count);
  }
  fs::remove(scratch.path() / "store" / container.path());
  fs::remove(scratch.path() / "store" / container.table_path());
}

void index(ByteSpan input) {
  auto parsed = IndexFile::parse(Bytes(input.begin(), input.end()), "fuzzed");
  if (!parsed) return;
  const std::shared_ptr<const IndexFile> file = std::move(*parsed);
  (void)file->check();
  for (std::uint32_t i = 0; i < file->containers(); ++i) require(file->container(i).path().size() > kContainers.size());
  IndexRows rows(file);
  for (std::uint32_t i = 0; i < file->records(); ++i) {
    const IndexRecord row = rows[i];
    require(row.id == file->record(i).id);
    if (const auto found = file->position(row.id)) require(file->record(*found).id == row.id);
  }
}

// Pieces of a list, each behind its length; they are given out whatever their digests are.
class Pieces final : public ChunkSource {
 public:
  explicit Pieces(ByteSpan input) : pieces_(fuzz::split_into_pieces(input)) {}
  Status read(const Digest& id, Bytes& out) override {
    if (--left_ < 0 || pieces_.empty()) return fail(ErrorKind::not_found, "no such chunk");
    out = pieces_[std::to_integer<std::size_t>(id.value[0]) % pieces_.size()];
    return {};
  }

 private:
  std::vector<Bytes> pieces_;
  int left_ = 1000;
};

void list(ByteSpan input) {
  if (input.size() < 17) return;
  ByteReader reader(input);
  FileContent content;
  content.size = reader.u64();
  content.depth = 1 + reader.u8() % kDeepestList;
  const std::uint64_t from = reader.u64() % std::max<std::uint64_t>(1, content.size);
  Pieces pieces(input.subspan(17));
  std::uint64_t end = 0;
  (void)each_chunk(content, pieces, from, content.size, [&](const ChunkRecord& chunk, std::uint64_t at) -> Status {
    require(chunk.length > 0 && chunk.length <= kChunkMax && at + chunk.length > from);
    require((end == 0 || at == end) && at + chunk.length <= content.size);
    end = at + chunk.length;
    return {};
  });
}

void frame(ByteSpan input) {
  if (input.size() < 4) return;
  std::uint32_t length = 0;
  std::memcpy(&length, input.data(), sizeof length);
  length %= kChunkMax + 1;
  Bytes out;
  if (decode_frame(input.subspan(4), length, out)) require(out.size() == length);
  for (const Codec codec : {Codec::zstd, Codec::lz4}) {
    out.clear();
    const std::size_t stored = compress_frame(input, codec, out);
    Bytes again;
    if (stored > 0) require(decode_frame(out, input.size(), again) && std::ranges::equal(again, input));
    require(stored == 0 || codec == Codec::lz4 || codec_of(out, input.size()) == Codec::zstd);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteSpan rest = std::as_bytes(std::span(data + 1, size - 1));
  switch (data[0] % 6) {
    case 0:
      pack(rest);
      break;
    case 1:
      table(rest);
      break;
    case 2:
      index(rest);
      break;
    case 3:
      list(rest);
      break;
    case 4:
      frame(rest);
      break;
    default:
      std::string condemned(text_of(rest));
      condemned += fmt::format("end {}\n", sha256(condemned).hex());
      (void)CondemnedList::parse(condemned);
      if (const auto name = decode_reference_name(text_of(rest)))
        require(encode_reference_name(*name).value_or("") == text_of(rest));
  }
  return 0;
}
