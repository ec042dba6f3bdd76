#include "task/loads.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <sys/stat.h>

#include "task/copy_tree.hpp"
#include "task/inside.hpp"
#include "task/paths.hpp"

namespace kist::task {

namespace fs = std::filesystem;

namespace {

bool stands_for_directory(const FileDescriptor& handle) {
  struct stat status{};
  return ::fstat(handle.get(), &status) == 0 && S_ISDIR(status.st_mode);
}

// Restores a tree through a descriptor of the directory it goes to. A directory goes into one that is there, through
// links to it; a file replaces what has its name.
Status merge_tree(const LoadTools& with, const ResolvedLoad::Tree& tree, const fs::path& target) {
  store::ArtifactId id{.tree = tree.artifact.tree, .times = tree.artifact.times};
  KIST_TRY_ASSIGN(store::Entry top, find_top(with.tools.store, tree));
  const store::RestoreOptions over{.overwrite = true, .merge = true};
  if (top.type == store::EntryType::directory) {
    KIST_TRY_ASSIGN(auto directory, make_directory(with.sandbox, target));
    const fs::path outside = by_descriptor(directory) / ".";
    auto restored = with.tools.store.restore(id, top.path, outside, over);
    if (!restored) return std::unexpected(told_inside(restored.error(), outside, target));
    return {};
  }
  if (auto there = with.sandbox.find(target); there && stands_for_directory(there->handle))
    return fail(
        ErrorKind::conflict,
        fmt::format("{} is a directory, and the artifact{}{} is a file: write the path that the file is to "
                    "have ({}/…)",
                    target.string(), tree.artifact.name.empty() ? "" : " ", tree.artifact.name, target.string()));
  KIST_TRY_ASSIGN(auto directory, make_directory(with.sandbox, target.parent_path()));
  const fs::path outside = by_descriptor(directory) / target.filename();
  auto restored = with.tools.store.restore(id, top.path, outside, over);
  if (!restored) return std::unexpected(told_inside(restored.error(), outside, target));
  return {};
}

Status check_out(const LoadTools& with, const fs::path& target) {
  if (target == with.document.project) return {};  // it is there, as everywhere on this machine
  KIST_TRY_ASSIGN(auto directory, make_directory(with.sandbox, target));
  KIST_TRY_ASSIGN(auto names, names_in(directory));
  if (!names.empty() && !std::ranges::binary_search(names, ".git"))
    return fail(ErrorKind::conflict,
                fmt::format("cannot check out into {}: it holds something else ({}{}) and is no git repository",
                            target.string(), names.front(), names.size() > 1 ? ", …" : ""));
  return copy_tree(with.document.project, directory, with.tools.home);
}

}  // namespace

Result<store::Entry> find_top(store::Store& store, const ResolvedLoad::Tree& tree) {
  std::string path = fs::path(tree.sub_path).lexically_normal().relative_path();
  while (path.ends_with('/')) path.pop_back();
  if (path == ".") path.clear();
  auto found = store.find({.tree = tree.artifact.tree, .times = tree.artifact.times}, path);
  if (!found && found.error().kind == ErrorKind::not_found && !path.empty())
    return fail(ErrorKind::not_found, fmt::format("there is no {} in the artifact{}{}", path,
                                                  tree.artifact.name.empty() ? "" : " ", tree.artifact.name));
  return found;
}

Status perform_load(const LoadTools& with, std::size_t index) {
  const model::Action& action = with.document.task.actions[index];
  const auto& load = std::get<model::Load>(action.what);
  fs::path path = with.containers.path(action, load.path.source());
  auto found = with.loads.find(index);
  if (found == with.loads.end())
    return fail(ErrorKind::not_found, fmt::format("nothing was supplied for {}", path.string()));
  const ResolvedLoad& resolved = found->second;
  if (resolved.absent) return {};
  auto is_mounted = [&](std::size_t tree) { return with.plan.mounted.contains({index, tree}); };
  auto set_modes = [&](const fs::path& target) -> Status {
    if (!load.mode) return {};
    return set_mode(with.sandbox, target, *load.mode, load.recurse_mode);
  };

  if (resolved.project && !is_mounted(0)) KIST_TRY(check_out(with, path));
  if (resolved.raw && !is_mounted(0)) KIST_TRY(put_file(with.sandbox, path, *resolved.raw, load.mode.value_or(0644)));
  for (std::size_t i = 0; i < resolved.trees.size(); ++i) {
    fs::path target = tree_target(path, resolved.trees[i], with.containers.host().home);
    if (!is_mounted(i)) {
      auto merged = merge_tree(with, resolved.trees[i], target);
      bool is_nothing = !merged && merged.error().kind == ErrorKind::not_found && !resolved.trees[i].sub_path.empty();
      if (is_nothing && load.optional) continue;
      if (!merged) return merged;
    }
    KIST_TRY(set_modes(target));
  }
  return resolved.trees.empty() && !resolved.raw ? set_modes(path) : Status();
}

}  // namespace kist::task
