#include "task/rooms.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "task/control.hpp"

namespace kist::task {

namespace fs = std::filesystem;

namespace {

// What changes on the host may be missed by an overlay that stands already. No task sees the host older than this.
constexpr std::chrono::seconds kOldest(1);

constexpr const char* kRoot = "root";
constexpr const char* kSocket = "task.sock";

}  // namespace

Status Room::open(sandbox::Launcher& launcher, sandbox::Layout layout) {
  if (sandbox_) return {};
  layout.scratch = directory() / kRoot;
  layout.control_socket = directory() / kSocket;
  layout_ = std::move(layout);
  if (std::error_code error; !fs::create_directory(layout_.scratch, error))
    return fail_errno(fmt::format("cannot make {}", layout_.scratch.string()), error.value());
  opened_ = std::chrono::steady_clock::now();
  KIST_TRY_ASSIGN(sandbox_, launcher.open(layout_));
  return {};
}

bool Room::is_as_new() {
  if (!sandbox_) return false;
  auto renewed = sandbox_->renew();
  if (!renewed || !*renewed) return false;
  refuse_waiting(listener_.get());
  std::error_code error;
  return std::ranges::all_of(fs::directory_iterator(directory(), error), [](const fs::directory_entry& entry) {
    return entry.path().filename() == kRoot || entry.path().filename() == kSocket;
  });
}

Result<fs::path> TaskDirectory::path() {
  if (!made_) {
    KIST_TRY_ASSIGN(auto made, rooms_.make_directory());
    made_.emplace(std::move(made));
  }
  return made_->path();
}

Result<ScratchDirectory> Rooms::make_directory() {
  auto made = ScratchDirectory::make(scratch_, "task-");
  if (made || made.error().kind != ErrorKind::not_found) return made;
  std::error_code error;
  fs::create_directories(scratch_, error);
  return ScratchDirectory::make(scratch_, "task-");
}

Result<std::unique_ptr<Room>> Rooms::make() {
  KIST_TRY_ASSIGN(auto directory, make_directory());
  std::unique_ptr<Room> room(new Room(std::move(directory)));
  KIST_TRY_ASSIGN(room->listener_, listen_at(room->directory() / kSocket));
  return room;
}

Result<std::unique_ptr<Room>> Rooms::take(const sandbox::Layout& layout) {
  std::vector<std::unique_ptr<Room>> old;  // are gone when the lock is
  {
    std::scoped_lock lock(mutex_);
    auto now = std::chrono::steady_clock::now();
    auto is_fresh = [&](const std::unique_ptr<Room>& room) { return now - room->opened_ < kOldest; };
    auto aged = std::ranges::partition(kept_, is_fresh);
    old.assign(std::make_move_iterator(aged.begin()), std::make_move_iterator(aged.end()));
    kept_.erase(aged.begin(), aged.end());
    auto found =
        std::ranges::find_if(kept_, [&](const std::unique_ptr<Room>& room) { return room->layout_.is_like(layout); });
    if (found != kept_.end()) {
      std::unique_ptr<Room> room = std::move(*found);
      kept_.erase(found);
      return room;
    }
  }
  return make();
}

void Rooms::give_back(std::unique_ptr<Room> room) {
  if (!room->is_as_new()) return;
  std::scoped_lock lock(mutex_);
  kept_.push_back(std::move(room));
}

}  // namespace kist::task
