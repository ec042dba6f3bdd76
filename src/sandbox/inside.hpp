// Paths inside a root that is known by a descriptor: links are followed inside it, nothing leads out of it.
#pragma once

#include <filesystem>

#include "base/file.hpp"
#include "base/result.hpp"

namespace kist::sandbox {

// open(2) inside a root. Errors: errno's.
Result<FileDescriptor> open_in_root(int root, const std::filesystem::path& inside, int flags, unsigned mode = 0);

// Makes a directory and its parents (0755) inside a root.
Status make_directories_in_root(int root, const std::filesystem::path& inside);

}  // namespace kist::sandbox
