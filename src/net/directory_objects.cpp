// How one put goes: the bytes into a new file in .tmp/, synced; then the file gets its name. A name that must be absent
// is given by link(2), which fails where somebody was faster, without any lock. A replacement is rename(2), under the
// exclusive lock where the object there must have a known version, under the shared one otherwise. Then the directory
// is synced. An object's version is the inode, size and time of its file; the time is set to the nanosecond, since the
// file system's own clock ticks too slowly to tell two replacements apart.
#include "net/directory_objects.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <vector>

#include <dirent.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/system.hpp"

namespace kist::net {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = 1 << 20;
constexpr std::size_t kLongestName = 900;
constexpr const char* kTemporary = ".tmp";
constexpr const char* kLock = ".lock";
constexpr time_t kAbandoned = 24 * 60 * 60;  // seconds: no put takes so long

bool is_name_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == '%';
}

Status check_name(std::string_view name) {
  bool good = !name.empty() && name.size() <= kLongestName;
  bool begins = true;
  for (char c : name) {
    good = good && (c == '/' ? !begins : is_name_character(c) && !(begins && c == '.'));
    begins = c == '/';
  }
  if (good && !begins) return {};
  return fail(ErrorKind::invalid, fmt::format("'{}' cannot be an object's name", name));
}

ObjectInfo info_of(std::string name, const struct stat& status) {
  return {
      std::move(name), static_cast<std::uint64_t>(status.st_size),
      fmt::format("{:x}-{:x}-{:x}.{:x}", status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec)};
}

std::uint64_t random_number() {
  std::random_device source;
  return std::uint64_t{source()} << 32 | source();
}

class DirectoryObjects final : public ObjectDirectory {
 public:
  DirectoryObjects(FileDescriptor directory, std::string address)
      : directory_(std::move(directory)), address_(std::move(address)) {}

  const std::string& address() const override { return address_; }
  Result<bool> obeys_conditions() override { return true; }

  Result<std::string> put(std::string_view name, const Body& body, const PutCondition& condition,
                          const Moved& moved) override {
    KIST_TRY_ASSIGN(const auto incoming, receive(name, condition));
    Status written;
    auto write = [&](std::span<const std::byte> piece) {
      if (!written) return;
      written = incoming->write(piece);
      if (written && moved) moved(piece.size());
    };
    if (auto read = read_body(body, write); !read) return with_context(show(name), std::move(read).error());
    KIST_TRY(written);
    return incoming->commit();
  }

  Result<std::unique_ptr<IncomingObject>> receive(std::string_view given, const PutCondition& condition) override {
    KIST_TRY(check_name(given));
    std::string name(given);
    KIST_TRY(prepare());
    if (condition.kind == PutCondition::Kind::absent) KIST_TRY(check_absent(name));  // before the bytes are moved
    std::string temporary = fmt::format("{}/{:016x}.{}", kTemporary, own_, ++counter_);
    FileDescriptor file(os::openat(directory_.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0666));
    if (!file) return fail_errno(fmt::format("cannot create {}", show(temporary)));
    return std::make_unique<Incoming>(*this, std::move(name), condition, std::move(temporary), std::move(file));
  }

  Result<OpenObject> open(std::string_view given) override {
    KIST_TRY(check_name(given));
    const std::string name(given);
    FileDescriptor file(os::openat(directory_.get(), name.c_str(), O_RDONLY));
    if (!file) return failed("read", name);
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) return fail_errno(fmt::format("cannot read {}", show(name)));
    if (!S_ISREG(status.st_mode)) return no_object(name);
    return OpenObject{.file = std::move(file), .info = info_of(name, status)};
  }

  Result<ObjectInfo> get(std::string_view name, const Sink& sink, std::uint64_t offset, std::uint64_t length) override {
    KIST_TRY_ASSIGN(auto opened, open(name));
    const std::uint64_t size = opened.info.size;
    std::uint64_t left = offset < size ? std::min(length, size - offset) : 0;
    std::vector<std::byte> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(left, kPiece)));
    while (left > 0) {
      const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
      ssize_t count = os::pread(opened.file.get(), buffer.data(), wanted, static_cast<off_t>(offset));
      if (count < 0) return fail_errno(fmt::format("cannot read {}", show(name)));
      if (count == 0) return fail(ErrorKind::io, fmt::format("{} was cut off while it was read", show(name)));
      KIST_TRY(sink(std::span(buffer).first(static_cast<std::size_t>(count))));
      offset += static_cast<std::uint64_t>(count);
      left -= static_cast<std::uint64_t>(count);
    }
    return std::move(opened.info);
  }

  Result<ObjectInfo> head(std::string_view given) override {
    KIST_TRY(check_name(given));
    const std::string name(given);
    struct stat status{};
    if (::fstatat(directory_.get(), name.c_str(), &status, 0) != 0) return failed("read", name);
    if (!S_ISREG(status.st_mode)) return no_object(name);
    return info_of(name, status);
  }

  Status list(std::string_view prefix, const std::function<bool(const ObjectInfo&)>& each) override {
    return list_after(prefix, {}, each);
  }

  Status list_after(std::string_view prefix, std::string_view after,
                    const std::function<bool(const ObjectInfo&)>& each) override {
    const auto slash = prefix.rfind('/');
    const std::string directory(slash == std::string_view::npos ? "" : prefix.substr(0, slash + 1));
    if (!directory.empty() && !check_name(std::string_view(directory).substr(0, slash))) return {};
    KIST_TRY_ASSIGN(bool went_on, walk(directory, prefix, after, each));
    (void)went_on;
    return {};
  }

  Status remove(std::string_view given) override {
    KIST_TRY(check_name(given));
    const std::string name(given);
    KIST_TRY_ASSIGN(auto lock, take_lock(LOCK_SH));
    if (os::unlinkat(directory_.get(), name.c_str(), 0) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return {};
      return fail_errno(fmt::format("cannot remove {}", show(name)));
    }
    return sync(parent_of(name));
  }

 private:
  class Incoming final : public IncomingObject {
   public:
    Incoming(DirectoryObjects& objects, std::string name, PutCondition condition, std::string temporary,
             FileDescriptor file)
        : objects_(objects),
          name_(std::move(name)),
          condition_(std::move(condition)),
          temporary_(std::move(temporary)),
          file_(std::move(file)) {}
    ~Incoming() override {
      if (!temporary_.empty()) (void)os::unlinkat(objects_.directory_.get(), temporary_.c_str(), 0);
    }

    Status write(std::span<const std::byte> bytes) override {
      while (!bytes.empty()) {
        const ssize_t count = os::write(file_.get(), bytes.data(), bytes.size());
        if (count < 0) return fail_errno(fmt::format("cannot write {}", objects_.show(name_)));
        bytes = bytes.subspan(static_cast<std::size_t>(count));
      }
      return {};
    }

    Result<std::string> commit() override {
      const auto shown = [&] { return objects_.show(name_); };
      const timespec times[2] = {{0, UTIME_OMIT}, objects_.clock()};
      if (os::futimens(file_.get(), times) != 0) return fail_errno(fmt::format("cannot set the time of {}", shown()));
      if (os::fsync(file_.get()) != 0) return fail_errno(fmt::format("cannot sync {}", shown()));
      struct stat status{};
      if (::fstat(file_.get(), &status) != 0) return fail_errno(fmt::format("cannot read {}", shown()));
      KIST_TRY(objects_.make_directories(name_));
      KIST_TRY(objects_.place(temporary_, name_, condition_));
      KIST_TRY(objects_.sync(parent_of(name_)));
      // Linked: the temporary name goes with this object. Renamed: it is gone.
      if (condition_.kind != PutCondition::Kind::absent) temporary_.clear();
      return info_of(name_, status).version;
    }

   private:
    DirectoryObjects& objects_;
    const std::string name_;
    const PutCondition condition_;
    std::string temporary_;  // empty once it is no more
    FileDescriptor file_;
  };

  std::string show(std::string_view name) const { return fmt::format("{}/{}", address_, name); }
  static std::string parent_of(std::string_view name) {
    const auto slash = name.rfind('/');
    return std::string(slash == std::string_view::npos ? "." : name.substr(0, slash));
  }
  std::unexpected<Error> no_object(std::string_view name) const {
    return fail(ErrorKind::not_found, fmt::format("there is no object {}", show(name)));
  }
  std::unexpected<Error> failed(std::string_view doing, const std::string& name) const {
    if (errno == ENOENT || errno == ENOTDIR) return no_object(name);
    return fail_errno(fmt::format("cannot {} {}", doing, show(name)));
  }
  std::unexpected<Error> exists(std::string_view name) const {
    return fail(ErrorKind::conflict, fmt::format("{} exists already", show(name)));
  }

  std::unexpected<Error> not_created(std::string_view name) const {
    if (errno == ENOTDIR)
      return fail(ErrorKind::conflict, fmt::format("{} would lie in an object, not in a directory", show(name)));
    return fail_errno(fmt::format("cannot create {}", show(name)));
  }

  Status check_absent(const std::string& name) const {
    struct stat status{};
    return ::fstatat(directory_.get(), name.c_str(), &status, 0) == 0 ? Status(exists(name)) : Status();
  }

  // Later than every time it gave before in this process.
  timespec clock() {
    std::lock_guard lock(mutex_);
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const auto order = std::pair(now.tv_sec, now.tv_nsec) <=> std::pair(last_.tv_sec, last_.tv_nsec);
    if (order <= 0) {
      now = last_;
      now.tv_nsec = (now.tv_nsec + 1) % 1'000'000'000;
      if (now.tv_nsec == 0) ++now.tv_sec;
    }
    return last_ = now;
  }

  // Once, before the first put: makes .tmp, and removes what killed processes left there long ago.
  Status prepare() {
    std::lock_guard lock(mutex_);
    if (prepared_) return {};
    if (os::mkdirat(directory_.get(), kTemporary, 0777) != 0 && errno != EEXIST)
      return fail_errno(fmt::format("cannot create {}", show(kTemporary)));
    KIST_TRY_ASSIGN(auto names, names_in(kTemporary));
    for (const std::string& name : names) {
      const std::string file = fmt::format("{}/{}", kTemporary, name);
      struct stat status{};
      if (::fstatat(directory_.get(), file.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
          status.st_mtim.tv_sec + kAbandoned < ::time(nullptr))
        (void)os::unlinkat(directory_.get(), file.c_str(), 0);
    }
    prepared_ = true;
    return {};
  }

  // Makes the directories a name lies in. Another process that made one may have died before it synced it, so each is
  // synced once by us as well.
  Status make_directories(const std::string& name) {
    for (auto slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
      const std::string directory = name.substr(0, slash);
      {
        std::lock_guard lock(mutex_);
        if (durable_.contains(directory)) continue;
      }
      if (os::mkdirat(directory_.get(), directory.c_str(), 0777) != 0 && errno != EEXIST) return not_created(directory);
      KIST_TRY(sync(parent_of(directory)));
      std::lock_guard lock(mutex_);
      durable_.insert(directory);
    }
    return {};
  }

  Status place(const std::string& temporary, const std::string& name, const PutCondition& condition) {
    if (condition.kind == PutCondition::Kind::absent) {
      if (os::linkat(directory_.get(), temporary.c_str(), directory_.get(), name.c_str(), 0) == 0) return {};
      if (errno == EEXIST) return exists(name);
      // Some file systems have no links: there the lock must do.
      if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK) return not_created(name);
    }
    const bool conditional = condition.kind != PutCondition::Kind::none;
    KIST_TRY_ASSIGN(auto lock, take_lock(conditional ? LOCK_EX : LOCK_SH));
    if (condition.kind == PutCondition::Kind::absent) KIST_TRY(check_absent(name));
    if (condition.kind == PutCondition::Kind::matches) {
      auto there = head(name);
      if (!there && there.error().kind != ErrorKind::not_found) return std::unexpected(there.error());
      if (!there || there->version != condition.version)
        return fail(ErrorKind::conflict,
                    fmt::format("{} was {} meanwhile", show(name), there ? "replaced" : "removed"));
    }
    if (os::renameat(directory_.get(), temporary.c_str(), directory_.get(), name.c_str()) != 0)
      return not_created(name);
    return {};
  }

  // Opened for reading, so that all who may read and write the directory may take it, whoever made it.
  Result<FileDescriptor> take_lock(int operation) const {
    FileDescriptor file(os::openat(directory_.get(), kLock, O_RDONLY | O_CREAT, 0666));
    if (!file) return fail_errno(fmt::format("cannot open {}", show(kLock)));
    while (::flock(file.get(), operation) != 0)
      if (errno != EINTR) return fail_errno(fmt::format("cannot lock {}", show(kLock)));
    return file;
  }

  Status sync(const std::string& directory) const {
    FileDescriptor file(os::openat(directory_.get(), directory.c_str(), O_RDONLY | O_DIRECTORY));
    if (!file) return fail_errno(fmt::format("cannot open {}", show(directory)));
    if (os::fsync(file.get()) != 0) return fail_errno(fmt::format("cannot sync {}", show(directory)));
    return {};
  }

  // A missing directory is an empty one.
  Result<std::vector<std::string>> names_in(const std::string& directory) const {
    std::vector<std::string> names;
    FileDescriptor file(os::openat(directory_.get(), directory.c_str(), O_RDONLY | O_DIRECTORY));
    if (!file && (errno == ENOENT || errno == ENOTDIR)) return names;
    if (!file) return fail_errno(fmt::format("cannot list {}", show(directory)));
    DIR* stream = ::fdopendir(file.get());
    if (stream == nullptr) return fail_errno(fmt::format("cannot list {}", show(directory)));
    file.release();
    errno = 0;
    while (const dirent* entry = ::readdir(stream))
      if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    const int error = errno;
    ::closedir(stream);
    if (error != 0) return fail_errno(fmt::format("cannot list {}", show(directory)), error);
    return names;
  }

  // `directory` is empty or ends with a slash. In ascending order, since a directory sorts as its name with the slash
  // that all names in it have. False once `each` wanted no more.
  Result<bool> walk(const std::string& directory, std::string_view prefix, std::string_view after,
                    const std::function<bool(const ObjectInfo&)>& each) {
    KIST_TRY_ASSIGN(auto names, names_in(directory.empty() ? "." : directory));
    std::map<std::string, struct stat> found;
    for (const std::string& name : names) {
      std::string path = directory + name;
      struct stat status{};
      if (::fstatat(directory_.get(), path.c_str(), &status, 0) != 0) continue;  // removed meanwhile
      if (S_ISDIR(status.st_mode)) path += '/';
      if (path <= after && !(S_ISDIR(status.st_mode) && after.starts_with(path))) continue;
      const bool wanted = path.starts_with(prefix) || (S_ISDIR(status.st_mode) && prefix.starts_with(path));
      if (wanted && (S_ISDIR(status.st_mode) || S_ISREG(status.st_mode))) found.emplace(std::move(path), status);
    }
    for (const auto& [path, status] : found) {
      if (S_ISDIR(status.st_mode)) {
        KIST_TRY_ASSIGN(const bool go_on, walk(path, prefix, after, each));
        if (!go_on) return false;
      } else if (!each(info_of(path, status))) {
        return false;
      }
    }
    return true;
  }

  FileDescriptor directory_;
  std::string address_;
  // Tells this object's temporary files from those of all others, on this machine and elsewhere.
  const std::uint64_t own_ = random_number();
  std::atomic<std::uint64_t> counter_{0};

  std::mutex mutex_;  // what follows
  bool prepared_ = false;
  timespec last_{};
  std::set<std::string> durable_;  // directories whose names are synced
};

}  // namespace

Result<std::unique_ptr<ObjectDirectory>> open_directory_objects(const fs::path& directory, bool create) {
  std::error_code error;
  fs::path path = fs::absolute(directory, error).lexically_normal();
  if (error) return fail_errno(fmt::format("cannot find {}", directory.string()), error.value());
  if (!path.has_filename() && path.has_relative_path()) path = path.parent_path();
  if (create) {
    fs::create_directories(path, error);
    if (error) return fail_errno(fmt::format("cannot create {}", path.string()), error.value());
  }
  FileDescriptor opened(os::openat(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY));
  if (!opened && errno == ENOENT)
    return fail(ErrorKind::unavailable,
                fmt::format("the directory {} is not there: mount or make it, then try again", path.string()));
  if (!opened && errno == ENOTDIR) return fail(ErrorKind::invalid, fmt::format("{} is not a directory", path.string()));
  if (!opened) return fail_errno(fmt::format("cannot open {}", path.string()));
  return std::make_unique<DirectoryObjects>(std::move(opened), path.string());
}

}  // namespace kist::net
