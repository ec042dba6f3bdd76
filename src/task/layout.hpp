// Plans the root a container sees, before anything runs in it: what starts empty, what is hidden, what stays visible,
// its volumes, and which inputs can be mounts. A mount costs no copy, but is only right where nothing else is: an input
// is mounted where it stands before the container's first process and its path is vacant, that is, does not exist or is
// an empty directory, and no volume and no other input lies above or below. All other inputs are merged in when their
// turn comes (loads.hpp), which is always right.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "sandbox/sandbox.hpp"
#include "store/store.hpp"
#include "task/containers.hpp"
#include "task/task.hpp"

namespace kist::task {

// A directory that is saved while it is written: it lies on this machine and is shared with the task.
struct WatchedDirectory {
  std::size_t action = 0;
  std::size_t mount = 0;  // which of the layout's mounts shows it
  std::filesystem::path source;
};

struct Plan {
  sandbox::Layout layout;
  std::vector<std::unique_ptr<store::View>> views;  // of mounted inputs: hold them as long as the root exists
  std::set<std::pair<std::size_t, std::size_t>>
      mounted;  // (action, index of its tree; 0 for a raw text or the project)
  std::vector<WatchedDirectory> watched;
  std::optional<std::size_t> script;  // the Run whose script is there from the start
};

// Materialises inputs. `loads` is what each Load brings, as far as it is known; `mounts` are the container's volumes.
// The layout lacks its scratch and control socket, and the sources of what is watched. Errors: io, no_space.
Result<Plan> plan_layout(const Document& document, const Containers& containers, const ContainerHere& container,
                         const std::map<std::size_t, ResolvedLoad>& loads, std::vector<sandbox::Mount> mounts,
                         const Tools& tools);

// Makes the directories to be watched in `directory`, the task's own in scratch.
Status place_watched(Plan& plan, const std::filesystem::path& directory);

// Where one tree of a load goes.
std::filesystem::path tree_target(const std::filesystem::path& load_path, const ResolvedLoad::Tree& tree,
                                  const std::filesystem::path& home);

// Where scripts are written whose file names no place.
inline constexpr const char* kScriptPath = "/.kist/script";
std::filesystem::path script_path(const model::Run& run);

}  // namespace kist::task
