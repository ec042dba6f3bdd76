#include "store/index.hpp"

#include <algorithm>
#include <bit>
#include <map>

#include <fmt/format.h>
#include <sys/mman.h>

namespace kist::store {
namespace {

constexpr std::string_view kIndexMagic = "kistindx";
constexpr std::size_t kIndexHeaderSize = 32;
constexpr std::size_t kTrailerSize = kChecksumSize + kMagicSize;
constexpr std::size_t kContainerSize = 48;
constexpr std::size_t kRecordSize = kIdSize + 4 + 8 + 4 + 4;
constexpr unsigned kMostFanBits = 16;
constexpr std::size_t kReadWhole = 64 << 10;       // a smaller file is read and checked
constexpr std::size_t kCheckedAtOnce = 256 << 10;  // read at once to check a large one
constexpr std::uint32_t kPageRows = 1024;
constexpr std::uint32_t kBucketRows = 128;  // read at once to find one

std::atomic<std::uint64_t> mapped_bytes = 0;  // of this process

// Whether a file of this size may still be mapped; then it counts.
bool take_room(std::uint64_t size) {
  if (mapped_bytes.fetch_add(size) + size <= kMostMapped) return true;
  mapped_bytes -= size;
  return false;
}

// So many leading bits of an id choose a bucket of about 8 rows.
unsigned fan_bits_for(std::uint64_t records) {
  return std::min<unsigned>(kMostFanBits, static_cast<unsigned>(std::bit_width(records / 8)));
}

std::uint32_t bucket_of(const std::byte* id, unsigned bits) {
  std::uint32_t first = std::to_integer<std::uint32_t>(id[0]) << 8 | std::to_integer<std::uint32_t>(id[1]);
  return bits == 0 ? 0 : first >> (16 - bits);
}

// Orders as the ids do that differ in it.
std::uint64_t beginning_of(const Digest& id) {
  std::uint64_t first = 0;
  std::memcpy(&first, id.value.data(), sizeof first);
  return std::byteswap(first);
}

template <typename T>
T number_at(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Walks all sources at once in the order of ids.
class Merge {
 public:
  explicit Merge(std::span<const IndexSource> sources)
      : sources_(sources), next_(sources.size()), heads_(sources.size()) {
    for (std::size_t i = 0; i < sources_.size(); ++i) load(i);
  }
  // The next row and the source it is from; of several with one id the first source's where it is not avoided.
  std::optional<std::pair<std::size_t, IndexRecord>> next() {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < heads_.size(); ++i) {
      if (!heads_[i]) continue;
      const bool better = !best || heads_[i]->id < heads_[*best]->id ||
                          (heads_[i]->id == heads_[*best]->id && is_avoided(*best) && !is_avoided(i));
      if (better) best = i;
    }
    if (!best) return std::nullopt;
    std::pair<std::size_t, IndexRecord> result(*best, *heads_[*best]);
    for (std::size_t i = 0; i < heads_.size(); ++i)
      while (heads_[i] && heads_[i]->id == result.second.id) load(i);
    return result;
  }

 private:
  void load(std::size_t i) {
    heads_[i].reset();
    const IndexSource& source = sources_[i];
    while (next_[i] < source.count) {
      IndexRecord row = source.record(next_[i]++);
      if (row.container < source.dropped.size() && source.dropped[row.container]) continue;
      heads_[i] = row;
      return;
    }
  }
  bool is_avoided(std::size_t i) const {
    const auto& avoided = sources_[i].avoided;
    return heads_[i]->container < avoided.size() && avoided[heads_[i]->container];
  }
  std::span<const IndexSource> sources_;
  std::vector<std::uint32_t> next_;
  std::vector<std::optional<IndexRecord>> heads_;
};

// A file that is written through a buffer and a checksum.
class Output {
 public:
  explicit Output(TemporaryFile& file) : file_(file) {}
  ByteWriter writer() { return ByteWriter(buffer_); }
  Status spill(bool all) {
    if (!all && buffer_.size() < kBuffer) return {};
    checksum_.update(buffer_);
    KIST_TRY(file_.write(buffer_));
    buffer_.clear();
    return {};
  }
  std::array<std::byte, kChecksumSize> checksum() const { return checksum_.finish(); }

 private:
  static constexpr std::size_t kBuffer = 256 << 10;
  TemporaryFile& file_;
  Bytes buffer_;
  Checksum checksum_;
};

// What stands in a row, of which an empty one could not be read.
IndexRecord record_of(ByteSpan row) {
  IndexRecord record;
  if (row.empty()) {
    record.container = kNoContainer;
    return record;
  }
  ByteReader reader(row);
  record.id = reader.id();
  record.container = reader.u32();
  record.offset = reader.u64();
  record.stored = reader.u32();
  record.length = reader.u32();
  return record;
}

std::string hex(ByteSpan bytes) {
  std::string text;
  for (std::byte byte : bytes) text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return text;
}

}  // namespace

IndexFile::~IndexFile() {
  if (mapped_ == nullptr) return;
  ::munmap(mapped_, bytes_.size());
  mapped_bytes -= bytes_.size();
}

Result<std::shared_ptr<IndexFile>> IndexFile::open(const StoreDirectory& directory, const std::string& name,
                                                   const std::string& folder) {
  const std::string path = folder + "/" + name;
  const std::string shown = directory.show(path);
  KIST_TRY_ASSIGN(auto file, directory.open_file(path, O_RDONLY));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno(fmt::format("cannot read {}", shown));
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size < kReadWhole) {
    Bytes bytes(size);
    KIST_TRY(read_fully(file.get(), bytes.data(), size, 0, shown));
    auto index = parse(std::move(bytes), name);
    if (!index) return with_context(shown, index.error());
    if (auto checked = (*index)->check(); !checked) return with_context(shown, checked.error());
    return index;
  }
  std::shared_ptr<IndexFile> index(new IndexFile);
  index->name_ = name;
  if (take_room(size)) {
    void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
    if (mapped == MAP_FAILED) {
      mapped_bytes -= size;
      return fail_errno(fmt::format("cannot map {}", shown));
    }
    index->mapped_ = mapped;
    index->bytes_ = ByteSpan(static_cast<const std::byte*>(mapped), size);
    if (auto laid_out = index->lay_out(); !laid_out) return with_context(shown, laid_out.error());
    return index;
  }
  Bytes header(kIndexHeaderSize);
  Bytes trailer(kTrailerSize);
  KIST_TRY(read_fully(file.get(), header.data(), header.size(), 0, shown));
  KIST_TRY(read_fully(file.get(), trailer.data(), trailer.size(), size - trailer.size(), shown));
  if (auto laid_out = index->lay_out(header, trailer, size); !laid_out) return with_context(shown, laid_out.error());
  index->owned_.resize(index->records_at_);
  KIST_TRY(read_fully(file.get(), index->owned_.data(), index->owned_.size(), 0, shown));
  index->bytes_ = index->owned_;
  index->file_ = std::move(file);
  return index;
}

Result<std::shared_ptr<IndexFile>> IndexFile::parse(Bytes bytes, std::string name) {
  std::shared_ptr<IndexFile> index(new IndexFile);
  index->name_ = std::move(name);
  index->owned_ = std::move(bytes);
  index->bytes_ = index->owned_;
  KIST_TRY(index->lay_out());
  return index;
}

Status IndexFile::lay_out(ByteSpan beginning, ByteSpan end, std::uint64_t size) {
  if (size < kIndexHeaderSize + kTrailerSize) return fail(ErrorKind::corrupt, "too short for an index");
  size_ = size;
  ByteReader header(beginning.first(kIndexHeaderSize));
  if (header.text(kMagicSize) != kIndexMagic) return fail(ErrorKind::corrupt, "not an index");
  // The version first: what a newer kist wrote may end in another way.
  std::uint8_t version = header.u8();
  if (version > kFormatVersion)
    return fail(ErrorKind::unsupported,
                fmt::format("format version {}, this kist reads {}: use the newer one", version, kFormatVersion));
  if (version != kFormatVersion) return fail(ErrorKind::corrupt, fmt::format("format version {}", version));
  if (text_of(end.last(kMagicSize)) != kIndexMagic) return fail(ErrorKind::corrupt, "cut off");
  std::ranges::copy(end.last(kTrailerSize).first(kChecksumSize), checksum_.begin());
  if (header.u8() != static_cast<std::uint8_t>(Digest::Algorithm::sha256))
    return fail(ErrorKind::corrupt, "unknown digest algorithm");
  fan_bits_ = header.u8();
  bool zero = header.zeros(5);
  container_count_ = header.u32();
  record_count_ = header.u32();
  if (!zero || !header.zeros(8) || fan_bits_ > kMostFanBits) return fail(ErrorKind::corrupt, "impossible header");
  containers_at_ = kIndexHeaderSize;
  fan_at_ = containers_at_ + std::size_t{container_count_} * kContainerSize;
  records_at_ = fan_at_ + (std::size_t{1} << fan_bits_) * sizeof(std::uint32_t);
  if (records_at_ + std::size_t{record_count_} * kRecordSize + kTrailerSize != size)
    return fail(ErrorKind::corrupt, "its size is not the one its header says");
  seen_ = std::make_unique<std::atomic<Seen>[]>(container_count_);
  return {};
}

Container IndexFile::container(std::uint32_t number) const {
  ByteReader reader(bytes_.subspan(containers_at_ + std::size_t{number} * kContainerSize, kContainerSize));
  Container container;
  container.kind = reader.u8() == static_cast<std::uint8_t>(Container::Kind::adopted) ? Container::Kind::adopted
                                                                                      : Container::Kind::pack;
  reader.raw(7);
  container.name = reader.id();
  container.size = reader.u64();
  return container;
}

ByteSpan IndexFile::rows(std::uint32_t first, std::uint32_t count, Bytes& buffer) const {
  const std::uint64_t at = records_at_ + std::uint64_t{first} * kRecordSize;
  const std::size_t size = std::size_t{count} * kRecordSize;
  if (in_memory()) return bytes_.subspan(at, size);
  buffer.resize(size);
  return read_fully(file_.get(), buffer.data(), size, at, name_) ? ByteSpan(buffer) : ByteSpan();
}

IndexRecord IndexFile::record(std::uint32_t number) const {
  thread_local Bytes buffer;
  return record_of(rows(number, 1, buffer));
}

std::optional<IndexRecord> IndexFile::find(const Digest& id) const {
  auto number = position(id);
  if (!number) return std::nullopt;
  return record(*number);
}

std::optional<std::uint32_t> IndexFile::position(const Digest& id) const {
  thread_local Bytes buffer;
  std::uint32_t bucket = bucket_of(id.value.data(), fan_bits_);
  const std::byte* fan = bytes_.data() + fan_at_;
  std::uint32_t high = std::min(record_count_, number_at<std::uint32_t>(fan + bucket * sizeof(std::uint32_t)));
  std::uint32_t low = bucket == 0 ? 0 : number_at<std::uint32_t>(fan + (bucket - 1) * sizeof(std::uint32_t));
  // Rows that lie near each other are read together: a bucket is little, but of a very large index.
  ByteSpan near;
  std::uint32_t near_from = 0;
  while (low < high) {
    if (near.empty() && (in_memory() || high - low <= kBucketRows)) {
      near = rows(low, high - low, buffer);
      near_from = low;
      if (near.empty()) return std::nullopt;
    }
    const std::uint32_t middle = low + (high - low) / 2;
    const ByteSpan row =
        near.empty() ? rows(middle, 1, buffer) : near.subspan(std::size_t{middle - near_from} * kRecordSize);
    if (row.empty()) return std::nullopt;
    const int order = std::memcmp(row.data(), id.value.data(), kIdSize);
    if (order == 0) return middle;
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return std::nullopt;
}

IndexRecord IndexRows::operator[](std::uint32_t number) {
  if (number < first_ || number - first_ >= count_) {
    first_ = number;
    count_ = std::min(kPageRows, file_->records() - number);
    page_ = file_->rows(first_, count_, buffer_);
    if (page_.empty()) count_ = 0;
  }
  return record_of(page_.empty() ? page_ : page_.subspan(std::size_t{number - first_} * kRecordSize, kRecordSize));
}

Status IndexFile::check() const {
  Checksum checksum;
  const std::uint64_t end = size_ - kTrailerSize;
  if (in_memory()) {
    checksum.update(bytes_.first(end));
  } else {
    Bytes piece;
    for (std::uint64_t at = 0; at < end; at += piece.size()) {
      piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kCheckedAtOnce, end - at)));
      KIST_TRY(read_fully(file_.get(), piece.data(), piece.size(), at, name_));
      checksum.update(piece);
    }
  }
  if (checksum.finish() != checksum_) return fail(ErrorKind::corrupt, "the checksum of the index is wrong");
  return {};
}

std::string IndexFile::checksum() const {
  return hex(checksum_);
}

bool IndexFile::container_stands(const StoreDirectory& directory, std::uint32_t number) const {
  if (number >= container_count_) return false;
  Seen seen = seen_[number].load(std::memory_order_relaxed);
  if (seen == Seen::unknown) {
    Container which = container(number);
    auto status = directory.status(which.path());
    seen = status && S_ISREG(status->st_mode) && static_cast<std::uint64_t>(status->st_size) == which.size
               ? Seen::stands
               : Seen::missing;
    seen_[number].store(seen, std::memory_order_relaxed);
  }
  return seen == Seen::stands;
}

void IndexFile::leave_out(std::uint32_t number) const {
  seen_[number].store(Seen::missing, std::memory_order_relaxed);
}

IndexSource source_of(std::shared_ptr<const IndexFile> file) {
  IndexSource source;
  for (std::uint32_t i = 0; i < file->containers(); ++i) source.containers.push_back(file->container(i));
  source.count = file->records();
  auto rows = std::make_shared<IndexRows>(std::move(file));
  source.record = [rows](std::uint32_t number) { return (*rows)[number]; };
  return source;
}

IndexSource source_of(const StoreDirectory& directory, std::shared_ptr<const IndexFile> file) {
  std::vector<bool> avoided;
  for (std::uint32_t i = 0; i < file->containers(); ++i) avoided.push_back(!file->container_stands(directory, i));
  IndexSource source = source_of(std::move(file));
  source.avoided = std::move(avoided);
  return source;
}

IndexSource source_of(std::vector<Container> containers, std::vector<IndexRecord> records) {
  // Their order is found among the beginnings of their ids: it is the longer the farther it has to look and to move.
  struct Row {
    std::uint64_t beginning;
    std::uint32_t number;
  };
  std::vector<Row> order(records.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = {beginning_of(records[i].id), i};
  const auto is_before = [&](const Row& a, const Row& b) {
    if (a.beginning != b.beginning) return a.beginning < b.beginning;
    const auto by_id = records[a.number].id <=> records[b.number].id;
    return by_id != 0 ? by_id < 0 : a.number < b.number;
  };
  std::ranges::sort(order, is_before);
  const auto repeated = std::ranges::unique(order, {}, [&](const Row& row) { return records[row.number].id; });
  order.erase(repeated.begin(), repeated.end());
  IndexSource source;
  source.containers = std::move(containers);
  source.count = static_cast<std::uint32_t>(order.size());
  source.record = [kept = std::make_shared<const std::vector<IndexRecord>>(std::move(records)),
                   sorted = std::make_shared<const std::vector<Row>>(std::move(order))](std::uint32_t number) {
    return (*kept)[(*sorted)[number].number];
  };
  return source;
}

Result<std::string> write_index(TemporaryFile& file, std::span<const IndexSource> sources) {
  // The containers of all sources, each once, and the number each source's containers have in the new file.
  std::vector<Container> containers;
  std::map<std::pair<Container::Kind, Digest>, std::uint32_t> numbers;
  std::vector<std::vector<std::uint32_t>> renumbered;
  for (const IndexSource& source : sources) {
    auto& mapping = renumbered.emplace_back();
    for (const Container& container : source.containers) {
      if (mapping.size() < source.dropped.size() && source.dropped[mapping.size()]) {
        mapping.push_back(0);  // none of its rows comes this far
        continue;
      }
      auto [at, added] =
          numbers.try_emplace({container.kind, container.name}, static_cast<std::uint32_t>(containers.size()));
      if (added) containers.push_back(container);
      mapping.push_back(at->second);
    }
  }

  // The fan-out stands before the rows, so they are walked twice: counted first, then written.
  std::uint64_t most = 0;
  for (const IndexSource& source : sources) most += source.count;
  const unsigned bits = fan_bits_for(most);
  std::vector<std::uint32_t> fan(std::size_t{1} << bits, 0);
  std::uint32_t count = 0;
  for (Merge merge(sources); auto row = merge.next();) {
    if (row->second.container >= renumbered[row->first].size())
      return fail(ErrorKind::corrupt, "an index names a container it does not have");
    ++fan[bucket_of(row->second.id.value.data(), bits)];
    ++count;
  }
  for (std::size_t i = 1; i < fan.size(); ++i) fan[i] += fan[i - 1];

  Output output(file);
  ByteWriter writer = output.writer();
  writer.text(kIndexMagic);
  writer.u8(kFormatVersion);
  writer.u8(static_cast<std::uint8_t>(Digest::Algorithm::sha256));
  writer.u8(static_cast<std::uint8_t>(bits));
  writer.zeros(5);
  writer.u32(static_cast<std::uint32_t>(containers.size()));
  writer.u32(count);
  writer.zeros(8);
  for (const Container& container : containers) {
    writer.u8(static_cast<std::uint8_t>(container.kind));
    writer.zeros(7);
    writer.id(container.name);
    writer.u64(container.size);
    KIST_TRY(output.spill(false));
  }
  for (std::uint32_t end : fan) writer.u32(end);
  // A source whose file cannot be read any more gives other rows than the first time.
  std::uint32_t written = 0;
  for (Merge merge(sources); auto row = merge.next(); ++written) {
    if (written == count || row->second.container >= renumbered[row->first].size())
      return fail(ErrorKind::unavailable, "an index could not be read a second time");
    writer.id(row->second.id);
    writer.u32(renumbered[row->first][row->second.container]);
    writer.u64(row->second.offset);
    writer.u32(row->second.stored);
    writer.u32(row->second.length);
    KIST_TRY(output.spill(false));
  }
  if (written != count) return fail(ErrorKind::unavailable, "an index could not be read a second time");
  KIST_TRY(output.spill(true));
  auto checksum = output.checksum();
  writer.raw(checksum);
  writer.text(kIndexMagic);
  KIST_TRY(output.spill(true));
  file.start_sync();
  return hex(checksum);
}

}  // namespace kist::store
