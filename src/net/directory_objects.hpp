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

#include "base/file.hpp"
#include "net/object_store.hpp"

namespace kist::net {

// An object that arrives in pieces. Nothing of it is seen until commit(); destroyed before that, it leaves nothing
// behind. Not thread-safe; the directory must outlive it.
class IncomingObject {
 public:
  virtual ~IncomingObject() = default;
  virtual Status write(std::span<const std::byte> bytes) = 0;
  // Makes it durable under its name. Returns the version. Errors: conflict (the condition does not hold).
  virtual Result<std::string> commit() = 0;
};

// What a directory can do beyond other places: for whoever hands its objects on.
class ObjectDirectory : public ObjectStore {
 public:
  // Begins a put. Errors: those of put; conflict already where an object that must be absent is there.
  virtual Result<std::unique_ptr<IncomingObject>> receive(std::string_view name, const PutCondition& condition) = 0;

  struct OpenObject {
    FileDescriptor file;  // for reading; what it holds never changes
    ObjectInfo info;
  };
  virtual Result<OpenObject> open(std::string_view name) = 0;

  // As list(), from the first name on that comes after `after`, without looking at all before it.
  virtual Status list_after(std::string_view prefix, std::string_view after,
                            const std::function<bool(const ObjectInfo&)>& each) = 0;
};

// Opens a directory; with `create`, makes it (and what it lies in) where it is missing. Without, a missing directory is
// unavailable: a disk that is not mounted must not be taken for an empty one. Errors: unavailable, denied, invalid (not
// a directory).
Result<std::unique_ptr<ObjectDirectory>> open_directory_objects(const std::filesystem::path& directory, bool create);

}  // namespace kist::net
