// Copies one open file. The kernel shares blocks where the file system can.
#pragma once

#include <filesystem>

#include <sys/stat.h>

#include "base/file.hpp"
#include "base/result.hpp"

namespace kist::task {

// From the descriptors' offsets to the end. `path` is for errors.
Status copy_content(const FileDescriptor& from, const FileDescriptor& to, const std::filesystem::path& path);

Status copy_mode_and_times(const struct stat& from, const FileDescriptor& to, const std::filesystem::path& path);

}  // namespace kist::task
