// The seam between kist and the operating system's files. Each function takes the arguments, gives the results and sets
// the errno of the system call it is named after, and repeats a call that a signal interrupted. What is written to disk
// and must survive a crash goes through here, so that a test can make the n-th call fail, fill the disk, or see what
// was synced when the machine stops.
#pragma once

#include <cstddef>
#include <ctime>

#include <fcntl.h>
#include <sys/types.h>
#include <sys/uio.h>

namespace kist::os {

enum class Operation { open, read, write, sync, link, rename, remove, make_directory, change };

// What a test puts between. Called from every thread.
class Observer {
 public:
  virtual ~Observer() = default;
  // Before a call: 0 lets it happen, an errno makes it fail with that.
  virtual int before(Operation operation) = 0;
  // After a file or directory was synced.
  virtual void synced(int descriptor) = 0;
};

// Installs an observer; nullptr takes it away. Only tests do this, while no call is under way.
void observe(Observer* observer);

int openat(int directory, const char* path, int flags, mode_t mode = 0600);
ssize_t read(int descriptor, void* buffer, std::size_t count);
ssize_t pread(int descriptor, void* buffer, std::size_t count, off_t offset);
ssize_t preadv(int descriptor, const iovec* parts, int count, off_t offset);
ssize_t write(int descriptor, const void* buffer, std::size_t count);
ssize_t pwrite(int descriptor, const void* buffer, std::size_t count, off_t offset);
ssize_t writev(int descriptor, const iovec* parts, int count);
int ftruncate(int descriptor, off_t length);
int fsync(int descriptor);
int fdatasync(int descriptor);
int linkat(int old_directory, const char* old_path, int new_directory, const char* new_path, int flags);
int symlinkat(const char* target, int directory, const char* path);
int renameat(int old_directory, const char* old_path, int new_directory, const char* new_path);
int unlinkat(int directory, const char* path, int flags);
int mkdirat(int directory, const char* path, mode_t mode);
int fchmod(int descriptor, mode_t mode);
int utimensat(int directory, const char* path, const timespec times[2], int flags);
int futimens(int descriptor, const timespec times[2]);
int setxattr(const char* path, const char* name, const void* value, std::size_t size, int flags);
int lsetxattr(const char* path, const char* name, const void* value, std::size_t size, int flags);

}  // namespace kist::os
