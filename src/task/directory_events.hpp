// Hears what changes in a directory and in all directories below it, by inotify: a watch for each, since the kernel has
// none for whole trees. What it cannot hear (a directory that came and got files at once, more events than the kernel
// keeps, a limit on watches, memory maps) somebody has to look for; it says when.
//
// The directory belongs to a task, so nothing in it is reached by following a link. Used by one thread.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>

#include "base/file.hpp"

namespace kist::task {

class DirectoryEvents {
 public:
  enum class Sign {
    closed,   // it was written and closed, moved or removed, is a link or a directory: it can be looked at now
    touched,  // a file was made or its mode or times were set: somebody may be writing to it
  };
  // The path is relative to the directory; empty: the directory itself.
  using Note = std::function<void(std::string path, Sign sign)>;

  explicit DirectoryEvents(const std::filesystem::path& directory);

  // Readable when something has happened.
  int descriptor() const { return inotify_.get(); }

  // Tells what has happened since the last call, some thousands of events at most. A directory that came is watched,
  // and what it holds is told. False: events were lost; all watches are gone, and everything has to be looked at.
  bool read(const Note& note);

  // Watches one directory more, where it is not watched already. False: it cannot be, or is gone.
  bool watch(const std::string& path);
  // Whether this machine allows no more watches (fs.inotify.max_user_watches).
  bool is_limited() const { return limited_; }

 private:
  void handle(std::uint32_t mask, const std::string& above, const std::string& name, const Note& note);
  void take_in(const std::string& path, const Note& note);
  void forget(const std::string& path);
  void begin();

  FileDescriptor top_;
  FileDescriptor inotify_;
  std::unordered_map<int, std::string> paths_;  // by watch
  std::map<std::string, int> watches_;          // by path
  bool limited_ = false;
};

}  // namespace kist::task
