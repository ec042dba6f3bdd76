// Where tasks are performed on this machine: a directory in scratch, a control socket and a sandbox. Most of what a
// short task costs is making its root and taking it down. So a room that its task left as it was given is kept for the
// next task that wants the same layout, which cannot tell it from a new one.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"
#include "sandbox/sandbox.hpp"

namespace kist::task {

class Rooms;

// Used by one thread at a time. Its directory is removed with it.
class Room {
 public:
  const std::filesystem::path& directory() const { return directory_.path(); }
  // Listens where the task finds its control socket.
  int listener() const { return listener_.get(); }
  // Valid once open() succeeded, until the room is gone.
  sandbox::Sandbox& sandbox() { return *sandbox_; }

  // Opens the sandbox, where it is not open already. The layout's scratch and control socket become the room's.
  Status open(sandbox::Launcher& launcher, sandbox::Layout layout);

 private:
  friend class Rooms;
  explicit Room(ScratchDirectory directory) : directory_(std::move(directory)) {}
  bool is_as_new();

  ScratchDirectory directory_;
  FileDescriptor listener_;
  std::unique_ptr<sandbox::Sandbox> sandbox_;
  sandbox::Layout layout_;
  std::chrono::steady_clock::time_point opened_;
};

// A directory in scratch for one task, beside its roots: made when it is first wanted, removed with this. Used by one
// thread.
class TaskDirectory {
 public:
  explicit TaskDirectory(Rooms& rooms) : rooms_(rooms) {}
  // Errors: io, no_space.
  Result<std::filesystem::path> path();

 private:
  Rooms& rooms_;
  std::optional<ScratchDirectory> made_;
};

// Thread-safe.
class Rooms {
 public:
  // `scratch`: a directory on KIST_HOME's filesystem, made where missing. The launcher must outlive it.
  Rooms(sandbox::Launcher& launcher, std::filesystem::path scratch)
      : launcher_(launcher), scratch_(std::move(scratch)) {}

  sandbox::Launcher& launcher() const { return launcher_; }

  // A new directory in scratch. Errors: io, no_space.
  Result<ScratchDirectory> make_directory();
  // A new room, its sandbox not open. Errors: io, no_space.
  Result<std::unique_ptr<Room>> make();
  // One that was kept and has this layout, else a new one.
  Result<std::unique_ptr<Room>> take(const sandbox::Layout& layout);
  // Ends what is left of the task, and keeps the room where the next task could not tell.
  void give_back(std::unique_ptr<Room> room);

 private:
  sandbox::Launcher& launcher_;
  std::filesystem::path scratch_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Room>> kept_;
};

}  // namespace kist::task
