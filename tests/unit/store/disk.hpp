// A disk that loses what was not synced. It watches the calls of the store, remembers the bytes of each file and the
// names in each directory as they were when that was synced last, stops the machine before a chosen call, and then
// shows what a machine may find that starts again.
#pragma once

#include <random>
#include <set>

#include <dirent.h>

#include "base/system.hpp"
#include "store/fixture.hpp"

namespace kist::store {

class Disk : public os::Observer {
 public:
  // What is in the directory now is durable. The machine stops before call number `calls` (of those that change
  // something): that one and all later ones fail.
  Disk(fs::path directory, int calls) : root_(std::move(directory)), left_(calls) {
    remember_directory(root_);
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      if (entry.is_directory()) remember_directory(entry.path());
      if (entry.is_regular_file()) remember_file(FileDescriptor(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC)));
    }
    os::observe(this);
  }
  ~Disk() override { os::observe(nullptr); }

  int before(os::Operation operation) override {
    if (operation == os::Operation::read || operation == os::Operation::open) return stopped_ ? EIO : 0;
    if (left_.fetch_sub(1) <= 0) stopped_ = true;
    return stopped_ ? EIO : 0;
  }
  void synced(int descriptor) override {
    std::lock_guard lock(mutex_);
    struct stat status{};
    if (::fstat(descriptor, &status) != 0) return;
    std::error_code error;
    fs::path path = fs::read_symlink(fmt::format("/proc/self/fd/{}", descriptor), error);
    if (S_ISDIR(status.st_mode))
      remember_directory(path);
    else
      remember_file(FileDescriptor(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0)));
  }
  bool stopped() const { return stopped_; }

  // Which of the names that were not synced yet made it.
  enum class Names { synced, all, some };
  // Writes what is found after the stop into a new directory.
  void recover(const fs::path& to, Names which, unsigned seed) const {
    std::mt19937 random(seed);
    fs::create_directories(to);
    for (const auto& [directory, before] : names_) {
      fs::path relative = directory.lexically_relative(root_);
      fs::create_directories(to / relative);
      auto now = list(directory);
      std::set<std::string> names;
      for (const auto& [name, inode] : before) names.insert(name);
      for (const auto& [name, inode] : now) names.insert(name);
      for (const std::string& name : names) {
        bool late = which == Names::all || (which == Names::some && random() % 2 == 0);
        const auto& chosen = late ? now : before;
        auto found = chosen.find(name);
        if (found == chosen.end()) continue;
        auto file = files_.find(found->second);
        if (fs::is_directory(fs::symlink_status(directory / name))) continue;  // has its own turn
        fs::path target = to / relative / name;
        write(target, file == files_.end() ? std::string() : file->second.bytes);  // never synced: nothing is certain
        if (file != files_.end()) {
          timespec times[2] = {{0, UTIME_OMIT}, file->second.modified};
          ::utimensat(AT_FDCWD, target.c_str(), times, 0);
          ::chmod(target.c_str(), file->second.mode);
        }
      }
    }
  }

 private:
  struct File {
    std::string bytes;
    timespec modified{};
    mode_t mode = 0;
    FileDescriptor open;  // so that its inode number is not given to another
  };
  using Listing = std::map<std::string, ino_t>;

  static Listing list(const fs::path& directory) {
    Listing names;
    if (DIR* stream = ::opendir(directory.c_str())) {
      while (const dirent* entry = ::readdir(stream))
        if (std::string_view(entry->d_name) != "." && std::string_view(entry->d_name) != "..")
          names[entry->d_name] = entry->d_ino;
      ::closedir(stream);
    }
    return names;
  }
  void remember_directory(const fs::path& path) { names_[path] = list(path); }
  void remember_file(FileDescriptor file) {
    struct stat status{};
    if (!file || ::fstat(file.get(), &status) != 0) return;
    File& known = files_[status.st_ino];
    known.bytes.resize(static_cast<std::size_t>(status.st_size));
    FileDescriptor readable(::open(fmt::format("/proc/self/fd/{}", file.get()).c_str(), O_RDONLY | O_CLOEXEC));
    std::size_t at = 0;
    while (at < known.bytes.size()) {
      ssize_t got = ::pread(readable.get(), known.bytes.data() + at, known.bytes.size() - at, static_cast<off_t>(at));
      if (got <= 0) break;
      at += static_cast<std::size_t>(got);
    }
    known.modified = status.st_mtim;
    known.mode = status.st_mode & 07777;
    known.open = std::move(file);
  }

  const fs::path root_;
  std::atomic<int> left_;
  std::atomic<bool> stopped_ = false;
  std::mutex mutex_;
  std::map<ino_t, File> files_;
  std::map<fs::path, Listing> names_;
};

}  // namespace kist::store
