#include "sandbox/private_root.hpp"

#include <shared_mutex>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sandbox/host.hpp"
#include "sandbox/init_client.hpp"
#include "sandbox/inside.hpp"
#include "sandbox/untouched.hpp"

namespace kist::sandbox {
namespace {

namespace fs = std::filesystem;

bool is_opaque(const fs::path& directory) {
  for (const char* name : {"trusted.overlay.opaque", "user.overlay.opaque"}) {
    char value = 0;
    if (::lgetxattr(directory.c_str(), name, &value, 1) == 1 && value == 'y') return true;
  }
  return false;
}

class PrivateRoot : public Sandbox {
 public:
  explicit PrivateRoot(FileDescriptor channel) : init_(std::move(channel)) {}
  ~PrivateRoot() override { (void)PrivateRoot::close(); }

  Status open() {
    KIST_TRY_ASSIGN(auto greeting, init_.greet());
    root_ = std::move(greeting.root);
    regions_ = std::move(greeting.regions);
    as_opened_ = look_at_changes(regions_);
    return {};
  }

  Result<ProcessId> start(const Command& command) override { return init_.start(command); }
  Result<std::optional<Ended>> wait(ProcessId process, std::optional<std::chrono::nanoseconds> timeout) override {
    return init_.wait(process, timeout);
  }
  Status signal(ProcessId process, int number) override { return init_.signal(process, number); }
  Status signal_all(int number) override { return init_.signal_all(number); }
  Status quiesce() override { return init_.quiesce(); }

  Result<bool> renew() override {
    KIST_TRY_ASSIGN(bool is_clean, init_.renew());
    return is_clean && as_opened_ && look_at_changes(regions_) == as_opened_;
  }

  Result<Found> find(const fs::path& inside) override {
    std::shared_lock lock(root_mutex_);
    KIST_TRY(check_open());
    KIST_TRY_ASSIGN(FileDescriptor handle, open_in_root(root_.get(), inside, O_PATH));
    fs::path owned = owned_path(handle.get());
    return Found{std::move(handle), std::move(owned)};
  }

  Result<FileDescriptor> open_inside(const fs::path& inside, int flags, unsigned mode) override {
    std::shared_lock lock(root_mutex_);
    KIST_TRY(check_open());
    return open_in_root(root_.get(), inside, flags, mode);
  }

  Status make_directories(const fs::path& inside) override {
    std::shared_lock lock(root_mutex_);
    KIST_TRY(check_open());
    return make_directories_in_root(root_.get(), inside);
  }

  Status close() override {
    {
      std::unique_lock lock(root_mutex_);
      root_.reset();
    }
    return init_.close();
  }

 private:
  Status check_open() const {
    if (!root_) return fail(ErrorKind::unavailable, "the task's sandbox is closed");
    return {};
  }

  // Where what a handle leads to lies wholly in scratch: all of it is in the upper layer, nothing of a lower one shows
  // through, and nothing is mounted inside.
  fs::path owned_path(int handle) const {
    // Names as the kernel tells them begin at the root of the mount namespace: not this one's, where kist was in a
    // chroot when it made it.
    std::error_code error;
    fs::path inside = fs::read_symlink(fmt::format("/proc/self/fd/{}", handle), error);
    if (error) return {};
    fs::path root = fs::read_symlink(fmt::format("/proc/self/fd/{}", root_.get()), error);
    if (error) return {};
    if (root != "/") inside = "/" / inside.lexically_relative(root);
    const Region* region = nullptr;
    for (const Region& candidate : regions_) {
      if (candidate.target != inside && is_within(candidate.target, inside)) return {};
      if (is_within(inside, candidate.target) &&
          (region == nullptr || candidate.target.native().size() >= region->target.native().size()))
        region = &candidate;
    }
    if (region == nullptr || region->host.empty()) return {};
    fs::path relative = inside.lexically_relative(region->target);
    fs::path upper = region->host;
    fs::path lower = region->lower;
    bool shows_lower = !lower.empty();
    if (relative != ".") {
      for (const fs::path& part : relative) {
        shows_lower = shows_lower && !is_opaque(upper);
        upper /= part;
        lower /= part;
      }
    }
    struct stat here{};
    struct stat below{};
    if (::lstat(upper.c_str(), &here) != 0) return {};
    if (S_ISREG(here.st_mode)) return upper;
    if (!S_ISDIR(here.st_mode)) return {};
    bool is_merged = shows_lower && !is_opaque(upper) && ::lstat(lower.c_str(), &below) == 0;
    return is_merged ? fs::path() : upper;
  }

  InitClient init_;
  mutable std::shared_mutex root_mutex_;
  FileDescriptor root_;
  std::vector<Region> regions_;
  std::optional<Changes> as_opened_;
};

}  // namespace

Result<std::unique_ptr<Sandbox>> open_private_root(FileDescriptor channel) {
  auto root = std::make_unique<PrivateRoot>(std::move(channel));
  KIST_TRY(root->open());
  return std::unique_ptr<Sandbox>(std::move(root));
}

}  // namespace kist::sandbox
