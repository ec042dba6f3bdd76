#include "store/inodes.hpp"

#include <cerrno>
#include <optional>

#include <fmt/format.h>
#include <sys/file.h>

#include "base/system.hpp"

namespace kist::store {
namespace {

// As it lies in the file: one write, so short that a torn one differs from every real inode.
struct Record {
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified_seconds = 0;
  std::int64_t modified_nanoseconds = 0;
  std::int64_t changed_seconds = 0;
  std::int64_t changed_nanoseconds = 0;
  std::uint64_t links = 0;
  std::uint64_t in_scratch = 0;  // one of the links is the scratch's, and will go without our doing

  bool same_content(const Record& other) const {
    return inode == other.inode && size == other.size && modified_seconds == other.modified_seconds &&
           modified_nanoseconds == other.modified_nanoseconds;
  }
  bool same_change(const Record& other) const {
    return changed_seconds == other.changed_seconds && changed_nanoseconds == other.changed_nanoseconds;
  }
};

Record record_of(const struct stat& status) {
  return {status.st_ino,         static_cast<std::uint64_t>(status.st_size),
          status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
          status.st_ctim.tv_sec, status.st_ctim.tv_nsec,
          status.st_nlink,       0};
}

// An adopted file with its record, locked.
class Locked {
 public:
  static Result<Locked> open(const StoreDirectory& directory, const Container& container) {
    Locked locked(directory, container);
    KIST_TRY_ASSIGN(locked.file_, directory.open_file("inodes/" + container.name.hex(), O_RDWR | O_CREAT));
    while (::flock(locked.file_.get(), LOCK_EX) != 0)
      if (errno != EINTR)
        return fail_errno(fmt::format("cannot lock {}", directory.show("inodes/" + container.name.hex())));
    return locked;
  }

  Result<struct stat> status() const { return directory_.status(container_.path()); }

  // Whether the inode is what kist left.
  bool believed(const struct stat& status) {
    Record kept;
    in_scratch_ = false;
    if (os::pread(file_.get(), &kept, sizeof kept, 0) != sizeof kept) return false;
    Record now = record_of(status);
    if (!kept.same_content(now)) return false;
    if (kept.same_change(now)) {
      in_scratch_ = kept.in_scratch != 0;
      return true;
    }
    // The scratch's link has gone: allowed once, so written down at once.
    return kept.in_scratch != 0 && now.links + 1 == kept.links && note(false).has_value();
  }

  // Writes down what is there now. A record that cannot be written must not stay as it was.
  Status note(bool in_scratch) {
    KIST_TRY_ASSIGN(auto status, this->status());
    Record record = record_of(status);
    record.in_scratch = in_scratch ? 1 : 0;
    if (os::pwrite(file_.get(), &record, sizeof record, 0) != sizeof record)
      return fail_errno(fmt::format("cannot write {}", directory_.show("inodes/" + container_.name.hex())));
    return {};
  }
  bool in_scratch() const { return in_scratch_; }

 private:
  Locked(const StoreDirectory& directory, const Container& container) : directory_(directory), container_(container) {}
  const StoreDirectory& directory_;
  Container container_;
  FileDescriptor file_;
  bool in_scratch_ = false;
};

}  // namespace

Status Inodes::adopted(const Container& container) {
  KIST_TRY_ASSIGN(auto locked, Locked::open(directory_, container));
  return locked.note(true);
}

Status Inodes::make_sure(const Container& container, const Check& check) {
  KIST_TRY_ASSIGN(auto locked, Locked::open(directory_, container));
  KIST_TRY_ASSIGN(auto status, locked.status());
  if (locked.believed(status)) return {};
  KIST_TRY(check());
  return locked.note(false);
}

Result<bool> Inodes::link(const Container& container, const Wanted& wanted, const Check& check, int directory,
                          const std::string& name) {
  auto there = directory_.status(container.path());
  if (!there) {
    if (there.error().kind == ErrorKind::not_found) return false;
    return std::unexpected(there.error());
  }
  auto fits = [&](const struct stat& status) {
    return S_ISREG(status.st_mode) && static_cast<std::uint64_t>(status.st_size) == wanted.size &&
           (status.st_mode & 07777) == wanted.mode && status.st_mtim.tv_sec == wanted.modified.tv_sec &&
           status.st_mtim.tv_nsec == wanted.modified.tv_nsec;
  };
  if (!fits(*there)) return false;

  KIST_TRY_ASSIGN(auto locked, Locked::open(directory_, container));
  KIST_TRY_ASSIGN(auto status, locked.status());
  if (!fits(status)) return false;
  if (!locked.believed(status) && !check()) return false;
  if (os::linkat(directory_.descriptor(), container.path().c_str(), directory, name.c_str(), 0) != 0) {
    if (errno == EMLINK || errno == EPERM || errno == EXDEV) return false;
    return fail_errno(fmt::format("cannot link {} as {}", directory_.show(container.path()), name));
  }
  KIST_TRY(locked.note(locked.in_scratch()));
  return true;
}

Status Inodes::unlink(const Digest& file, int directory, const std::string& name) {
  Container container{Container::Kind::adopted, file, 0};
  KIST_TRY_ASSIGN(auto locked, Locked::open(directory_, container));
  auto status = locked.status();
  bool believed = status && locked.believed(*status);
  if (os::unlinkat(directory, name.c_str(), 0) != 0 && errno != ENOENT)
    return fail_errno(fmt::format("cannot remove the view's {}", name));
  if (believed) return locked.note(locked.in_scratch());
  return {};
}

}  // namespace kist::store
