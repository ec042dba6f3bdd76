// Copies a directory of the host into a task's root: the project, where it cannot be a mount.
#pragma once

#include <filesystem>

#include "base/file.hpp"
#include "base/result.hpp"

namespace kist::task {

// Copies files, directories and links with modes and times into the open directory `target`, over what has the same
// path there. Sockets, pipes and devices are left out, and so is the directory `except`. The kernel shares blocks where
// the file system can.
Status copy_tree(const std::filesystem::path& source, const FileDescriptor& target,
                 const std::filesystem::path& except);

}  // namespace kist::task
