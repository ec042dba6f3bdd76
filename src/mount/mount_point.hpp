// Directories as places to mount at: what is mounted there, making one fit, and ending a mount.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.hpp"

namespace kist::mount {

// What the kernel's table says of the file system mounted at a directory.
struct Mounted {
  std::string type;    // "fuse.kist", "ext4"
  std::string source;  // "kist:grumpy-zebra-1"
  bool alive = true;   // false: the process that served it is gone
};

// An absolute path without links in what leads to its last name. The last itself is not looked at: a file system whose
// process is gone cannot be asked. Errors: not_found, denied.
Result<std::filesystem::path> resolve(const std::filesystem::path& directory);

// What is mounted at exactly this (resolved) path; the topmost where there are several. nullopt: nothing.
Result<std::optional<Mounted>> mounted_at(const std::filesystem::path& path);

// Makes a (resolved) path an empty directory to mount at: makes it where it is missing, and ends what a killed kist has
// left there. Errors: conflict (something is mounted), invalid (no directory, or one that is not empty), denied.
Status prepare(const std::filesystem::path& path);

// Ends a mount of kist's. `lazy`: also while programs use it; it ends for them when they are done. Errors: invalid
// (nothing of kist's is mounted there), unavailable (in use), denied.
Status unmount(const std::filesystem::path& path, bool lazy);

}  // namespace kist::mount
