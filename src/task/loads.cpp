#include "task/loads.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "task/copy_tree.hpp"
#include "task/inside.hpp"
#include "task/paths.hpp"

namespace kist::task {

namespace fs = std::filesystem;

namespace {

// Restores a tree through a descriptor of the directory it goes to. A directory goes into one that is there, through
// links to it; a file replaces what has its name.
Status merge_tree(const LoadTools& with, const model::ArtifactRecord& artifact, const fs::path& target) {
  store::ArtifactId id{.tree = artifact.tree, .times = artifact.times};
  KIST_TRY_ASSIGN(store::Entry top, with.tools.store.find(id, ""));
  const store::RestoreOptions over{.overwrite = true, .merge = true};
  if (top.type == store::EntryType::directory) {
    KIST_TRY_ASSIGN(auto directory, make_directory(with.sandbox, target));
    return with.tools.store.restore(id, "", by_descriptor(directory) / ".", over);
  }
  KIST_TRY_ASSIGN(auto directory, make_directory(with.sandbox, target.parent_path()));
  return with.tools.store.restore(id, "", by_descriptor(directory) / target.filename(), over);
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

Status perform_load(const LoadTools& with, std::size_t index) {
  const model::Action& action = with.document.task.actions[index];
  const auto& load = std::get<model::Load>(action.what);
  fs::path path = with.containers.path(action, load.path.source());
  auto found = with.document.loads.find(index);
  if (found == with.document.loads.end())
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
    if (!is_mounted(i)) KIST_TRY(merge_tree(with, resolved.trees[i].artifact, target));
    KIST_TRY(set_modes(target));
  }
  return resolved.trees.empty() && !resolved.raw ? set_modes(path) : Status();
}

}  // namespace kist::task
