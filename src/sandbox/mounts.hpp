// The mount system calls that a private root is built with. Sources and targets are opened first and named by
// descriptor, so a path may hold any byte.
#pragma once

#include <filesystem>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"

namespace kist::sandbox {

// A detached copy of what is at `source`, with all that is mounted below it where `recursive`.
Result<FileDescriptor> clone_mount(const std::filesystem::path& source, bool recursive, bool read_only);

// An overlay of `lower` (the first one uppermost) with `upper` and `work`; `user`: extended attributes an ordinary user
// may set. Detached.
Result<FileDescriptor> overlay(const std::vector<std::filesystem::path>& lower, const std::filesystem::path& upper,
                               const std::filesystem::path& work, bool user);

// A new file system of a type that needs no source ("tmpfs", "proc", "devpts"). Detached.
Result<FileDescriptor> new_file_system(const char* type,
                                       const std::vector<std::pair<const char*, const char*>>& options);

// Puts a detached mount at a path.
Status attach(const FileDescriptor& mount, const std::filesystem::path& target);

// Lets nothing that is mounted in this namespace from now on be seen outside it, nor the other way round. Where the
// root of this process is no mount (inside a chroot), it becomes one first: a root can be changed only where it is.
Status make_mounts_private();

}  // namespace kist::sandbox
