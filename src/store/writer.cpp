#include "store/writer.hpp"

#include <algorithm>
#include <cerrno>
#include <random>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/system.hpp"
#include "store/chunker.hpp"
#include "store/file_time.hpp"
#include "store/walk.hpp"

namespace kist::store {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlock = 4096;
constexpr std::size_t kHoleFrom = 16 << 10;  // a shorter run of zeros costs less written than left out

// The length of the run of whole zero blocks, or of blocks that are not, that the bytes begin with. `at` is the offset
// of the first byte in the file: only whole blocks of the file can be holes.
struct Run {
  std::size_t length;
  bool zero;
};
Run first_run(ByteSpan bytes, std::uint64_t at) {
  auto zero_block = [&](std::size_t from) {
    return std::to_integer<int>(bytes[from]) == 0 && std::memcmp(&bytes[from], zero_bytes().data(), kBlock) == 0;
  };
  std::size_t from = static_cast<std::size_t>((kBlock - at % kBlock) % kBlock);
  std::size_t run = 0;  // bytes of zero blocks before `from`
  for (; from + kBlock <= bytes.size(); from += kBlock) {
    if (zero_block(from)) {
      run += kBlock;
      continue;
    }
    if (run >= kHoleFrom) break;
    run = 0;
  }
  if (run < kHoleFrom) return {bytes.size(), false};
  std::size_t begin = std::min(from, bytes.size()) - run;
  return begin == 0 ? Run{run, true} : Run{begin, false};
}

class TreeFiles {
 public:
  TreeFiles(TreeCursor& tree, ChunkSource& source, const WriteOptions& options)
      : tree_(tree), source_(source), options_(options) {}

  Status write(std::string_view path, const fs::path& target) {
    KIST_TRY_ASSIGN(const TreeEntry* top, tree_.find(path));
    fs::path plain = target.has_filename() || target == target.root_path() ? target : target.parent_path();
    if (top->type == EntryType::directory) {
      KIST_TRY(open_top(*top, plain));
    } else {
      fs::path above = plain.has_parent_path() ? plain.parent_path() : fs::path(".");
      top_.reset(os::openat(AT_FDCWD, above.c_str(), O_RDONLY | O_DIRECTORY));
      if (!top_) return fail_errno(fmt::format("cannot open the directory {}", above.string()));
      chain_.emplace(top_.get(), above.string());
      return place(*top, "", plain.filename().string());
    }
    KIST_TRY(write_below(std::string(path)));
    return finish_directories();
  }

 private:
  // The directory that everything goes into. Only a new one gets the artifact's mode and time.
  Status open_top(const TreeEntry& entry, const fs::path& target) {
    bool made = os::mkdirat(AT_FDCWD, target.c_str(), 0700) == 0;
    if (!made && errno != EEXIST) return fail_errno(fmt::format("cannot create {}", target.string()));
    // A link as the last component is not followed, but for a descriptor that the caller gave by its number.
    std::string text = target.string();
    bool descriptor = target.parent_path() == "/proc/self/fd";
    int flags = O_RDONLY | O_DIRECTORY | (descriptor ? 0 : O_NOFOLLOW);
    top_.reset(os::openat(AT_FDCWD, text.c_str(), flags));
    if (!top_ && (errno == ENOTDIR || errno == ELOOP)) {
      if (!options_.overwrite)
        return fail(ErrorKind::conflict, fmt::format("{} exists and is not a directory", target.string()));
      if (os::unlinkat(AT_FDCWD, text.c_str(), 0) != 0 || os::mkdirat(AT_FDCWD, text.c_str(), 0700) != 0)
        return fail_errno(fmt::format("cannot replace {} by a directory", target.string()));
      made = true;
      top_.reset(os::openat(AT_FDCWD, text.c_str(), flags));
    }
    if (!top_) return fail_errno(fmt::format("cannot open the directory {}", target.string()));
    if (!made && !options_.merge) return fail(ErrorKind::conflict, fmt::format("{} exists already", target.string()));
    chain_.emplace(top_.get(), text);
    if (made) directories_.push_back({"", entry.mode, entry.modified});
    return {};
  }

  Status write_below(const std::string& prefix) {
    KIST_TRY(tree_.seek(prefix.empty() ? prefix : prefix + "/"));
    while (true) {
      KIST_TRY_ASSIGN(const TreeEntry* entry, tree_.next());
      if (entry == nullptr) return {};
      if (entry->path == prefix) continue;
      if (!lies_in(entry->path, prefix)) return {};
      std::string_view relative = std::string_view(entry->path).substr(prefix.empty() ? 0 : prefix.size() + 1);
      std::size_t slash = relative.rfind('/');
      std::string_view parent = slash == std::string_view::npos ? std::string_view() : relative.substr(0, slash);
      KIST_TRY(place(*entry, parent, std::string(relative.substr(slash == std::string_view::npos ? 0 : slash + 1))));
    }
  }

  Status place(const TreeEntry& entry, std::string_view parent, const std::string& name) {
    auto directory = chain_->open(parent);
    if (!directory && directory.error().kind == ErrorKind::not_found)
      return fail(ErrorKind::corrupt, fmt::format("damaged tree: '{}' lies in no directory", entry.path));
    KIST_TRY(directory);
    std::string path = parent.empty() ? name : fmt::format("{}/{}", parent, name);
    switch (entry.type) {
      case EntryType::directory:
        return make_directory(entry, *directory, path, name);
      case EntryType::link:
        return make(*directory, path, name,
                    [&](const std::string& new_name) { return make_link(entry, *directory, new_name); });
      case EntryType::file:
        return make(*directory, path, name,
                    [&](const std::string& new_name) { return make_file(entry, *directory, new_name); });
    }
    return {};
  }

  Status make_directory(const TreeEntry& entry, int above, const std::string& path, const std::string& name) {
    if (os::mkdirat(above, name.c_str(), 0700) == 0) {
      directories_.push_back({path, entry.mode, entry.modified});
      return {};
    }
    if (errno != EEXIST) return fail_errno(fmt::format("cannot create {}", chain_->show(path)));
    struct stat status{};
    if (::fstatat(above, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      return fail_errno(fmt::format("cannot read {}", chain_->show(path)));
    if (S_ISDIR(status.st_mode)) return {};
    if (!options_.overwrite)
      return fail(ErrorKind::conflict, fmt::format("{} exists and is not a directory", chain_->show(path)));
    if (os::unlinkat(above, name.c_str(), 0) != 0 || os::mkdirat(above, name.c_str(), 0700) != 0)
      return fail_errno(fmt::format("cannot replace {} by a directory", chain_->show(path)));
    directories_.push_back({path, entry.mode, entry.modified});
    return {};
  }

  // Makes a file or link under its name, or beside it and then in place of what is there.
  template <typename Make>
  Status make(int directory, const std::string& path, const std::string& name, const Make& make_as) {
    auto made = make_as(name);
    if (made || made.error().kind != ErrorKind::conflict) {
      return made ? Status() : with_context(fmt::format("cannot write {}", chain_->show(path)), made.error());
    }
    struct stat status{};
    bool there = ::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (there && S_ISDIR(status.st_mode))
      return fail(ErrorKind::conflict, fmt::format("{} exists and is a directory", chain_->show(path)));
    if (!options_.overwrite) return fail(ErrorKind::conflict, fmt::format("{} exists already", chain_->show(path)));
    std::string beside = fmt::format(".kist-{:08x}{:08x}", random_(), random_());
    made = make_as(beside);
    if (made && os::renameat(directory, beside.c_str(), directory, name.c_str()) != 0)
      made = fail_errno("cannot rename it");
    if (!made) {
      os::unlinkat(directory, beside.c_str(), 0);
      return with_context(fmt::format("cannot write {}", chain_->show(path)), made.error());
    }
    return {};
  }

  static Status make_link(const TreeEntry& entry, int directory, const std::string& name) {
    if (os::symlinkat(entry.link_target.c_str(), directory, name.c_str()) != 0)
      return fail_errno("cannot create the link");
    timespec times[2] = {{0, UTIME_NOW}, to_timespec(entry.modified)};
    if (os::utimensat(directory, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
      return fail_errno("cannot set its time");
    return {};
  }

  Status make_file(const TreeEntry& entry, int directory, const std::string& name) {
    if (options_.link) {
      KIST_TRY_ASSIGN(bool linked, options_.link(entry, directory, name));
      if (linked) return {};
    }
    FileDescriptor file(os::openat(directory, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    if (!file) return fail_errno("cannot create it");
    bool hole_at_end = false;
    auto write_chunk = [&](const ChunkRecord& chunk, std::uint64_t at) -> Status {
      hole_at_end = chunk.length == kChunkMax && chunk.id == zero_chunk();
      if (hole_at_end) return {};
      KIST_TRY(source_.read(chunk.id, bytes_));
      if (bytes_.size() != chunk.length)
        return fail(ErrorKind::corrupt,
                    fmt::format("chunk {} has {} bytes, {} expected", chunk.id.hex(), bytes_.size(), chunk.length));
      return write_sparse(file.get(), bytes_, at, hole_at_end);
    };
    KIST_TRY(each_chunk(entry.content, source_, 0, entry.content.size, write_chunk));
    if (hole_at_end && os::ftruncate(file.get(), static_cast<off_t>(entry.content.size)) != 0)
      return fail_errno("cannot set its size");
    if (os::fchmod(file.get(), entry.mode) != 0) return fail_errno("cannot set its mode");
    timespec times[2] = {{0, UTIME_NOW}, to_timespec(entry.modified)};
    if (os::futimens(file.get(), times) != 0) return fail_errno("cannot set its time");
    return {};
  }

  static Status write_sparse(int file, ByteSpan bytes, std::uint64_t at, bool& hole_at_end) {
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

  Status finish_directories() {
    for (const Directory& directory : std::ranges::reverse_view(directories_)) {
      KIST_TRY_ASSIGN(int descriptor, chain_->open(directory.path));
      timespec times[2] = {{0, UTIME_NOW}, to_timespec(directory.modified)};
      if (os::futimens(descriptor, times) != 0)
        return fail_errno(fmt::format("cannot set the time of {}", chain_->show(directory.path)));
      if (os::fchmod(descriptor, directory.mode) != 0)
        return fail_errno(fmt::format("cannot set the mode of {}", chain_->show(directory.path)));
    }
    return {};
  }

  struct Directory {
    std::string path;
    std::uint16_t mode;
    Time modified;
  };

  TreeCursor& tree_;
  ChunkSource& source_;
  const WriteOptions& options_;
  FileDescriptor top_;
  std::optional<DirectoryChain> chain_;
  std::vector<Directory> directories_;
  Bytes bytes_;
  std::random_device random_;
};

}  // namespace

Status write_tree(TreeCursor& tree, ChunkSource& source, std::string_view path, const fs::path& target,
                  const WriteOptions& options) {
  return TreeFiles(tree, source, options).write(path, target);
}

}  // namespace kist::store
