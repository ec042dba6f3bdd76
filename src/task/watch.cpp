// Events say which files to look at (directory_events.hpp), so that only those are read; a version is the last one plus
// what changed. Every few seconds a look around compares the whole directory with the last version by what the file
// system says of it: for files that stay open, and for what events do not tell.
//
// A file that was closed is taken at the next version. One that may be open is taken at once if it is small and new,
// then when it has been quiet for a moment, and otherwise every few seconds, as it is: its bytes up to the size it had.
// A file that somebody opened again and that changed while it was read stays as it was in the last version, until that
// has gone on for as long.
//
// The cost is bounded. A burst of changes is waited for a moment and saved once; after a version there is a pause as
// long as it took; a large file is read at a bounded rate on the average, though at once when it is closed for the
// first time; a look around takes a twentieth of the time. Memory: what was noted since the last version, at most so
// many paths (beyond, a look around finds the rest), and the path of each directory.
#include "task/watch.hpp"

#include <algorithm>
#include <array>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/time.hpp"

namespace kist::task {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr milliseconds kCoalesce(400);  // from the first change to the version that has it
constexpr milliseconds kBreath(20);     // between two reads of events
constexpr milliseconds kQuiet(500);     // a file that may be open and was untouched for so long is taken
constexpr seconds kRestless(5);         // one that is never quiet: so often
constexpr seconds kLook(5);             // between looks around,
constexpr int kLookShare = 20;          // or so many times as long as one takes
constexpr seconds kAfterError(1);
constexpr off_t kSmall = 128 << 10;  // up to this size a file is taken at once when it is seen first
constexpr std::uint64_t kLarge = 16 << 20;
constexpr std::uint64_t kLargeRate = 32 << 20;  // bytes a second of each large file
constexpr std::size_t kMostNoted = 50'000;

bool is_same(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}
bool is_same(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_size == b.st_size && is_same(a.st_mtim, b.st_mtim) &&
         is_same(a.st_ctim, b.st_ctim);
}

// A clock that was set back must not keep a file from ever being quiet.
bool is_quiet(const struct stat& status) {
  auto changed = Time(seconds(status.st_ctim.tv_sec) + nanoseconds(status.st_ctim.tv_nsec));
  nanoseconds age = now() - changed;
  return age >= kQuiet || age <= -kQuiet;
}

}  // namespace

Watcher::Watcher(store::Store& store, Options options)
    : store_(store),
      options_(std::move(options)),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      top_(::open(options_.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
      events_(options_.directory),
      published_(options_.begins_with),
      looked_(Clock::now()),
      thread_([this] { run(); }) {}

Watcher::~Watcher() {
  ending_ = true;
  std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
}

void Watcher::run() {
  Clock::time_point earliest = Clock::now();  // of the next version
  Clock::time_point woken = earliest;         // the first change since the last one
  auto is_stopped = [this](milliseconds wait) {
    pollfd stop{.fd = stop_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&stop, 1, static_cast<int>(wait.count())) > 0;
  };
  for (;;) {
    Clock::time_point due = look_now_ ? earliest : std::max(earliest, next_look_);
    if (!noted_.empty() || top_changed_) due = std::min(due, std::max(earliest, woken + kCoalesce));
    auto wait = std::max<std::int64_t>(0, std::chrono::ceil<milliseconds>(due - Clock::now()).count());
    std::array<pollfd, 2> waiting{pollfd{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                                  pollfd{.fd = events_.descriptor(), .events = POLLIN, .revents = 0}};
    (void)::poll(waiting.data(), waiting.size(), static_cast<int>(wait));
    if (waiting[0].revents != 0) return;
    if (waiting[1].revents != 0) {
      bool is_first = noted_.empty() && !top_changed_;
      Clock::time_point heard = Clock::now();
      bool all = events_.read([&](std::string path, DirectoryEvents::Sign sign) {
        note(std::move(path), sign == DirectoryEvents::Sign::closed, heard);
      });
      if (!all) look_now_ = true;
      if (is_first) woken = heard;
    }
    if (Clock::now() < due) {
      if (waiting[1].revents != 0 && is_stopped(kBreath)) return;
      continue;
    }
    Clock::time_point begin = Clock::now();
    Status done;
    if (look_now_ || begin >= next_look_) done = look_around();
    if (done) done = save_noted();
    if (!done && !ending_)
      complain(fmt::format("artifact '{}' cannot be saved while it is written, and is tried again: {}", options_.name,
                           done.error().text));
    woken = Clock::now();
    earliest = woken + (woken - begin);
    if (!done) {
      look_now_ = true;
      earliest += kAfterError;
    }
  }
}

void Watcher::note(std::string path, bool closed, Clock::time_point since) {
  if (path.empty()) {
    top_changed_ = true;
    return;
  }
  if (noted_.size() >= kMostNoted && !noted_.contains(path)) {
    look_now_ = true;
    return;
  }
  auto [position, is_new] = noted_.try_emplace(std::move(path), Noted{.since = since, .was = {}});
  if (closed) position->second.closed = true;
}

Status Watcher::look_around() {
  Clock::time_point begin = Clock::now();
  look_now_ = false;
  auto compared = store_.survey(published_, options_.directory, [&](const store::Surveyed& entry) {
    std::string path(entry.path);
    if (entry.directory) (void)events_.watch(path);
    // A file that differs has done so since the last look at most; had it been closed, that would have been heard.
    bool is_nothing_yet = path.empty() && !published_;
    if (entry.differs && !is_nothing_yet) note(std::move(path), entry.directory, looked_);
    return !look_now_ && !ending_;
  });
  looked_ = begin;
  Clock::duration took = Clock::now() - begin;
  next_look_ = begin + std::max<Clock::duration>(kLook, kLookShare * took);
  if (events_.is_limited())
    complain(
        fmt::format("artifact '{}': this machine lets no more directories be watched "
                    "(fs.inotify.max_user_watches): changes in some of them are seen every {} s only",
                    options_.name, std::chrono::ceil<seconds>(next_look_ - begin).count()));
  return compared;
}

Status Watcher::save_noted() {
  std::vector<store::Change> changes = choose();
  if (changes.empty() && !top_changed_) return {};
  top_changed_ = false;
  KIST_TRY_ASSIGN(auto transaction, store_.begin());
  KIST_TRY_ASSIGN(store::Updated updated, transaction->update(published_, options_.directory, changes));
  for (const std::string& path : updated.unsettled) {
    Noted& noted = noted_[path];
    noted.tried = true;
  }
  for (const store::Change& change : changes) {
    auto position = noted_.find(change.path);
    if (position == noted_.end() || position->second.tried) continue;
    if (change.settled)
      noted_.erase(position);
    else
      position->second = {.since = Clock::now(), .was = position->second.was};
  }
  if (published_ == updated.saved.id) return {};
  KIST_TRY(transaction->commit());
  KIST_TRY(announce(updated.saved));
  published_ = updated.saved.id;
  return {};
}

std::vector<store::Change> Watcher::choose() {
  std::vector<store::Change> changes;
  for (auto position = noted_.begin(); position != noted_.end();) {
    auto& [path, noted] = *position;
    Turn turn = turn_of(path, noted);
    if (turn == Turn::never) {
      position = noted_.erase(position);
      continue;
    }
    if (turn != Turn::later) changes.push_back({.path = path, .settled = turn == Turn::now});
    if (turn == Turn::as_it_is) noted.tried = false;
    ++position;
  }
  return changes;
}

// The path is one of the task's: what it leads to is only asked for its status.
Watcher::Turn Watcher::turn_of(const std::string& path, Noted& noted) {
  struct stat status{};
  bool is_file = ::fstatat(top_.get(), path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode);
  if (!is_file) {
    large_.erase(path);
    return Turn::now;
  }
  bool is_restless = Clock::now() - noted.since >= kRestless;
  bool as_it_is = !noted.closed || (noted.tried && is_restless);
  if (!noted.closed) {
    if (noted.was && is_same(*noted.was, status)) return is_quiet(status) ? Turn::never : Turn::later;
    bool costs_little = !noted.was && status.st_size <= kSmall;
    if (!costs_little && !is_restless && !is_quiet(status) && status.st_nlink == 1) return Turn::later;
  }
  if (!may_be_read(path, noted, static_cast<std::uint64_t>(status.st_size))) return Turn::later;
  if (as_it_is) noted.was = status;
  return as_it_is ? Turn::as_it_is : Turn::now;
}

// What was saved only as it was may be read at once when it is closed.
bool Watcher::may_be_read(const std::string& path, const Noted& noted, std::uint64_t size) {
  if (size < kLarge) {
    large_.erase(path);
    return true;
  }
  auto [position, is_new] = large_.try_emplace(path);
  Large& large = position->second;
  bool is_complete_at_last = noted.closed && !large.was_closed;
  if (!is_new && !is_complete_at_last && Clock::now() < large.next) return false;
  large = {.next = Clock::now() + milliseconds(size / (kLargeRate / 1000)), .was_closed = noted.closed};
  return true;
}

Status Watcher::announce(const store::Saved& saved) {
  return options_.announce({.name = options_.name,
                            .path = options_.path,
                            .tree = saved.id.tree,
                            .times = saved.id.times,
                            .bytes = saved.bytes,
                            .files = saved.files,
                            .archive = {},
                            .live = true,
                            .left_out = saved.notices});
}

void Watcher::complain(std::string_view why) {
  if (!std::exchange(complained_, true)) options_.say(why);
}

}  // namespace kist::task
