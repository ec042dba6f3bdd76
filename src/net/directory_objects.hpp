// A directory that keeps objects: on this machine, or on a file system that several share. An object's name is its path
// below the directory; the names `.tmp` and `.lock` in it belong to this file, so no component of an object's name may
// begin with a dot.
//
// An object appears under its name whole and synced, or not at all. Processes that put the same name at once take
// turns by flock(2) of `.lock`, so on a network file system conditions hold as far as its locks and links do. What a
// killed process leaves in `.tmp` is removed a day later.
//
// Files are made with the modes 0666 and 0777 of which the umask takes its part: who may use the directory is up to
// who made it.
#pragma once

#include <filesystem>
#include <memory>

#include "net/object_store.hpp"

namespace kist::net {

// Opens a directory; with `create`, makes it (and what it lies in) where it is missing. Without, a missing directory is
// unavailable: a disk that is not mounted must not be taken for an empty one. Errors: unavailable, denied, invalid (not
// a directory).
Result<std::unique_ptr<ObjectStore>> open_directory_objects(const std::filesystem::path& directory, bool create);

}  // namespace kist::net
