#include "base/system.hpp"

#include <atomic>
#include <cerrno>
#include <cstdio>

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace kist::os {
namespace {

std::atomic<Observer*> observer{nullptr};

template <typename Call>
auto observed(Operation operation, Call call) -> decltype(call()) {
  if (Observer* watching = observer.load(std::memory_order_acquire)) {
    if (int error = watching->before(operation)) {
      errno = error;
      return -1;
    }
  }
  while (true) {
    auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

int synced(int descriptor, int result) {
  Observer* watching = observer.load(std::memory_order_acquire);
  if (watching != nullptr && result == 0) watching->synced(descriptor);
  return result;
}

}  // namespace

void observe(Observer* watching) {
  observer.store(watching, std::memory_order_release);
}

int openat(int directory, const char* path, int flags, mode_t mode) {
  return observed(Operation::open, [&] { return ::openat(directory, path, flags | O_CLOEXEC, mode); });
}

ssize_t read(int descriptor, void* buffer, std::size_t count) {
  return observed(Operation::read, [&] { return ::read(descriptor, buffer, count); });
}

ssize_t pread(int descriptor, void* buffer, std::size_t count, off_t offset) {
  return observed(Operation::read, [&] { return ::pread(descriptor, buffer, count, offset); });
}

ssize_t preadv(int descriptor, const iovec* parts, int count, off_t offset) {
  return observed(Operation::read, [&] { return ::preadv(descriptor, parts, count, offset); });
}

ssize_t write(int descriptor, const void* buffer, std::size_t count) {
  return observed(Operation::write, [&] { return ::write(descriptor, buffer, count); });
}

ssize_t pwrite(int descriptor, const void* buffer, std::size_t count, off_t offset) {
  return observed(Operation::write, [&] { return ::pwrite(descriptor, buffer, count, offset); });
}

ssize_t writev(int descriptor, const iovec* parts, int count) {
  return observed(Operation::write, [&] { return ::writev(descriptor, parts, count); });
}

int ftruncate(int descriptor, off_t length) {
  return observed(Operation::write, [&] { return ::ftruncate(descriptor, length); });
}

int fsync(int descriptor) {
  return synced(descriptor, observed(Operation::sync, [&] { return ::fsync(descriptor); }));
}

int fdatasync(int descriptor) {
  return synced(descriptor, observed(Operation::sync, [&] { return ::fdatasync(descriptor); }));
}

int linkat(int old_directory, const char* old_path, int new_directory, const char* new_path, int flags) {
  return observed(Operation::link, [&] { return ::linkat(old_directory, old_path, new_directory, new_path, flags); });
}

int symlinkat(const char* target, int directory, const char* path) {
  return observed(Operation::link, [&] { return ::symlinkat(target, directory, path); });
}

int renameat(int old_directory, const char* old_path, int new_directory, const char* new_path) {
  return observed(Operation::rename, [&] { return ::renameat(old_directory, old_path, new_directory, new_path); });
}

int unlinkat(int directory, const char* path, int flags) {
  return observed(Operation::remove, [&] { return ::unlinkat(directory, path, flags); });
}

int mkdirat(int directory, const char* path, mode_t mode) {
  return observed(Operation::make_directory, [&] { return ::mkdirat(directory, path, mode); });
}

int fchmod(int descriptor, mode_t mode) {
  return observed(Operation::change, [&] { return ::fchmod(descriptor, mode); });
}

int utimensat(int directory, const char* path, const timespec times[2], int flags) {
  return observed(Operation::change, [&] { return ::utimensat(directory, path, times, flags); });
}

int futimens(int descriptor, const timespec times[2]) {
  return observed(Operation::change, [&] { return ::futimens(descriptor, times); });
}

int setxattr(const char* path, const char* name, const void* value, std::size_t size, int flags) {
  return observed(Operation::change, [&] { return ::setxattr(path, name, value, size, flags); });
}

int lsetxattr(const char* path, const char* name, const void* value, std::size_t size, int flags) {
  return observed(Operation::change, [&] { return ::lsetxattr(path, name, value, size, flags); });
}

}  // namespace kist::os
