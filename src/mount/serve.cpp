// libfuse's low-level interface. The kernel reads ahead and keeps pages, names and attributes (for a year: they cannot
// change, but for directories between artifacts), and is told not to ask for opening and closing at all, so that what
// is read twice costs nothing here.
#include "mount/serve.hpp"

#define FUSE_USE_VERSION 312
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <fuse_lowlevel.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/file.hpp"

namespace kist::mount {
namespace {

using store::EntryType;

constexpr double kKeptFor = 365 * 86400.0;
constexpr double kKeptIfChanging = 1;
constexpr unsigned kMostThreads = 8;
constexpr unsigned kRequestsUnderWay = 64;
constexpr std::size_t kLargestList = 1 << 20;

struct Server {
  Files& files;
  const ServeOptions& options;
  uid_t user;
  gid_t group;
};

Server& server_of(fuse_req_t request) {
  return *static_cast<Server*>(fuse_req_userdata(request));
}

int errno_of(const Error& error) {
  switch (error.kind) {
    case ErrorKind::not_found:
      return ENOENT;
    case ErrorKind::invalid:
      return EINVAL;
    case ErrorKind::denied:
      return EACCES;
    default:
      return EIO;
  }
}

void refuse(fuse_req_t request, const Error& error) {
  const int number = errno_of(error);
  if (number != ENOENT && number != EINVAL) {
    const Server& server = server_of(request);
    if (server.options.failed) server.options.failed(error);
  }
  fuse_reply_err(request, number);
}

struct stat status_of(const Server& server, const Attributes& attributes) {
  constexpr std::array<mode_t, 3> kTypes{S_IFREG, S_IFDIR, S_IFLNK};
  struct stat status{};
  status.st_ino = attributes.inode;
  status.st_mode = kTypes[static_cast<std::size_t>(attributes.type)] | attributes.mode;
  // How many directories are in a directory is not known without reading it; 1 says so.
  status.st_nlink = 1;
  status.st_uid = server.user;
  status.st_gid = server.group;
  status.st_size = static_cast<off_t>(attributes.size);
  status.st_blocks = static_cast<blkcnt_t>((attributes.size + 511) / 512);
  status.st_blksize = 128 << 10;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(attributes.modified);
  status.st_mtim.tv_sec = seconds.time_since_epoch().count();
  status.st_mtim.tv_nsec = (attributes.modified - seconds).count();
  status.st_ctim = status.st_atim = status.st_mtim;
  return status;
}

double kept_for(const Server& server, bool lasting) {
  return lasting || !server.options.changing ? kKeptFor : kKeptIfChanging;
}

fuse_entry_param entry_of(const Server& server, const Attributes& attributes) {
  fuse_entry_param entry{};
  entry.ino = attributes.inode;
  entry.attr = status_of(server, attributes);
  entry.attr_timeout = entry.entry_timeout = kept_for(server, attributes.lasting);
  return entry;
}

void on_init(void* data, fuse_conn_info* connection) {
  for (const unsigned wish : {FUSE_CAP_CACHE_SYMLINKS, FUSE_CAP_PARALLEL_DIROPS, FUSE_CAP_READDIRPLUS,
                              FUSE_CAP_NO_OPEN_SUPPORT, FUSE_CAP_NO_OPENDIR_SUPPORT, FUSE_CAP_ASYNC_READ})
    connection->want |= connection->capable & wish;
  connection->max_background = kRequestsUnderWay;
  connection->congestion_threshold = kRequestsUnderWay * 3 / 4;
  const auto* server = static_cast<Server*>(data);
  if (server->options.ready) server->options.ready();
}

void on_lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  const Server& server = server_of(request);
  const auto found = server.files.lookup(parent, name);
  if (found) {
    const fuse_entry_param entry = entry_of(server, *found);
    fuse_reply_entry(request, &entry);
  } else if (found.error().kind == ErrorKind::not_found) {
    // That it is not there can be kept too.
    fuse_entry_param none{};
    none.entry_timeout = kept_for(server, !Files::may_change(parent));
    fuse_reply_entry(request, &none);
  } else {
    refuse(request, found.error());
  }
}

void on_getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info*) {
  const Server& server = server_of(request);
  const auto found = server.files.attributes(inode);
  if (!found) return refuse(request, found.error());
  const struct stat status = status_of(server, *found);
  fuse_reply_attr(request, &status, kept_for(server, found->lasting));
}

void on_readlink(fuse_req_t request, fuse_ino_t inode) {
  const auto target = server_of(request).files.link_target(inode);
  if (!target) return refuse(request, target.error());
  fuse_reply_readlink(request, target->c_str());
}

// ENOSYS means: do not ask, and keep what was read. An older kernel does ask.
void on_open(fuse_req_t request, fuse_ino_t, fuse_file_info* file) {
  if ((file->flags & O_ACCMODE) != O_RDONLY) {
    fuse_reply_err(request, EROFS);
    return;
  }
  fuse_reply_err(request, ENOSYS);
}

void on_opendir(fuse_req_t request, fuse_ino_t, fuse_file_info*) {
  fuse_reply_err(request, ENOSYS);
}

void on_read(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset, fuse_file_info*) {
  const auto pieces = server_of(request).files.read(inode, static_cast<std::uint64_t>(offset), size);
  if (!pieces) return refuse(request, pieces.error());
  std::vector<iovec> parts;
  parts.reserve(pieces->size());
  for (const Files::Piece& piece : *pieces)
    parts.push_back({const_cast<std::byte*>(piece.bytes.data()), piece.bytes.size()});
  fuse_reply_iov(request, parts.data(), static_cast<int>(parts.size()));
}

// Positions 0 and 1 are "." and ".."; what Files calls p is at p + 2.
void list(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset, bool with_attributes) {
  const Server& server = server_of(request);
  std::vector<char> buffer(std::min(size, kLargestList));
  std::size_t used = 0;
  const auto add = [&](const char* name, const fuse_entry_param& entry, off_t next) {
    char* at = buffer.data() + used;
    const std::size_t room = buffer.size() - used;
    const std::size_t length = with_attributes ? fuse_add_direntry_plus(request, at, room, name, &entry, next)
                                               : fuse_add_direntry(request, at, room, name, &entry.attr, next);
    if (length > room) return false;
    used += length;
    return true;
  };
  for (const char* name : {".", ".."}) {
    const off_t position = static_cast<off_t>(std::strlen(name)) - 1;
    if (offset > position) continue;
    fuse_entry_param entry{};  // no inode: not looked up
    entry.attr.st_ino = inode;
    entry.attr.st_mode = S_IFDIR;
    if (!add(name, entry, position + 1)) {
      fuse_reply_buf(request, buffer.data(), used);
      return;
    }
  }
  const auto position = static_cast<std::uint64_t>(std::max<off_t>(offset, 2) - 2);
  const auto listed = server.files.list(
      inode, position, [&](const std::string& name, const Attributes& attributes, std::uint64_t next) {
        return add(name.c_str(), entry_of(server, attributes), static_cast<off_t>(next + 2));
      });
  if (!listed && used == 0) return refuse(request, listed.error());
  fuse_reply_buf(request, buffer.data(), used);
}

void on_readdir(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset, fuse_file_info*) {
  list(request, inode, size, offset, false);
}
void on_readdirplus(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset, fuse_file_info*) {
  list(request, inode, size, offset, true);
}

void on_statfs(fuse_req_t request, fuse_ino_t) {
  struct statvfs status{};
  status.f_bsize = status.f_frsize = 4096;
  status.f_blocks = (server_of(request).files.bytes() + 4095) / 4096;
  status.f_namemax = 255;
  status.f_flag = ST_RDONLY;
  fuse_reply_statfs(request, &status);
}

fuse_lowlevel_ops operations() {
  fuse_lowlevel_ops all{};
  all.init = on_init;
  all.lookup = on_lookup;
  all.getattr = on_getattr;
  all.readlink = on_readlink;
  all.open = on_open;
  all.opendir = on_opendir;
  all.read = on_read;
  all.readdir = on_readdir;
  all.readdirplus = on_readdirplus;
  all.statfs = on_statfs;
  return all;
}

// Its messages would go to standard error by themselves; the last one tells why a mount failed.
thread_local std::string last_message;

void keep_message(fuse_log_level, const char* format, va_list arguments) {
  char text[512];
  std::vsnprintf(text, sizeof text, format, arguments);
  last_message = text;
  while (last_message.ends_with('\n')) last_message.pop_back();
}

std::unexpected<Error> cannot_mount(const std::filesystem::path& directory) {
  std::string why = last_message.empty() ? "the system refused" : last_message;
  return fail(ErrorKind::denied, fmt::format("cannot mount at {}: {}", directory.string(), why));
}

struct SessionCloser {
  void operator()(fuse_session* session) const { fuse_session_destroy(session); }
};
struct LoopCloser {
  void operator()(fuse_loop_config* config) const { fuse_loop_cfg_destroy(config); }
};

}  // namespace

Status serve(Files& files, const std::filesystem::path& directory, const ServeOptions& options) {
  if (!open_file("/dev/fuse", O_RDWR)) {
    const int error = errno;
    if (error == ENOENT || error == ENODEV || error == ENXIO)
      return fail(ErrorKind::unsupported,
                  "cannot mount: there is no /dev/fuse here; `modprobe fuse`, or give the container that device");
    return fail_errno("cannot mount: opening /dev/fuse", error);
  }
  fuse_set_log_func(keep_message);
  Server server{files, options, geteuid(), getegid()};
  const fuse_lowlevel_ops all = operations();
  std::string mount_options = fmt::format("ro,nosuid,nodev,default_permissions,subtype=kist,fsname={}", options.source);
  if (options.allow_other) mount_options += ",allow_other";
  std::array<char*, 3> words{const_cast<char*>("kist"), const_cast<char*>("-o"), mount_options.data()};
  fuse_args arguments{.argc = static_cast<int>(words.size()), .argv = words.data(), .allocated = 0};
  const std::unique_ptr<fuse_session, SessionCloser> session(fuse_session_new(&arguments, &all, sizeof all, &server));
  fuse_opt_free_args(&arguments);
  if (!session) return cannot_mount(directory);
  if (fuse_set_signal_handlers(session.get()) != 0) return fail_errno("cannot mount: setting signal handlers");
  if (fuse_session_mount(session.get(), directory.c_str()) != 0) {
    fuse_remove_signal_handlers(session.get());
    return cannot_mount(directory);
  }
  const std::unique_ptr<fuse_loop_config, LoopCloser> loop(fuse_loop_cfg_create());
  fuse_loop_cfg_set_clone_fd(loop.get(), 1);
  fuse_loop_cfg_set_max_threads(loop.get(), kMostThreads);
  const int ended = fuse_session_loop_mt(session.get(), loop.get());
  fuse_session_unmount(session.get());
  fuse_remove_signal_handlers(session.get());
  // A signal's number is an end like any other.
  if (ended < 0) return fail_errno(fmt::format("serving {}", directory.string()), -ended);
  return {};
}

}  // namespace kist::mount
