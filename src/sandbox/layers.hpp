// Overlays of a root and what is prepared in them: each has a directory for its changes in scratch (`uN`) and one the
// kernel works in (`wN`).
#pragma once

#include <filesystem>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"

namespace kist::sandbox {

// A path of the lower layer that is not to show through.
struct Hole {
  std::filesystem::path path;  // relative to the layer's top
  bool absent = false;         // nothing is there; else an empty directory
  unsigned mode = 0755;        // of the empty directory
};

struct Layer {
  FileDescriptor mount;         // detached
  std::filesystem::path upper;  // where changes land
  std::vector<bool> made;       // per hole: it is there; what could not be made must be covered otherwise
};

class Layers {
 public:
  // `user`: an ordinary user's overlays, marked by extended attributes in `user.`.
  Layers(std::filesystem::path scratch, bool user) : scratch_(std::move(scratch)), user_(user) {}

  // An overlay of a directory. `between` lies over it and under the changes; empty: nothing. Errors: errno's.
  Result<Layer> lay(const std::filesystem::path& lower, const std::filesystem::path& between,
                    const std::vector<Hole>& holes);

  // A new, empty directory in scratch.
  Result<std::filesystem::path> new_directory(const char* name, unsigned mode);

 private:
  bool make_hole(const std::filesystem::path& lower, const std::filesystem::path& upper, const Hole& hole) const;

  std::filesystem::path scratch_;
  bool user_;
  int count_ = 0;
};

// Errors: unsupported, where the file system of a directory is known not to hold an overlay's changes, with what to do.
Status check_holds_changes(const std::filesystem::path& scratch);

}  // namespace kist::sandbox
