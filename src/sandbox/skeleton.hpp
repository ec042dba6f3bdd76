// The host's directories without their files, owned by the user. An ordinary user's overlay of /usr shows directories
// that belong to root, in which nothing can be made; with these as a layer between, they are the user's own inside.
//
// Made once and kept for all sandboxes, under a name that changes when packages come and go, so it never shows what is
// long gone. A skeleton in use is locked (shared); an older one that nobody uses is removed when a newer one is made.
#pragma once

#include <cstddef>
#include <filesystem>

#include "base/file.hpp"
#include "base/result.hpp"

namespace kist::sandbox {

struct Skeleton {
  std::filesystem::path path;  // holds one directory per top, by its name ("usr", "etc")
  FileDescriptor lock;         // held as long as it is used
};

// The directories a skeleton is made of: those at the top of the host where others' directories are written to.
inline constexpr const char* kSkeletonTops[] = {"/usr", "/etc", "/opt", "/var", "/srv"};

// A host that keeps data by the thousand directories in /opt or /srv is not copied whole.
inline constexpr std::size_t kMostSkeletonDirectories = 20'000;

// Finds or makes the skeleton in `cache` (made where missing). Of more than `most` directories it has those nearest to
// the top; the others show as the host has them. Errors: denied, no_space, io.
Result<Skeleton> open_skeleton(const std::filesystem::path& cache, std::size_t most = kMostSkeletonDirectories);

}  // namespace kist::sandbox
