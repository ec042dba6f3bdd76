#include "sandbox/skeleton.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <deque>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kist::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "skeleton-";
constexpr std::string_view kUnfinished = "making-";

// Deep enough for /usr/local/lib/python3.11/dist-packages; what is wide and hardly written to is kept flat.
constexpr int kDepth = 4;
constexpr auto kFlat = std::to_array({"/usr/share", "/usr/include", "/usr/src"});

template <typename Each>
void each_directory(const fs::path& parent, const Each& each) {
  DIR* entries = ::opendir(parent.c_str());
  if (entries == nullptr) return;
  while (const dirent* entry = ::readdir(entries)) {
    std::string_view name = entry->d_name;
    if (name == "." || name == ".." || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)) continue;
    struct stat status{};
    fs::path path = parent / name;
    if (::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) each(path, status);
  }
  ::closedir(entries);
}

// Changes when an entry of a top directory, or of /usr/bin and its like, comes or goes: any package does that. Not what
// lies in /var or /etc: daemons write there every minute.
std::uint64_t state_of_host() {
  std::uint64_t state = 0xcbf29ce484222325;  // FNV-1a
  auto mix = [&](std::uint64_t value) { state = (state ^ value) * 0x100000001b3; };
  auto mix_status = [&](const fs::path& path, const struct stat& status) {
    for (char c : path.native()) mix(static_cast<unsigned char>(c));
    mix(static_cast<std::uint64_t>(status.st_mtim.tv_sec));
    mix(static_cast<std::uint64_t>(status.st_mtim.tv_nsec));
  };
  for (const char* top : kSkeletonTops) {
    struct stat status{};
    if (::lstat(top, &status) != 0) continue;
    mix_status(top, status);
    if (top == kSkeletonTops[0]) each_directory(top, mix_status);
  }
  return state;
}

struct Copying {
  fs::path source;
  fs::path target;
  int depth = 0;  // that is left
};

// Level by level, so that a limit leaves out what lies deepest.
void copy_directories(std::deque<Copying> queue, std::size_t most) {
  for (; !queue.empty() && most > 0; queue.pop_front()) {
    const Copying& parent = queue.front();
    each_directory(parent.source, [&](const fs::path& path, const struct stat& status) {
      // What the user cannot list could not be shown merged either.
      if (most == 0 || ::access(path.c_str(), R_OK | X_OK) != 0) return;
      fs::path copy = parent.target / path.filename();
      if (::mkdir(copy.c_str(), 0700) != 0) return;
      --most;
      ::chmod(copy.c_str(), (status.st_mode & 0777) | 0700);
      const int depth = std::ranges::find(kFlat, path) != kFlat.end() ? 1 : parent.depth - 1;
      if (depth > 0) queue.push_back({path, std::move(copy), depth});
    });
  }
}

Result<Skeleton> take(const fs::path& path) {
  KIST_TRY_ASSIGN(FileDescriptor lock, open_file(path, O_RDONLY | O_DIRECTORY));
  // Only a removal holds it exclusively; it has renamed the skeleton away before.
  if (::flock(lock.get(), LOCK_SH | LOCK_NB) != 0) return fail_errno(fmt::format("cannot lock {}", path.string()));
  struct stat opened{};
  struct stat named{};
  if (::fstat(lock.get(), &opened) != 0 || ::lstat(path.c_str(), &named) != 0 || opened.st_ino != named.st_ino)
    return fail(ErrorKind::not_found, fmt::format("{} was removed meanwhile", path.string()));
  return Skeleton{path, std::move(lock)};
}

void remove_unused(const fs::path& cache, const fs::path& used) {
  each_directory(cache, [&](const fs::path& path, const struct stat&) {
    if (path == used || !path.filename().native().starts_with(kPrefix)) return;
    auto lock = open_file(path, O_RDONLY | O_DIRECTORY);
    if (!lock || ::flock(lock->get(), LOCK_EX | LOCK_NB) != 0) return;
    fs::path away = cache / fmt::format("{}{}", kUnfinished, path.filename().string());
    if (::rename(path.c_str(), away.c_str()) == 0) (void)remove_tree(away);
  });
}

}  // namespace

Result<Skeleton> open_skeleton(const fs::path& cache, std::size_t most) {
  fs::path ready = cache / fmt::format("{}{}-{:016x}", kPrefix, ::geteuid(), state_of_host());
  if (auto taken = take(ready)) return taken;
  std::error_code error;
  fs::create_directories(cache, error);
  if (error) return fail_errno(fmt::format("cannot create {}", cache.string()), error.value());
  KIST_TRY_ASSIGN(ScratchDirectory making, ScratchDirectory::make(cache, kUnfinished));
  std::deque<Copying> tops;
  for (const char* top : kSkeletonTops) {
    fs::path copy = making.path() / fs::path(top).filename();
    struct stat status{};
    if (::lstat(top, &status) != 0 || !S_ISDIR(status.st_mode) || ::mkdir(copy.c_str(), 0755) != 0) continue;
    tops.push_back({top, std::move(copy), kDepth});
  }
  copy_directories(std::move(tops), most);
  ::chmod(making.path().c_str(), 0755);
  // Where another was faster, its skeleton is taken and this one goes.
  if (::rename(making.path().c_str(), ready.c_str()) == 0) (void)making.keep();
  KIST_TRY_ASSIGN(Skeleton taken, take(ready));
  remove_unused(cache, ready);
  return taken;
}

}  // namespace kist::sandbox
