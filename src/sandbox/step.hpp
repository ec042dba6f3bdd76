// The steps by which a new root gets what lies in it: taken inside it, in their order, when nothing of the host can be
// reached by mistake any more (root.hpp).
#pragma once

#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sys/stat.h>

#include "base/file.hpp"
#include "base/result.hpp"
#include "sandbox/root.hpp"

namespace kist::sandbox {

struct Step {
  enum class Kind { mount, directory, link, file, cover };
  Kind kind = Kind::mount;
  std::filesystem::path target;
  FileDescriptor mount;              // mount, cover
  bool is_file = false;              // mount: of a file, not a directory
  bool guards_settings = false;      // mount of /proc: the kernel's settings in it become read-only
  bool optional = false;             // where it fails the task does without
  bool canonical = false;            // the target holds no links
  Region region;                     // mount: its target is filled in when it is known
  unsigned mode = 0755;              // directory, file
  std::string content;               // of a file; where a link leads
  std::optional<timespec> modified;  // of a file
};

// Takes one step; what it mounts is added to the regions. Errors: denied, invalid, io: what could not be made there.
Status take_step(Step& step, std::vector<Region>& regions);

// What a path leads to; nullopt where it leads nowhere.
std::optional<struct stat> status_of(const std::filesystem::path& path);
bool leads_to_directory(const std::filesystem::path& path);

}  // namespace kist::sandbox
