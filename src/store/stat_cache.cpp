// The file: 64 bytes of header, rows, lists.
//
// A row has its place by the inode's number, so that the files of a directory, which mostly were made one after the
// other, stand together; any of kWindow rows from there will do. Chunk lists of more than one chunk do not fit into a
// row: they are written into a ring behind the rows, whose end the header tells.
#include "store/stat_cache.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/system.hpp"
#include "store/file_time.hpp"

namespace kist::store {
namespace {

using Row = StatCache::Row;

constexpr const char* kName = "stat-cache";
constexpr std::string_view kCacheMagic = "kiststat";
constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kCacheHeaderSize = 64;
constexpr std::uint64_t kRows = 1 << 19;  // 44 MiB
constexpr std::size_t kWindow = 8;
constexpr std::size_t kNear = 56;  // rows read at once, with a window about a page
constexpr std::uint64_t kListsAt = kCacheHeaderSize + (kRows + kWindow) * sizeof(Row);
constexpr std::uint64_t kLists = 16 << 20;
constexpr std::size_t kMostKept = 32768;       // rows in memory
constexpr std::uint64_t kRowsTogether = 256;   // rows so near to each other are written together
constexpr std::int64_t kRacy = 2'000'000'000;  // nanoseconds
constexpr std::int64_t kUnseen =
    60'000'000'000;  // twice the time after which the kernel writes a dirty page by default

static_assert(sizeof(Row) == 88);

struct Header {
  char magic[8] = {};
  std::uint64_t version = 0;
  std::uint64_t lists_end = 0;  // in the ring
};

std::uint64_t place_of(std::uint64_t inode) {
  return inode % kRows;
}
off_t offset_of(std::uint64_t row) {
  return static_cast<off_t>(kCacheHeaderSize + row * sizeof(Row));
}

std::int64_t nanoseconds(const timespec& time) {
  return from_timespec(time).time_since_epoch().count();
}

std::array<std::byte, kChecksumSize> checksum_of(ByteSpan bytes) {
  Checksum checksum;
  checksum.update(bytes);
  return checksum.finish();
}

std::uint64_t checksum_of(const Row& row) {
  auto sum = checksum_of(std::as_bytes(std::span(&row, 1)).subspan(sizeof row.checksum));
  std::uint64_t first = 0;
  std::memcpy(&first, sum.data(), sizeof first);
  return first;
}

Row row_of(const struct stat& status) {
  Row row;
  row.device = status.st_dev;
  row.inode = status.st_ino;
  row.size = static_cast<std::uint64_t>(status.st_size);
  row.modified = nanoseconds(status.st_mtim);
  row.changed = nanoseconds(status.st_ctim);
  return row;
}

bool same_file(const Row& a, const Row& b) {
  return a.device == b.device && a.inode == b.inode;
}

bool read_all(int file, void* out, std::size_t count, off_t offset) {
  return os::pread(file, out, count, offset) == static_cast<ssize_t>(count);
}
bool write_all(int file, const void* bytes, std::size_t count, off_t offset) {
  return os::pwrite(file, bytes, count, offset) == static_cast<ssize_t>(count);
}

void write_list(Bytes& out, const FileContent& content) {
  ByteWriter writer(out);
  writer.u8(static_cast<std::uint8_t>(content.depth));
  if (content.depth == 0) {
    for (const ChunkRecord& chunk : content.chunks) write_chunk_record(out, chunk);
  } else {
    writer.digest(content.outside_id);
    writer.digest(content.root);
  }
}

std::optional<FileContent> read_list(ByteSpan bytes, std::uint64_t size) {
  FileContent content;
  content.size = size;
  ByteReader reader(bytes);
  content.depth = reader.u8();
  if (content.depth == 0) {
    while (reader.left() > 0) content.chunks.push_back(read_chunk_record(reader));
  } else {
    content.outside_id = reader.digest();
    content.root = reader.digest();
  }
  return reader.good() ? std::optional(std::move(content)) : std::nullopt;
}

// File systems that give every change of content a new ctime, and tell of dirty pages.
bool is_believed(long type) {
  constexpr long kExt = 0xEF53;
  constexpr long kXfs = 0x58465342;
  constexpr long kBtrfs = 0x9123683E;
  constexpr long kF2fs = 0xF2F52010;
  return type == kExt || type == kXfs || type == kBtrfs || type == kF2fs;
}

enum class Pages { clean, dirty, unknown };

Pages pages_of(int file) {
  // As in <linux/mman.h> from 6.5 on.
  struct {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;  // to the end
  } range;
  struct {
    std::uint64_t cached = 0, dirty = 0, being_written = 0, evicted = 0, recently_evicted = 0;
  } pages;
  constexpr long kCachestat = 451;  // on all architectures
  if (::syscall(kCachestat, file, &range, &pages, 0) != 0) return Pages::unknown;
  return pages.dirty == 0 && pages.being_written == 0 ? Pages::clean : Pages::dirty;
}

}  // namespace

StatCache::StatCache(const StoreDirectory& directory) : directory_(directory) {
  if (auto file = directory_.open_file(kName, O_RDWR)) file_ = std::move(*file);
  Header header;
  if (file_ && (!read_all(file_.get(), &header, sizeof header, 0) ||
                std::string_view(header.magic, sizeof header.magic) != kCacheMagic || header.version != kVersion))
    file_.reset();
}

// Where the rows of an inode may stand.
std::span<const Row> StatCache::window(ino_t inode) {
  if (!file_) return {};
  const std::uint64_t place = place_of(inode);
  if (!near_from_ || place < *near_from_ || place >= *near_from_ + kNear) {
    near_.resize(kNear + kWindow);
    near_from_.reset();
    auto got = os::pread(file_.get(), near_.data(), near_.size() * sizeof(Row), offset_of(place));
    if (got < 0) return {};
    near_.resize(static_cast<std::size_t>(got) / sizeof(Row));  // the file may end here
    near_from_ = place;
  }
  std::span<const Row> rows = near_;
  rows = rows.subspan(std::min<std::size_t>(rows.size(), place - *near_from_));
  return rows.first(std::min(rows.size(), kWindow));
}

bool StatCache::may_know(ino_t inode) {
  return std::ranges::any_of(window(inode),
                             [&](const Row& row) { return row.inode == inode && row.kind != Row::Kind::none; });
}

std::optional<FileContent> StatCache::find(const struct stat& status) {
  const Row wanted = row_of(status);
  for (const Row& row : window(status.st_ino)) {
    if (!same_file(row, wanted) || row.size != wanted.size || row.modified != wanted.modified ||
        row.changed != wanted.changed || row.checksum != checksum_of(row))
      continue;
    ByteReader value(row.value);
    if (row.kind == Row::Kind::one_chunk) {
      FileContent content;
      content.size = row.size;
      content.chunks.push_back({value.id(), static_cast<std::uint32_t>(row.size)});
      return content;
    }
    std::uint64_t at = value.u64();
    std::uint32_t length = value.u32();
    value.u32();
    ByteSpan sum = value.raw(kChecksumSize);
    if (row.kind != Row::Kind::list || length > kLists || at > kLists - length) continue;
    Bytes list(length);
    if (!read_all(file_.get(), list.data(), length, static_cast<off_t>(kListsAt + at))) continue;
    if (std::memcmp(checksum_of(list).data(), sum.data(), kChecksumSize) != 0) continue;
    return read_list(list, row.size);
  }
  return std::nullopt;
}

bool StatCache::may_keep(int file, const struct stat& status) {
  if (status.st_size == 0) return false;  // nothing to read anyway
  const std::int64_t age =
      now().time_since_epoch().count() - std::max(nanoseconds(status.st_mtim), nanoseconds(status.st_ctim));
  if (age < kRacy) return false;
  if (device_ != status.st_dev) {
    struct statfs system{};
    believed_ = ::fstatfs(file, &system) == 0 && is_believed(static_cast<long>(system.f_type));
    device_ = status.st_dev;
  }
  if (!believed_) return false;
  Pages pages = pages_of(file);
  return pages == Pages::clean || (pages == Pages::unknown && age >= kUnseen);
}

void StatCache::keep(const struct stat& status, const FileContent& content) {
  if (rows_.size() >= kMostKept || lists_.size() >= kLists / 4) flush();
  Row& row = rows_.emplace_back(row_of(status));
  Bytes value;
  if (content.chunks.size() == 1) {
    row.kind = Row::Kind::one_chunk;
    ByteWriter(value).id(content.chunks[0].id);
  } else {
    row.kind = Row::Kind::list;
    std::size_t start = lists_.size();
    write_list(lists_, content);
    ByteSpan list = ByteSpan(lists_).subspan(start);
    ByteWriter writer(value);
    writer.u64(start);  // of lists_, until they have their place
    writer.u32(static_cast<std::uint32_t>(list.size()));
    writer.zeros(4);
    writer.raw(checksum_of(list));
  }
  std::ranges::copy(value, row.value.begin());
}

void StatCache::flush() {
  std::vector<Row> rows = std::exchange(rows_, {});
  Bytes lists = std::exchange(lists_, {});
  near_from_.reset();
  if (rows.empty()) return;
  Header header;
  if (!file_) {
    auto file = directory_.open_file(kName, O_RDWR | O_CREAT);
    if (!file) return;
    file_ = std::move(*file);
  }
  // Another writer is not waited for: it has what is newest, too.
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) return;
  bool made = !read_all(file_.get(), &header, sizeof header, 0) ||
              std::string_view(header.magic, sizeof header.magic) != kCacheMagic || header.version != kVersion;
  if (made) {
    if (os::ftruncate(file_.get(), 0) != 0) return;
    header = {};
    std::memcpy(header.magic, kCacheMagic.data(), kCacheMagic.size());
    header.version = kVersion;
  }
  std::uint64_t lists_at = header.lists_end > kLists - lists.size() ? 0 : header.lists_end;
  header.lists_end = lists_at + lists.size();
  bool written =
      write_all(file_.get(), &header, sizeof header, 0) &&
      (lists.empty() || write_all(file_.get(), lists.data(), lists.size(), static_cast<off_t>(kListsAt + lists_at)));
  for (Row& row : rows) {
    if (row.kind == Row::Kind::list) {
      std::uint64_t at = 0;
      std::memcpy(&at, row.value.data(), sizeof at);
      at += lists_at;
      std::memcpy(row.value.data(), &at, sizeof at);
    }
    row.checksum = checksum_of(row);
  }
  if (written) (void)write_rows(std::move(rows));
  ::flock(file_.get(), LOCK_UN);
}

bool StatCache::write_rows(std::vector<Row> rows) {
  std::ranges::sort(rows, {}, [](const Row& row) { return place_of(row.inode); });
  for (auto first = rows.begin(); first != rows.end();) {
    const std::uint64_t from = place_of(first->inode);
    auto last =
        std::find_if(first, rows.end(), [&](const Row& row) { return place_of(row.inode) > from + kRowsTogether; });
    std::vector<Row> there(kRowsTogether + 1 + kWindow);
    if (os::pread(file_.get(), there.data(), there.size() * sizeof(Row), offset_of(from)) < 0) return false;
    std::uint64_t end = from;
    for (; first != last; ++first) {
      const std::uint64_t place = place_of(first->inode) - from;
      std::span<Row> window = std::span(there).subspan(place, kWindow);
      auto row = std::ranges::find_if(window, [&](const Row& other) { return same_file(other, *first); });
      if (row == window.end()) row = std::ranges::find(window, Row::Kind::none, &Row::kind);
      if (row == window.end()) row = window.begin() + static_cast<std::ptrdiff_t>(first->checksum % kWindow);
      *row = *first;
      end = std::max(end, from + place + kWindow);
    }
    end = std::min(end, kRows + kWindow);
    if (!write_all(file_.get(), there.data(), (end - from) * sizeof(Row), offset_of(from))) return false;
  }
  return true;
}

}  // namespace kist::store
