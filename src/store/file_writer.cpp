#include "store/file_writer.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/system.hpp"
#include "store/chunker.hpp"
#include "store/file_time.hpp"

namespace kist::store {
namespace {

constexpr std::uint64_t kReadAhead = 512 << 10;  // of the files of one group
constexpr std::uint64_t kKeptOfEach = 4 << 10;   // of what was there for a larger file
constexpr std::size_t kZeroBlock = 4096;
constexpr std::size_t kHoleFrom = 16 << 10;  // a shorter run of zeros costs less written than left out

// The length of the run of whole zero blocks, or of blocks that are not, that the bytes begin with. `at` is the offset
// of the first byte in the file: only whole blocks of the file can be holes.
struct Run {
  std::size_t length;
  bool zero;
};
Run first_run(ByteSpan bytes, std::uint64_t at) {
  auto zero_block = [&](std::size_t from) {
    return std::to_integer<int>(bytes[from]) == 0 && std::memcmp(&bytes[from], zero_bytes().data(), kZeroBlock) == 0;
  };
  auto from = static_cast<std::size_t>((kZeroBlock - at % kZeroBlock) % kZeroBlock);
  std::size_t run = 0;  // bytes of zero blocks before `from`
  for (; from + kZeroBlock <= bytes.size(); from += kZeroBlock) {
    if (zero_block(from)) {
      run += kZeroBlock;
      continue;
    }
    if (run >= kHoleFrom) break;
    run = 0;
  }
  if (run < kHoleFrom) return {bytes.size(), false};
  std::size_t begin = std::min(from, bytes.size()) - run;
  return begin == 0 ? Run{run, true} : Run{begin, false};
}

Status write_sparse(int file, ByteSpan bytes, std::uint64_t at, bool& hole_at_end) {
  while (!bytes.empty()) {
    Run run = first_run(bytes, at);
    hole_at_end = run.zero;
    ByteSpan part = bytes.first(run.length);
    bytes = bytes.subspan(run.length);
    if (run.zero) {
      at += part.size();
      continue;
    }
    while (!part.empty()) {
      ssize_t count = os::pwrite(file, part.data(), part.size(), static_cast<off_t>(at));
      if (count < 0) return fail_errno("cannot write it");
      part = part.subspan(static_cast<std::size_t>(count));
      at += static_cast<std::uint64_t>(count);
    }
  }
  return {};
}

// The mode that open() may give it; what the umask or a default ACL takes away is given back at the end. Attributes can
// be set only where the owner may write.
Result<FileDescriptor> create(const TreeEntry& entry, int directory, const std::string& name) {
  constexpr mode_t kGivenByOpen = 0777;
  const mode_t writable = entry.extra.attributes.empty() ? 0 : 0200;
  FileDescriptor file(os::openat(directory, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
                                 (entry.mode & kGivenByOpen) | writable));
  if (!file) return fail_errno("cannot create it");
  return file;
}

Status write_chunk(ByteSpan bytes, const ChunkRecord& chunk, int file, std::uint64_t at, bool& hole_at_end) {
  if (bytes.size() != chunk.length)
    return fail(ErrorKind::corrupt,
                fmt::format("chunk {} has {} bytes, {} expected", chunk.id.hex(), bytes.size(), chunk.length));
  return write_sparse(file, bytes, at, hole_at_end);
}

bool is_one_small_chunk(const TreeEntry& entry) {
  return entry.type == EntryType::file && entry.content.chunks.size() == 1 && entry.content.size <= kSmallFile;
}

bool cannot_link(int error) {
  return error == EPERM || error == EOPNOTSUPP || error == ENOSYS || error == EMLINK || error == EXDEV;
}

std::string join(std::string_view parent, const std::string& name) {
  return parent.empty() ? name : fmt::format("{}/{}", parent, name);
}

}  // namespace

Result<int> FileWriter::directory(std::string_view parent, const TreeEntry& entry) {
  auto directory = chain_.open(parent);
  if (!directory && directory.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::corrupt, fmt::format("damaged tree: '{}' lies in no directory", entry.path));
  return directory;
}

// Makes something under its name, or beside it where the name is taken by what may be replaced. Returns the name it
// got.
template <typename Make>
Result<std::string> FileWriter::make(int directory, const std::string& path, const std::string& name,
                                     const Make& make_as) {
  auto made = make_as(name);
  if (made) return name;
  if (made.error().kind != ErrorKind::conflict)
    return with_context(fmt::format("cannot write {}", chain_.show(path)), made.error());
  struct stat status{};
  bool there = ::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
  if (there && S_ISDIR(status.st_mode))
    return fail(ErrorKind::conflict, fmt::format("{} exists and is a directory", chain_.show(path)));
  if (!options_.overwrite) return fail(ErrorKind::conflict, fmt::format("{} exists already", chain_.show(path)));
  std::string beside = fmt::format(".kist-{:08x}{:08x}", random_(), random_());
  made = make_as(beside);
  if (made) return beside;
  os::unlinkat(directory, beside.c_str(), 0);
  return with_context(fmt::format("cannot write {}", chain_.show(path)), made.error());
}

Status FileWriter::settle(int directory, const std::string& made_as, const std::string& name) {
  if (made_as == name || os::renameat(directory, made_as.c_str(), directory, name.c_str()) == 0) return {};
  Status failed = fail_errno(fmt::format("cannot rename {} to {}", made_as, name));
  os::unlinkat(directory, made_as.c_str(), 0);
  return failed;
}

Status FileWriter::write(std::span<const One> entries) {
  while (!entries.empty()) {
    std::size_t count = 0;
    std::uint64_t bytes = 0;
    while (count < entries.size() && bytes < kReadAhead) bytes += entries[count++].entry.content.size;
    // Where one of them cannot be read, those before it are written, and the error is that of its own file.
    const bool is_read = read_ahead(entries.first(count)).has_value();
    const Bytes* next = ahead_bytes_.data();
    for (const auto& [entry, parent] : entries.first(count)) {
      const std::string name(name_of(entry.path));
      KIST_TRY(write(entry, parent, name, is_read && is_one_small_chunk(entry) ? next++ : nullptr));
    }
    entries = entries.subspan(count);
  }
  return {};
}

Status FileWriter::read_ahead(std::span<const One> entries) {
  ahead_.clear();
  for (const auto& [entry, parent] : entries) {
    if (!is_one_small_chunk(entry)) continue;
    if (ahead_bytes_.size() == ahead_.size()) ahead_bytes_.emplace_back();
    Bytes& bytes = ahead_bytes_[ahead_.size()];
    if (bytes.capacity() > 2 * entry.content.size + kKeptOfEach) bytes = {};
    ahead_.push_back(entry.content.chunks.front().id);
  }
  return source_.read_each(ahead_, std::span(ahead_bytes_).first(ahead_.size()));
}

// `content`: all bytes of a file, where they were read already.
Status FileWriter::write(const TreeEntry& entry, std::string_view parent, const std::string& name,
                         const Bytes* content) {
  KIST_TRY_ASSIGN(int above, directory(parent, entry));
  KIST_TRY_ASSIGN(auto made_as, make(above, join(parent, name), name, [&](const std::string& as) {
                    return entry.type == EntryType::link ? make_link(entry, above, as)
                                                         : make_file(entry, above, as, content);
                  }));
  return settle(above, made_as, name);
}

Status FileWriter::write_same(const TreeEntry& entry, std::string_view parent, const std::string& name,
                              std::string_view other_parent, const std::string& other) {
  KIST_TRY_ASSIGN(const int there, directory(other_parent, entry));
  const FileDescriptor held(::fcntl(there, F_DUPFD_CLOEXEC, 0));  // the chain holds one at a time
  if (!held) return fail_errno(fmt::format("cannot open {}", chain_.show(other_parent)));
  KIST_TRY_ASSIGN(const int above, directory(parent, entry));
  KIST_TRY_ASSIGN(auto made_as, make(above, join(parent, name), name, [&](const std::string& as) -> Status {
                    if (os::linkat(held.get(), other.c_str(), above, as.c_str(), 0) == 0) return {};
                    if (cannot_link(errno)) return make_file(entry, above, as, nullptr);
                    return fail_errno("cannot link it");
                  }));
  return settle(above, made_as, name);
}

// A linked file has no attributes of its own.
Result<bool> FileWriter::link(const TreeEntry& entry, int directory, const std::string& name) {
  if (!options_.link || !entry.extra.attributes.empty()) return false;
  return options_.link(entry, directory, name);
}

Status FileWriter::make_link(const TreeEntry& entry, int directory, const std::string& name) {
  if (os::symlinkat(entry.link_target.c_str(), directory, name.c_str()) != 0)
    return fail_errno("cannot create the link");
  KIST_TRY(set_attributes(directory, name, entry.extra.attributes, entry.path, refused_));
  timespec times[2] = {{0, UTIME_NOW}, to_timespec(entry.modified)};
  if (os::utimensat(directory, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) return fail_errno("cannot set its time");
  return {};
}

// Attributes come after the content, which takes capabilities away, and before a mode that forbids to set them.
Status FileWriter::complete(const TreeEntry& entry, int file, bool hole_at_end) {
  if (hole_at_end && os::ftruncate(file, static_cast<off_t>(entry.content.size)) != 0)
    return fail_errno("cannot set its size");
  KIST_TRY(set_attributes(file, "", entry.extra.attributes, entry.path, refused_));
  struct stat status{};
  if (::fstat(file, &status) != 0) return fail_errno("cannot read its mode");
  if ((status.st_mode & 07777) != entry.mode && os::fchmod(file, entry.mode) != 0)
    return fail_errno("cannot set its mode");
  timespec times[2] = {{0, UTIME_NOW}, to_timespec(entry.modified)};
  if (os::futimens(file, times) != 0) return fail_errno("cannot set its time");
  return {};
}

Status FileWriter::make_file(const TreeEntry& entry, int directory, const std::string& name, const Bytes* content) {
  KIST_TRY_ASSIGN(bool linked, link(entry, directory, name));
  if (linked) return {};
  KIST_TRY_ASSIGN(auto file, create(entry, directory, name));
  bool hole_at_end = false;
  if (content != nullptr)
    KIST_TRY(write_chunk(*content, entry.content.chunks.front(), file.get(), 0, hole_at_end));
  else
    KIST_TRY(write_chunks(entry, file.get(), 0, entry.content.size, hole_at_end));
  return complete(entry, file.get(), hole_at_end);
}

Status FileWriter::write_chunks(const TreeEntry& entry, int file, std::uint64_t begin, std::uint64_t end,
                                bool& hole_at_end) {
  return each_chunk(entry.content, source_, begin, end - begin,
                    [&](const ChunkRecord& chunk, std::uint64_t at) -> Status {
                      if (at < begin) return {};  // it began in the part before
                      hole_at_end = chunk.length == kChunkMax && chunk.id == zero_chunk();
                      if (hole_at_end) return {};
                      KIST_TRY(source_.read(chunk.id, bytes_));
                      return write_chunk(bytes_, chunk, file, at, hole_at_end);
                    });
}

Result<std::shared_ptr<FileWriter::Large>> FileWriter::begin(const TreeEntry& entry, std::string_view parent,
                                                             const std::string& name, std::size_t parts) {
  auto large = std::make_shared<Large>();
  large->entry = entry;
  large->parent = parent;
  large->name = name;
  large->parts_left = parts;
  bool linked = false;
  KIST_TRY_ASSIGN(int above, directory(parent, entry));
  auto open_as = [&](const std::string& as) -> Status {
    KIST_TRY_ASSIGN(linked, link(entry, above, as));
    if (linked) return {};
    KIST_TRY_ASSIGN(large->file, create(entry, above, as));
    return {};
  };
  KIST_TRY_ASSIGN(large->made_as, make(above, join(parent, name), name, open_as));
  if (!linked) return large;
  KIST_TRY(settle(above, large->made_as, name));
  return nullptr;
}

Status FileWriter::write_part(Large& large, std::uint64_t begin, std::uint64_t end) {
  bool hole_at_end = false;
  auto written = write_chunks(large.entry, large.file.get(), begin, end, hole_at_end);
  if (!written) large.failed = true;
  bool last = --large.parts_left == 0;
  if (last && !large.failed) written = complete(large.entry, large.file.get(), true);
  std::string path = join(large.parent, large.name);
  if (!written) written = with_context(fmt::format("cannot write {}", chain_.show(path)), written.error());
  if (!last) return written;
  KIST_TRY_ASSIGN(int above, directory(large.parent, large.entry));
  if (written && !large.failed) return settle(above, large.made_as, large.name);
  if (large.made_as != large.name) os::unlinkat(above, large.made_as.c_str(), 0);
  return written;
}

}  // namespace kist::store
