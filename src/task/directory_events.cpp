#include "task/directory_events.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "task/inside.hpp"

namespace kist::task {

namespace {

// Not IN_MODIFY: a process that writes little by little would fill the queue with it.
constexpr std::uint32_t kEvents =
    IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR | IN_EXCL_UNLINK;
constexpr int kMostReads = 64;

std::string join(const std::string& above, const std::string& name) {
  if (name.empty()) return above;
  return above.empty() ? name : above + "/" + name;
}

}  // namespace

DirectoryEvents::DirectoryEvents(const std::filesystem::path& directory) {
  if (auto top = open_file(directory, O_RDONLY | O_DIRECTORY)) top_ = std::move(*top);
  begin();
}

void DirectoryEvents::begin() {
  paths_.clear();
  watches_.clear();
  inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
}

bool DirectoryEvents::watch(const std::string& path) {
  if (!inotify_ || !top_) return false;
  if (watches_.contains(path)) return true;
  auto directory = open_beneath(top_, path.empty() ? "." : path, false);
  if (!directory) return false;
  // By the descriptor, so that it is this directory and no other.
  int watch = ::inotify_add_watch(inotify_.get(), by_descriptor(*directory).c_str(), kEvents);
  if (watch < 0) {
    limited_ = limited_ || errno == ENOSPC;
    return false;
  }
  // One directory has one watch: it was somewhere else until now.
  if (auto known = paths_.find(watch); known != paths_.end()) watches_.erase(known->second);
  paths_[watch] = path;
  watches_[path] = watch;
  return true;
}

void DirectoryEvents::forget(const std::string& path) {
  auto drop = [&](auto position) {
    (void)::inotify_rm_watch(inotify_.get(), position->second);
    paths_.erase(position->second);
    return watches_.erase(position);
  };
  if (auto own = watches_.find(path); own != watches_.end()) drop(own);
  const std::string below = path + "/";
  for (auto position = watches_.lower_bound(below); position != watches_.end() && position->first.starts_with(below);)
    position = drop(position);
}

bool DirectoryEvents::read(const Note& note) {
  alignas(inotify_event) std::array<char, 64 << 10> buffer;
  for (int reads = 0; reads < kMostReads; ++reads) {
    auto count = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (count <= 0) return true;
    for (const char* at = buffer.data(); at < buffer.data() + count;) {
      inotify_event event;
      std::memcpy(&event, at, sizeof event);
      std::string name(at + sizeof event, ::strnlen(at + sizeof event, event.len));
      at += sizeof event + event.len;
      if ((event.mask & IN_Q_OVERFLOW) != 0) {
        begin();
        return false;
      }
      auto above = paths_.find(event.wd);
      if (above == paths_.end()) continue;  // of a directory that was moved or removed meanwhile
      if ((event.mask & IN_IGNORED) != 0) {
        watches_.erase(above->second);
        paths_.erase(above);
        continue;
      }
      handle(event.mask, std::string(above->second), name, note);
    }
  }
  return true;
}

void DirectoryEvents::handle(std::uint32_t mask, const std::string& above, const std::string& name, const Note& note) {
  std::string path = join(above, name);
  bool is_directory = (mask & IN_ISDIR) != 0;
  if (is_directory && (mask & (IN_MOVED_FROM | IN_DELETE)) != 0) forget(path);
  if (is_directory && (mask & (IN_CREATE | IN_MOVED_TO)) != 0) return take_in(path, note);
  bool may_be_open = !is_directory && (mask & (IN_CREATE | IN_ATTRIB)) != 0;
  note(std::move(path), may_be_open ? Sign::touched : Sign::closed);
}

// First the watch, then the look: what comes later is heard.
void DirectoryEvents::take_in(const std::string& path, const Note& note) {
  std::vector<std::string> directories = {path};
  while (!directories.empty()) {
    std::string directory = std::move(directories.back());
    directories.pop_back();
    note(directory, Sign::closed);
    forget(directory);
    if (!watch(directory)) continue;
    auto found = open_beneath(top_, directory, false);
    if (!found) continue;
    auto names = names_in(*found);
    if (!names) continue;
    for (const std::string& name : *names) {
      struct stat status{};
      if (::fstatat(found->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
      if (S_ISDIR(status.st_mode))
        directories.push_back(join(directory, name));
      else
        note(join(directory, name), S_ISREG(status.st_mode) ? Sign::touched : Sign::closed);
    }
  }
}

}  // namespace kist::task
