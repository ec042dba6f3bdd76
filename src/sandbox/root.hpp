// Builds a private root from a layout and moves this process into it. Runs in the init of a sandbox, alone in its new
// namespaces, before it serves.
#pragma once

#include <filesystem>
#include <vector>

#include "base/result.hpp"
#include "sandbox/host.hpp"
#include "sandbox/sandbox.hpp"

namespace kist::sandbox {

// Where what is written at a path of the root lands on the host. The deepest region that holds a path counts, of two at
// one path the later.
struct Region {
  std::filesystem::path target;  // inside the root, links resolved
  std::filesystem::path host;    // in scratch; empty: nothing written here is scratch's own
  std::filesystem::path lower;   // what shows through below it; empty: nothing, all of it is in `host`
};

// `skeleton` holds user-owned directories for an ordinary user's overlays (skeleton.hpp); empty: there are none.
// Errors name what could not be mounted; `unsupported` where scratch's file system cannot hold an overlay's changes.
// After an error the process is of no use.
Result<std::vector<Region>> enter_root(const Layout& layout, Isolation isolation, const Host& host,
                                       const std::filesystem::path& skeleton);

}  // namespace kist::sandbox
