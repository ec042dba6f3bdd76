// inotify only tells that something changed; what changed is found by a walk and a comparison of each file's inode,
// size and times with what was saved. That is simple, survives an overflow of events, and still works, only slower,
// where no watch can be had: the walk is done every few seconds anyway.
//
// The cost is bounded: a burst of changes is waited for a moment and saved once; a scan that took long is not repeated
// before four times as long; only changed files are read; a version is the last one plus what changed. A file that is
// still being written (its ctime is young) is left for the next scan, but a small one that never comes to rest, a log,
// is taken every few seconds all the same.
#include "task/watch.hpp"

#include <algorithm>
#include <array>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/time.hpp"
#include "task/inside.hpp"

namespace kist::task {

namespace fs = std::filesystem;

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kCoalesce(250);  // from the first change to the scan
constexpr milliseconds kQuiet(200);     // a file untouched for so long is taken
constexpr seconds kRestless(5);         // a small one that never is: so often
constexpr std::int64_t kSmall = 16 << 20;
constexpr seconds kPatrol(5);  // a walk without an event
constexpr int kBreak = 4;      // times the last scan's duration, between scans
constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB |
                                  IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK;

bool is_same(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}
bool is_same(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_size == b.st_size && a.st_mode == b.st_mode && is_same(a.st_mtim, b.st_mtim) &&
         is_same(a.st_ctim, b.st_ctim);
}

std::string join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "/" + name;
}

std::string link_text(const FileDescriptor& directory, const std::string& name) {
  std::array<char, 1 << 14> text;
  auto length = ::readlinkat(directory.get(), name.c_str(), text.data(), text.size());
  return std::string(text.data(), length < 0 ? 0 : static_cast<std::size_t>(length));
}

}  // namespace

Watcher::Watcher(store::Store& store, Options options)
    : store_(store),
      options_(std::move(options)),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      thread_([this] { run(); }) {}

Watcher::~Watcher() {
  std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
}

void Watcher::run() {
  add_inotify("");
  Clock::time_point next = Clock::now();
  bool asked = true;  // `next` is due for a reason, not for the patrol
  milliseconds pause(0);
  for (;;) {
    auto wait = std::max<std::int64_t>(0, std::chrono::ceil<milliseconds>(next - Clock::now()).count());
    std::array<pollfd, 2> waiting{pollfd{stop_.get(), POLLIN, 0}, pollfd{inotify_.get(), POLLIN, 0}};
    (void)::poll(waiting.data(), inotify_ ? 2 : 1, static_cast<int>(wait));
    if (waiting[0].revents != 0) return;
    if (waiting[1].revents != 0) {
      std::array<char, 1 << 14> events;
      while (::read(inotify_.get(), events.data(), events.size()) > 0) continue;
      if (!asked) next = Clock::now() + std::max(kCoalesce, pause);
      asked = true;
    }
    if (Clock::now() < next) continue;
    Clock::time_point begin = Clock::now();
    unfinished_ = false;
    if (auto scanned = scan(); !scanned && !complained_) {
      complained_ = true;
      options_.say(
          fmt::format("artifact '{}' cannot be saved while it is written: {}", options_.name, scanned.error().text));
    }
    Clock::time_point end = Clock::now();
    pause = kBreak * std::chrono::ceil<milliseconds>(end - begin);
    asked = unfinished_;
    next = end + std::max<milliseconds>(unfinished_ ? kCoalesce : milliseconds(kPatrol), pause);
  }
}

Status Watcher::scan() {
  KIST_TRY_ASSIGN(auto top, open_file(options_.directory, O_RDONLY | O_DIRECTORY));
  Walked walked;
  for (auto& [path, file] : files_) file.seen = false;
  KIST_TRY(walk(top, "", walked));
  walked.removed = std::erase_if(files_, [](const auto& file) { return !file.second.seen && file.second.saved; }) > 0;
  std::erase_if(files_, [](const auto& file) { return !file.second.seen; });
  bool reshaped = walked.skeleton != skeleton_;
  if (walked.changed.empty() && !walked.removed && !reshaped) return {};

  KIST_TRY_ASSIGN(auto transaction, store_.begin());
  std::vector<store::Transaction::Part> changed;
  for (const std::string& path : walked.changed) {
    KnownFile& file = files_[path];
    if (!is_quiet(file)) {
      unfinished_ = true;
      continue;
    }
    auto opened = open_beneath(top, path, false);
    auto saved = opened ? transaction->save(by_descriptor(*opened)) : std::unexpected(opened.error());
    if (!saved && (saved.error().kind == ErrorKind::no_space || saved.error().kind == ErrorKind::corrupt))
      return std::unexpected(saved.error());
    if (!saved) {  // it is written, or was removed, at this moment
      unfinished_ = true;
      continue;
    }
    file.taken = Clock::now();
    file.saved = saved->id;
    file.saved_status = file.status;
    changed.push_back({.prefix = path, .id = saved->id});
  }
  if (changed.empty() && !walked.removed && !reshaped) return {};

  std::vector<store::Transaction::Part> parts;
  if (published_ && !walked.removed) parts.push_back({.prefix = "", .id = *published_});
  bool anew = !published_ || walked.removed || reshaped;
  if (anew) {
    KIST_TRY_ASSIGN(store::ArtifactId skeleton, save_skeleton(walked.skeleton, *transaction));
    if (reshaped) parts.clear();  // a link or a directory may be gone
    parts.push_back({.prefix = "", .id = skeleton});
    changed.clear();
    for (const auto& [path, file] : files_)
      if (file.saved) changed.push_back({.prefix = path, .id = *file.saved});
  }
  if (!published_ && changed.empty()) return {};  // nothing to show yet
  parts.insert(parts.end(), changed.begin(), changed.end());
  KIST_TRY_ASSIGN(store::Saved all, transaction->combine(parts));
  KIST_TRY(transaction->commit());
  KIST_TRY(options_.announce({.name = options_.name,
                              .path = options_.path,
                              .tree = all.id.tree,
                              .times = all.id.times,
                              .bytes = all.bytes,
                              .files = all.files,
                              .archive = {},
                              .live = true}));
  published_ = all.id;
  skeleton_ = std::move(walked.skeleton);
  return {};
}

Status Watcher::walk(const FileDescriptor& directory, const std::string& prefix, Walked& walked) {
  KIST_TRY_ASSIGN(auto names, names_in(directory));
  for (const std::string& name : names) {
    std::string path = join(prefix, name);
    struct stat status{};
    if (::fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;  // removed just now
    if (S_ISLNK(status.st_mode)) {
      walked.skeleton[path] = "> " + link_text(directory, name);
    } else if (S_ISREG(status.st_mode)) {
      auto [known, is_new] = files_.try_emplace(path);
      KnownFile& file = known->second;
      file.seen = true;
      if (is_new) file.taken = Clock::now();
      if (!file.saved || !is_same(file.saved_status, status)) walked.changed.push_back(path);
      file.status = status;
    } else if (S_ISDIR(status.st_mode)) {
      bool is_new = !skeleton_.contains(path);
      walked.skeleton[path] = fmt::format("{:o}", status.st_mode & 07777);
      if (is_new) add_inotify(path);
      FileDescriptor below(::openat(directory.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (below) KIST_TRY(walk(below, path, walked));
    }
  }
  return {};
}

// A second watch of one directory is the same watch.
void Watcher::add_inotify(const std::string& prefix) {
  if (inotify_) (void)::inotify_add_watch(inotify_.get(), (options_.directory / prefix).c_str(), kEvents);
}

bool Watcher::is_quiet(const KnownFile& file) const {
  auto changed = Time(seconds(file.status.st_ctim.tv_sec) + std::chrono::nanoseconds(file.status.st_ctim.tv_nsec));
  if (now() - changed >= kQuiet) return true;
  return file.status.st_size <= kSmall && Clock::now() - file.taken >= kRestless;
}

// The directories and links alone, made in a directory of our own for a moment.
Result<store::ArtifactId> Watcher::save_skeleton(const Skeleton& skeleton, store::Transaction& transaction) const {
  struct stat status{};
  if (::stat(options_.directory.c_str(), &status) != 0 || ::mkdir(options_.staging.c_str(), 0700) != 0)
    return fail_errno(fmt::format("cannot make {}", options_.staging.string()));
  auto saved = [&]() -> Result<store::ArtifactId> {
    for (const auto& [path, what] : skeleton) {  // a directory comes before what it holds
      fs::path entry = options_.staging / path;
      bool made =
          what.starts_with("> ") ? ::symlink(what.c_str() + 2, entry.c_str()) == 0 : ::mkdir(entry.c_str(), 0700) == 0;
      if (!made) return fail_errno(fmt::format("cannot make {}", entry.string()));
    }
    for (auto entry = skeleton.rbegin(); entry != skeleton.rend(); ++entry)
      if (!entry->second.starts_with("> "))
        (void)::chmod((options_.staging / entry->first).c_str(),
                      static_cast<mode_t>(std::stoul(entry->second, nullptr, 8)));
    (void)::chmod(options_.staging.c_str(), status.st_mode & 07777);
    KIST_TRY_ASSIGN(store::Saved all, transaction.save(options_.staging));
    return all.id;
  }();
  KIST_TRY(remove_tree(options_.staging));
  return saved;
}

}  // namespace kist::task
