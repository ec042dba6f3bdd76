// One walk in path order: entries become pending in the order of the tree; their content is read and comes back a
// little later (file_content.hpp); an entry leaves for the tree when all before it are complete. So a small file costs
// open, fstat, read, fstat, close.
//
// A file that changed while it was read is read again. Files are opened without following links, below descriptors of
// their directories (walk.hpp), so that what the tree's owner does meanwhile cannot lead out of the tree.
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
#include "store/attributes.hpp"
#include "store/file_content.hpp"
#include "store/file_time.hpp"
#include "store/hard_links.hpp"
#include "store/stat_cache.hpp"
#include "store/tree.hpp"
#include "store/walk.hpp"

namespace kist::store {
namespace {

namespace fs = std::filesystem;

constexpr int kAttempts = 3;
constexpr std::size_t kMostNotices = 100;
constexpr std::size_t kMostPending = 16384;  // entries waiting for their chunks

std::string_view kind_of(mode_t mode) {
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISFIFO(mode)) return "a named pipe";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "neither file, directory nor link";
}

// Reads only what the transaction may count on. What is condemned can be read as well, and may be gone when the
// transaction commits.
class ContainedChunks final : public ChunkSource {
 public:
  explicit ContainedChunks(Pending& pending) : pending_(pending) {}
  Status read(const Digest& id, Bytes& out) override {
    return pending_.contains(id) ? pending_.read(id, out) : fail(ErrorKind::not_found, "");
  }

 private:
  Pending& pending_;
};

// An entry that waits for its content, or for those before it.
struct PendingEntry {
  TreeEntry entry;
  ContentUnderWay content;          // of a file
  bool read = false;                // nothing more will be added
  bool known = false;               // it is what it was: its content is in the entry already
  std::optional<struct stat> keep;  // the status by which the content may be known again
  std::optional<ManyNames> names;   // it may be one file with others
};

class Saver {
 public:
  Saver(const SaveContext& context, const SaveOptions& options, std::string source)
      : context_(context),
        options_(options),
        source_(std::move(source)),
        contents_(context),
        tree_(put()),
        stat_cache_(context.directory) {}

  Result<Saved> save() {
    struct stat status{};
    KIST_TRY_ASSIGN(FileDescriptor top, open_top(status));
    if (S_ISREG(status.st_mode)) {
      KIST_TRY_ASSIGN(const Taken taken, save_file(top.get(), "", status, Taking::again));
      if (taken == Taken::changed) return changed("");
    } else if (S_ISDIR(status.st_mode)) {
      KIST_TRY(add_top(top.get(), status));
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
    KIST_TRY(add_top(top.get(), status));
    std::set<std::string_view> directories = {""};  // an entry lies in a directory that is an entry too
    for (const auto& [path, change] : entries) {
      std::size_t slash = path.rfind('/');
      std::string_view above = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
      if (!directories.contains(above)) continue;
      // What is left out here is gone for who asked, so it must be gone, or such that no save could keep it.
      auto directory = chain_->open(above);
      if (!directory) {
        if (!is_gone(directory.error())) KIST_TRY(leave_out(std::string(path), directory.error()));
        continue;
      }
      std::string name(path.substr(slash == std::string_view::npos ? 0 : slash + 1));
      if (::fstatat(*directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        const Error error = fail_errno("cannot read it").error();
        if (!is_gone(error)) KIST_TRY(leave_out(std::string(path), error));
        continue;
      }
      if (S_ISDIR(status.st_mode)) {
        directories.insert(path);
      } else if (change == nullptr) {
        continue;
      }
      Taking taking = change != nullptr && !change->settled ? Taking::as_read : Taking::once;
      KIST_TRY_ASSIGN(const Taken taken,
                      save_entry(*directory, name, std::string(path), IFTODT(status.st_mode), taking));
      if (taken == Taken::changed) unsettled.emplace_back(path);
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
    KIST_TRY(contents_.settle());
    KIST_TRY(emit());
    // An entry that is not complete would end the artifact there, and what comes after it would count as gone.
    if (!pending_.empty())
      return fail(ErrorKind::io,
                  fmt::format("cannot save {}: it was not read to its end", show(pending_.front().entry.path)));
    stat_cache_.flush();
    KIST_TRY_ASSIGN(auto saved, tree_.finish());
    if (left_out_ > kMostNotices) notices_.push_back(fmt::format("and {} more", left_out_ - kMostNotices));
    saved.notices.insert(saved.notices.begin(), std::move_iterator(notices_.begin()),
                         std::move_iterator(notices_.end()));
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
      bool known = false;
      if (item.type == DT_REG && stat_cache_.may_know(item.inode)) {
        KIST_TRY_ASSIGN(known, save_known(directory, name, path));
      }
      if (!known) {
        KIST_TRY_ASSIGN(const Taken taken, save_entry(directory, name, path, item.type, Taking::again));
        if (taken == Taken::changed) return changed(path);
      }
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
  // Without a note of the time of access, which the kernel would write for each file that was made since it was read
  // last; only its owner may ask for that.
  int open_file(int directory, const char* name) {
    constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    if (quietly_ != 0) {
      const int file = os::openat(directory, name, kFlags | quietly_);
      if (file >= 0 || errno != EPERM) return file;
      quietly_ = 0;  // what lies beside it is somebody else's too
    }
    return os::openat(directory, name, kFlags);
  }

  // What came of it: an entry, or a notice that it cannot be one; or, that it was not the same before and after.
  enum class Taken { yes, changed };

  Result<Taken> save_entry(int directory, const std::string& name, const std::string& path, std::uint8_t type,
                           Taking taking) {
    if (type == DT_REG) {
      FileDescriptor file(open_file(directory, name.c_str()));
      struct stat status{};
      if (!file && errno == ELOOP) return Taken::changed;  // a link has its name now
      if (!file || ::fstat(file.get(), &status) != 0) return left_out(path, fail_errno("cannot open it").error());
      if (!S_ISREG(status.st_mode)) return Taken::changed;
      return save_file(file.get(), path, status, taking);
    }
    struct stat status{};
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      return left_out(path, fail_errno("cannot read it").error());
    if (S_ISDIR(status.st_mode) && type == DT_DIR) {
      add_entry(EntryType::directory, path, status);
      return add_attributes_at(directory, name, status);
    }
    if (S_ISLNK(status.st_mode)) return save_link(directory, name, path, status);
    if (S_ISDIR(status.st_mode) || S_ISREG(status.st_mode)) return Taken::changed;
    return left_out(path, Error{ErrorKind::unsupported, fmt::format("it is {}", kind_of(status.st_mode))});
  }

  // A file that is as it was when it was saved before, whose chunks are all still here, and the pieces that list them.
  Result<bool> save_known(int directory, const std::string& name, const std::string& path) {
    struct stat status{};
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode)) return false;
    auto content = stat_cache_.find(status);
    if (!content) return false;
    ContainedChunks contained(context_.pending);
    auto stored = each_chunk(*content, contained, 0, content->size, [&](const ChunkRecord& chunk, std::uint64_t) {
      return context_.pending.contains(chunk.id) ? Status() : fail(ErrorKind::not_found, "");
    });
    if (!stored) return false;
    std::optional<Result<std::vector<Attribute>>> attributes;
    if (wants_attributes()) {
      attributes = read_attributes_at(directory, name);
      struct stat after{};
      const bool is_there = ::fstatat(directory, name.c_str(), &after, AT_SYMLINK_NOFOLLOW) == 0;
      if (!is_there || !unchanged(status, after)) return false;
    }
    PendingEntry& pending = add_entry(EntryType::file, path, status);
    pending.entry.content = std::move(*content);
    pending.known = true;
    pending.read = true;
    if (attributes) KIST_TRY(add_attributes(pending, std::move(*attributes)));
    return true;
  }

  Result<Taken> save_link(int directory, const std::string& name, const std::string& path, const struct stat& status) {
    std::string target(static_cast<std::size_t>(status.st_size) + 1, '\0');
    while (true) {
      ssize_t length = ::readlinkat(directory, name.c_str(), target.data(), target.size());
      if (length < 0) return left_out(path, fail_errno("cannot read the link").error());
      if (static_cast<std::size_t>(length) < target.size()) {
        target.resize(static_cast<std::size_t>(length));
        break;
      }
      target.resize(target.size() * 2);  // some file systems give a link no size
    }
    PendingEntry& pending = add_entry(EntryType::link, path, status);
    pending.entry.link_target = std::move(target);
    return add_attributes_at(directory, name, status);
  }

  PendingEntry& add_entry(EntryType type, const std::string& path, const struct stat& status) {
    PendingEntry& pending = pending_.emplace_back();
    pending.entry.path = path;
    pending.entry.type = type;
    pending.entry.mode = status.st_mode & 07777;
    pending.entry.modified = from_timespec(status.st_mtim);
    pending.read = type != EntryType::file;
    pending.names = many_names(status);
    return pending;
  }

  Status add_top(int top, const struct stat& status) {
    PendingEntry& pending = add_entry(EntryType::directory, "", status);
    return wants_attributes() ? add_attributes(pending, read_attributes(top)) : Status();
  }

  bool wants_attributes() const { return context_.attributes || options_.attributes; }

  Status add_attributes(PendingEntry& pending, Result<std::vector<Attribute>> attributes) {
    const std::string& path = pending.entry.path;
    if (attributes)
      pending.entry.extra.attributes = std::move(*attributes);
    else if (attributes.error().kind == ErrorKind::unsupported)
      return leave_out(path, attributes.error());
    else
      return with_context(fmt::format("cannot save {}", show(path)), attributes.error());
    return {};
  }

  // Those of the entry that was added last, a directory or a link, which is looked at by its name: by then another one
  // may have it.
  Result<Taken> add_attributes_at(int directory, const std::string& name, const struct stat& status) {
    if (!wants_attributes()) return Taken::yes;
    PendingEntry& pending = pending_.back();
    auto attributes = read_attributes_at(directory, name);
    struct stat after{};
    const bool is_there = ::fstatat(directory, name.c_str(), &after, AT_SYMLINK_NOFOLLOW) == 0;
    if (is_there && after.st_ino == status.st_ino && after.st_dev == status.st_dev) {
      KIST_TRY(add_attributes(pending, std::move(attributes)));
      return Taken::yes;
    }
    const Error error = fail_errno("cannot read it").error();
    const std::string path = std::move(pending.entry.path);
    pending_.pop_back();
    return is_there ? Taken::changed : left_out(path, error);
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

  Result<Taken> left_out(const std::string& path, const Error& why) {
    KIST_TRY(leave_out(path, why));
    return Taken::yes;
  }

  // Something on the way is not there, or is no directory any more.
  static bool is_gone(const Error& error) {
    return error.kind == ErrorKind::not_found || error.kind == ErrorKind::conflict;
  }

  // --- One file -----------------------------------------------------------------------------------------------------

  Result<Taken> save_file(int file, const std::string& path, struct stat status, Taking taking) {
    PendingEntry& pending = add_entry(EntryType::file, path, status);
    const ContentReader::How how{.adopt = options_.adopt && contents_.may_adopt(status),
                                 .as_read = taking == Taking::as_read};
    for (int attempt = 0; attempt < (taking == Taking::again ? kAttempts : 1); ++attempt) {
      // Before the content, after which is looked whether the file is as it was.
      std::optional<Result<std::vector<Attribute>>> attributes;
      if (wants_attributes()) attributes = read_attributes(file);
      const bool keep = !how.adopt && !how.as_read && stat_cache_.may_keep(file, status);
      auto outcome = contents_.read(pending.content, file, status, how);
      if (!outcome) return with_context(fmt::format("cannot save {}", show(path)), outcome.error());
      if (*outcome == ContentReader::Outcome::kept) {
        if (keep) pending.keep = status;
        pending.read = true;
        if (attributes) KIST_TRY(add_attributes(pending, std::move(*attributes)));
        return Taken::yes;
      }
      if (::fstat(file, &status) != 0) return fail_errno(fmt::format("cannot save {}", show(path)));
      pending.entry.mode = status.st_mode & 07777;
      pending.entry.modified = from_timespec(status.st_mtim);
    }
    pending_.pop_back();
    return Taken::changed;
  }

  // Passes on the entries at the front that are complete.
  Status emit() {
    if (pending_.size() >= kMostPending) KIST_TRY(contents_.settle());
    while (!pending_.empty() && pending_.front().read && pending_.front().content.outstanding == 0) {
      PendingEntry& front = pending_.front();
      if (front.entry.type == EntryType::file && !front.known) {
        KIST_TRY_ASSIGN(front.entry.content, front.content.list.finish(put()));
        if (front.keep) stat_cache_.keep(*front.keep, front.entry.content);
      }
      if (front.names) front.entry.extra.same_as = links_.take(*front.names, tree_.entries());
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
  std::deque<PendingEntry> pending_;  // before their reader, whose work is over when they go
  ContentReader contents_;
  TreeWriter tree_;
  SeenNames links_;
  StatCache stat_cache_;
  int quietly_ = O_NOATIME;
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
