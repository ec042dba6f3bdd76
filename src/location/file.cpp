// A file or directory of this machine: the folder that people have, as input or output of a workflow.
#include "base/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/system.hpp"
#include "base/utf8.hpp"
#include "location/driver.hpp"
#include "location/fields.hpp"

namespace kist::location {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kPiece = 1 << 20;

std::unexpected<Error> failed(std::string_view doing, const fs::path& path) {
  return fail_errno(fmt::format("cannot {} {}", doing, printable(path.string())));
}

Status copy_file(const fs::path& from, const fs::path& to, const struct stat& status) {
  KIST_TRY_ASSIGN(const FileDescriptor source, open_file(from, O_RDONLY | O_NOFOLLOW));
  const FileDescriptor target(os::openat(AT_FDCWD, to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!target) return failed("write", to);
  std::vector<std::byte> buffer(std::min<std::size_t>(kPiece, static_cast<std::size_t>(status.st_size) + 1));
  for (;;) {
    const ssize_t count = os::read(source.get(), buffer.data(), buffer.size());
    if (count < 0) return failed("read", from);
    if (count == 0) break;
    KIST_TRY(write_all(target.get(), std::span(buffer).first(static_cast<std::size_t>(count)), to.string()));
  }
  if (os::fchmod(target.get(), status.st_mode & 0777) != 0) return failed("set the mode of", to);
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, status.st_mtim};
  if (os::futimens(target.get(), times) != 0) return failed("set the time of", to);
  return {};
}

// Copies what is there; links stay what they are. What is neither file, directory nor link is named and left out.
Status copy_entry(const fs::path& from, const fs::path& to, const struct stat& status, const Context& context) {
  if (context.cancelled && context.cancelled()) return fail(ErrorKind::unavailable, "cancelled");
  if (S_ISREG(status.st_mode)) return copy_file(from, to, status);
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, status.st_mtim};
  if (S_ISLNK(status.st_mode)) {
    std::error_code error;
    const fs::path leads_to = fs::read_symlink(from, error);
    if (error) return fail_errno(fmt::format("cannot read {}", printable(from.string())), error.value());
    if (os::symlinkat(leads_to.c_str(), AT_FDCWD, to.c_str()) != 0) return failed("make the link", to);
    if (os::utimensat(AT_FDCWD, to.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) return failed("set the time of", to);
    return {};
  }
  if (!S_ISDIR(status.st_mode)) {
    if (context.notice)
      context.notice(fmt::format("{} was left out: no file, directory or link", printable(from.string())));
    return {};
  }
  if (os::mkdirat(AT_FDCWD, to.c_str(), 0700) != 0) return failed("make", to);
  std::error_code error;
  for (fs::directory_iterator each(from, error), end; !error && each != end; each.increment(error)) {
    struct stat inner{};
    if (::lstat(each->path().c_str(), &inner) != 0) {
      if (errno == ENOENT) continue;
      return failed("look at", each->path());
    }
    KIST_TRY(copy_entry(each->path(), to / each->path().filename(), inner, context));
  }
  if (error) return fail_errno(fmt::format("cannot list {}", printable(from.string())), error.value());
  const FileDescriptor directory(os::openat(AT_FDCWD, to.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || os::fchmod(directory.get(), status.st_mode & 0777) != 0) return failed("set the mode of", to);
  if (os::futimens(directory.get(), times) != 0) return failed("set the time of", to);
  return {};
}

Status make_parents(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error) return fail_errno(fmt::format("cannot make {}", printable(path.parent_path().string())), error.value());
  return {};
}

// Beside the target until it is whole.
class FileUpload final : public Upload {
 public:
  FileUpload(fs::path target, fs::path partial, FileDescriptor file, unsigned mode)
      : target_(std::move(target)), partial_(std::move(partial)), file_(std::move(file)), mode_(mode) {}
  ~FileUpload() override {
    if (file_) (void)os::unlinkat(AT_FDCWD, partial_.c_str(), 0);
  }
  FileUpload(FileUpload&&) = delete;

  Status write(std::span<const std::byte> bytes) override { return write_all(file_.get(), bytes, partial_.string()); }
  Status finish() override {
    if (os::fchmod(file_.get(), mode_) != 0 || os::fsync(file_.get()) != 0) return failed("write", partial_);
    if (os::renameat(AT_FDCWD, partial_.c_str(), AT_FDCWD, target_.c_str()) != 0) return failed("write", target_);
    file_.reset();
    return sync_directory(target_.parent_path());
  }

 private:
  fs::path target_;
  fs::path partial_;
  FileDescriptor file_;
  unsigned mode_;
};

class FileDriver final : public Driver {
 public:
  FileDriver(fs::path path, const Context& context)
      : path_(std::move(path)), address_("file://" + path_.string()), context_(context) {}

  const std::string& address() const override { return address_; }

  Status fetch(const fs::path& target) override {
    struct stat status{};
    if (::stat(path_.c_str(), &status) != 0) return failed("load", path_);  // a link at the top is followed
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
      return fail(ErrorKind::invalid, fmt::format("{} is neither a file nor a directory", printable(path_.string())));
    std::error_code error;
    const fs::path real = fs::canonical(path_, error);
    if (error) return fail_errno(fmt::format("cannot load {}", printable(path_.string())), error.value());
    return copy_entry(real, target, status, context_);
  }

  Result<std::unique_ptr<Upload>> upload(const Attributes& attributes, std::uint64_t) override {
    KIST_TRY(make_parents(path_));
    std::string partial = path_.parent_path() / fmt::format(".kist-{}-XXXXXX", ::getpid());
    FileDescriptor file(::mkostemp(partial.data(), O_CLOEXEC));
    if (!file) return failed("write", partial);
    unsigned mode = 0644;
    for (const auto& [name, value] : attributes.metadata)
      if (name == "kist-mode") mode = static_cast<unsigned>(std::stoul(value, nullptr, 8));
    return std::make_unique<FileUpload>(path_, std::move(partial), std::move(file), mode);
  }

  Status send_directory(const Artifact& artifact) override {
    KIST_TRY(make_parents(path_));
    return artifact.store.restore(artifact.id, "", path_, {.overwrite = true, .merge = true});
  }

  Result<std::vector<std::string>> list() override {
    std::vector<std::string> found;
    std::error_code error;
    if (fs::is_regular_file(path_, error)) return std::vector<std::string>{path_.string()};
    for (fs::recursive_directory_iterator each(path_, error), end; !error && each != end; each.increment(error))
      if (std::error_code ignored; !each->is_directory(ignored)) found.push_back(each->path().string());
    if (error == std::errc::no_such_file_or_directory) return found;
    if (error) return fail_errno(fmt::format("cannot list {}", printable(path_.string())), error.value());
    return found;
  }

  Status remove_object() override { return unlink(path_, 0); }

  Status remove_directory(const Artifact& artifact) override {
    std::vector<fs::path> directories;
    Status removed;
    KIST_TRY(artifact.store.list(artifact.id, {}, [&](const store::Entry& entry) {
      const fs::path path = entry.path.empty() ? path_ : path_ / entry.path;
      if (entry.type == store::EntryType::directory)
        directories.push_back(path);
      else
        removed = unlink(path, 0);
      return removed.has_value();
    }));
    KIST_TRY(removed);
    for (auto each = directories.rbegin(); each != directories.rend(); ++each) KIST_TRY(unlink(*each, AT_REMOVEDIR));
    return {};
  }

 private:
  // A directory that holds something else stays.
  static Status unlink(const fs::path& path, int flags) {
    if (os::unlinkat(AT_FDCWD, path.c_str(), flags) == 0 || errno == ENOENT || errno == ENOTDIR) return {};
    if (flags == AT_REMOVEDIR && (errno == ENOTEMPTY || errno == EEXIST)) return {};
    return failed("remove", path);
  }

  fs::path path_;
  std::string address_;
  const Context& context_;
};

}  // namespace

MadeDriver make_file(const model::Location& location, const Context& context) {
  KIST_TRY_ASSIGN(std::string path, Fields(location, context).required("path"));
  if (path.starts_with("~/")) {
    const char* home = std::getenv("HOME");
    if (home != nullptr) path = fs::path(home) / path.substr(2);
  }
  if (!path.starts_with('/'))
    return fail(ErrorKind::invalid, fmt::format("file: 'path' is '{}', expected an absolute path", path));
  fs::path normal = fs::path(path).lexically_normal();
  if (!normal.has_filename()) normal = normal.parent_path();
  return std::make_unique<FileDriver>(std::move(normal), context);
}

}  // namespace kist::location
