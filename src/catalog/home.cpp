#include "catalog/home.hpp"

#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.hpp"

namespace kist::catalog {

namespace fs = std::filesystem;

namespace {

constexpr const char* kReserve = "reserve";
constexpr off_t kReserveSize = 8 << 20;         // the catalog's log grows to 4 MiB before it is written back
constexpr std::uint64_t kPlenty = 64ULL << 20;  // with less left the reserve is not made

Result<fs::path> default_path() {
  if (const char* given = ::getenv("KIST_HOME"); given != nullptr && *given != '\0') return fs::path(given);
  if (::getenv("KIST_TASK") != nullptr)
    return fail(ErrorKind::unsupported,
                "this is inside a task of kist, where `kist publish` and `kist report` speak to it; for a kist of the "
                "task's own set KIST_HOME");
  if (const char* home = ::getenv("HOME"); home != nullptr && *home != '\0') return fs::path(home) / ".kist";
  if (const passwd* user = ::getpwuid(::getuid()); user != nullptr && user->pw_dir != nullptr && *user->pw_dir != '\0')
    return fs::path(user->pw_dir) / ".kist";
  return fail(ErrorKind::invalid, "this user has no home directory: set KIST_HOME to the directory kist is to use");
}

}  // namespace

Result<Home> Home::open() {
  KIST_TRY_ASSIGN(fs::path path, default_path());
  return open(path);
}

Result<Home> Home::open(const fs::path& given) {
  std::error_code error;
  fs::path path = fs::absolute(given, error).lexically_normal();
  if (error) return fail_errno(fmt::format("cannot use {} as KIST_HOME", given.string()), error.value());
  if (!path.has_filename()) path = path.parent_path();  // "home/" is "home"

  fs::create_directories(path.parent_path(), error);  // what is wrong with it, mkdir tells
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    int cause = errno;
    return fail_errno(
        fmt::format("cannot create {} (set KIST_HOME to a directory that can be written to)", path.string()), cause);
  }
  if (!fs::is_directory(path, error))
    return fail(ErrorKind::invalid,
                fmt::format("{} is no directory: move it away, or set KIST_HOME to another place", path.string()));
  return Home(std::move(path));
}

void Home::keep_reserve() const {
  const fs::path path = path_ / kReserve;
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0) return;
  struct statvfs disk{};
  if (::statvfs(path_.c_str(), &disk) != 0 || disk.f_bavail * disk.f_frsize < kPlenty) return;
  // Where it cannot be made, removing fails on a full disk, as everything else does.
  auto file = open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (file && ::posix_fallocate(file->get(), 0, kReserveSize) != 0) ::unlink(path.c_str());
}

bool Home::give_up_reserve() const {
  return ::unlink((path_ / kReserve).c_str()) == 0;
}

}  // namespace kist::catalog
