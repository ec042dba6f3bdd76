// Performs a load whose turn has come. What was planned as a mount (layout.hpp) is there already and only gets its
// modes; all else is merged into what stands at its path, a later tree over an earlier one.
#pragma once

#include <cstddef>
#include <map>

#include "base/result.hpp"
#include "sandbox/sandbox.hpp"
#include "task/containers.hpp"
#include "task/layout.hpp"
#include "task/task.hpp"

namespace kist::task {

struct LoadTools {
  const Document& document;
  const std::map<std::size_t, ResolvedLoad>& loads;
  const Containers& containers;
  const Plan& plan;
  const Tools& tools;
  sandbox::Sandbox& sandbox;
};

// What of a tree is brought: its top, or what lies at the sub path. Errors: not_found.
Result<store::Entry> find_top(store::Store& store, const ResolvedLoad::Tree& tree);

// `index` is the Load's in the task's actions. Errors name the path: conflict (a file where a directory is, a checkout
// into a directory that holds something else), no_space, corrupt.
Status perform_load(const LoadTools& with, std::size_t index);

}  // namespace kist::task
