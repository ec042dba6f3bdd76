// A file system for the kernel, by FUSE: answers what it asks from Files. Read-only; the kernel may keep what it was
// told for as long as it likes, as nothing ever changes.
//
// libfuse is linked statically: a shared library would cost every start of every command.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "mount/files.hpp"

namespace kist::mount {

struct ServeOptions {
  std::string source;                                   // what stands for the device in the table of mounts
  bool changing = false;                                // artifacts may come and go (Files::show())
  bool allow_other = false;                             // other users may look into it too
  std::function<void()> ready;                          // called once, when it stands
  std::function<void(const Error& error)> failed = {};  // called where a program was told EIO; by several threads
};

// Mounts the files at a directory and answers by several threads until it is unmounted or SIGINT, SIGTERM or SIGHUP
// comes; it is unmounted afterwards. An ordinary user needs the program fusermount3. Errors: unsupported (no
// /dev/fuse), denied, unavailable.
Status serve(Files& files, const std::filesystem::path& directory, const ServeOptions& options);

}  // namespace kist::mount
