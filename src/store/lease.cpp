#include "store/lease.hpp"

#include <cerrno>
#include <ctime>
#include <random>

#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/system.hpp"

namespace kist::store {
namespace {

// The lock of a lease, where its owner is dead: nobody holds it, and nobody gets it while this lives.
std::optional<FileDescriptor> lock_of_the_dead(const StoreDirectory& directory, const std::string& lease) {
  FileDescriptor file(os::openat(directory.descriptor(), ("leases/" + lease).c_str(), O_RDONLY));
  if (!file || ::flock(file.get(), LOCK_SH | LOCK_NB) != 0) return std::nullopt;
  return file;
}

// Whether the owner of a lease is dead: its file is gone, or nobody holds its lock.
bool is_dead(const StoreDirectory& directory, const std::string& lease) {
  if (lock_of_the_dead(directory, lease)) return true;
  auto there = directory.status("leases/" + lease);
  return !there && there.error().kind == ErrorKind::not_found;
}

}  // namespace

Moment this_moment() {
  timespec time{};
  ::clock_gettime(CLOCK_BOOTTIME, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

const std::string& this_boot() {
  static const std::string id = [] {
    auto text = read_file("/proc/sys/kernel/random/boot_id", 4096);
    return text ? text->substr(0, text->find('\n')) : std::string();
  }();
  return id;
}

Status Lease::take() {
  if (file_) return {};
  std::random_device random;
  while (true) {
    name_ = fmt::format("{}-{:08x}{:08x}", ::getpid(), random(), random());
    std::string path = "leases/" + name_;
    KIST_TRY_ASSIGN(auto file, directory_.open_file(path, O_RDWR | O_CREAT | O_EXCL));
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK || errno == EINTR) continue;  // a sweeper asked in this very moment
      return fail_errno(fmt::format("cannot lock {}", directory_.show(path)));
    }
    // A sweeper may have taken the file for a dead one before it was locked.
    struct stat status{};
    if (::fstat(file.get(), &status) != 0 || status.st_nlink == 0) continue;
    file_ = std::move(file);
    if (auto recorded = record(); !recorded) {
      file_.reset();
      return recorded;
    }
    sweep();
    return {};
  }
}

Lease::~Lease() {
  if (file_) (void)directory_.remove("leases/" + name_);
}

Result<std::string> Lease::temporary_name() {
  std::lock_guard lock(mutex_);
  KIST_TRY(take());
  return fmt::format("tmp/{}.{}", name_, counter_++);
}

// Nothing here may fail a save: what cannot be swept now is swept by the next.
void Lease::sweep() {
  if (auto names = directory_.names("leases"))
    for (const std::string& name : *names) {
      if (name == name_) continue;
      // Kept locked until its name is gone: a process that has made its lease and not locked it yet looks like a dead
      // one, and must not come to hold a lease without a name.
      if (auto lock = lock_of_the_dead(directory_, name)) (void)directory_.remove("leases/" + name);
    }
  if (auto names = directory_.names("tmp"))
    for (const std::string& name : *names) {
      std::string owner = name.substr(0, name.find('.'));
      if (owner != name_ && owner.find('-') != std::string::npos && is_dead(directory_, owner))
        (void)directory_.remove_tree("tmp/" + name);
    }
}

Status Lease::record() {
  Moment oldest = holds_.empty() ? 0 : *holds_.begin();
  if (os::pwrite(file_.get(), &oldest, sizeof oldest, 0) != sizeof oldest)
    return fail_errno(fmt::format("cannot write {}", directory_.show("leases/" + name_)));
  return {};
}

Result<Lease::Hold> Lease::hold() {
  std::lock_guard lock(mutex_);
  KIST_TRY(take());
  Moment since = this_moment();
  bool oldest = holds_.empty() || since < *holds_.begin();
  auto added = holds_.insert(since);
  if (oldest) {
    // What is not written down does not hold.
    if (auto written = record(); !written) {
      holds_.erase(added);
      return std::unexpected(written.error());
    }
  }
  return Hold(*this, since);
}

// Who writes its moment down after it was looked for here sees all that was condemned before (chunks.hpp looks at the
// list of it after the hold, never before).
Result<std::optional<Moment>> Lease::oldest_hold(const StoreDirectory& directory) {
  std::optional<Moment> oldest;
  KIST_TRY_ASSIGN(auto names, directory.names("leases"));
  for (const std::string& name : names) {
    if (is_dead(directory, name)) continue;
    std::string path = "leases/" + name;
    auto file = directory.open_file(path, O_RDONLY);
    if (!file && file.error().kind == ErrorKind::not_found) continue;
    if (!file) return std::unexpected(file.error());
    Moment since = 0;
    ssize_t count = os::pread(file->get(), &since, sizeof since, 0);
    if (count < 0) return fail_errno(fmt::format("cannot read {}", directory.show(path)));
    if (count == sizeof since && since != 0) oldest = std::min(oldest.value_or(since), since);
  }
  return oldest;
}

Lease::Hold::~Hold() {
  if (lease_ == nullptr) return;
  std::lock_guard lock(lease_->mutex_);
  bool oldest = *lease_->holds_.begin() == since_;
  lease_->holds_.erase(lease_->holds_.find(since_));
  if (oldest) (void)lease_->record();  // an old time left standing only makes a collector wait
}

}  // namespace kist::store
