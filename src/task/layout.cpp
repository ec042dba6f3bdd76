#include "task/layout.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <sys/stat.h>

#include "task/loads.hpp"
#include "task/paths.hpp"
#include "task/stand_ins.hpp"

namespace kist::task {

namespace fs = std::filesystem;

namespace {

constexpr unsigned kScriptMode = 0755;
constexpr unsigned kFileMode = 0644;

Status make_plain_directory(const fs::path& path) {
  if (::mkdir(path.c_str(), 0755) != 0) return fail_errno(fmt::format("cannot make {}", path.string()));
  return {};
}

bool is_strictly_within(const fs::path& path, const fs::path& directory) {
  return path != directory && is_within(path, directory);
}

// The longest of the directories that hold `path`; nullptr: none does.
const fs::path* deepest(const std::vector<fs::path>& directories, const fs::path& path) {
  const fs::path* found = nullptr;
  for (const fs::path& directory : directories)
    if (is_within(path, directory) && (found == nullptr || directory.native().size() > found->native().size()))
      found = &directory;
  return found;
}

// Builds one plan. Paths are taken in the order of the actions.
class Planner {
 public:
  Planner(const Document& document, const Containers& containers, const ContainerHere& container,
          const std::map<std::size_t, ResolvedLoad>& loads, std::vector<sandbox::Mount> mounts, const Tools& tools)
      : document_(document), containers_(containers), container_(container), loads_(loads), tools_(tools) {
    for (const sandbox::Mount& mount : mounts) taken_.push_back(mount.target);
    plan_.layout.mounts = std::move(mounts);
  }

  Result<Plan> plan() {
    plan_.layout.cache = tools_.home / "sandbox";
    plan_.layout.as_root = document_.task.as_root;
    plan_.layout.hidden = {tools_.home};
    choose_visible();
    for (const auto& fresh : document_.task.fresh_directories)
      plan_.layout.fresh.push_back(absolute_path(fresh.source(), containers_.all().front().working_directory, home()));
    for (std::string_view program : containers_.stand_ins()) {
      add_file(fs::path(kStandInDirectory) / program, std::string(stand_in(program)), kScriptMode);
      if (std::string_view place = place_in_image(program); !place.empty())
        add_file(place, std::string(stand_in(program)), kScriptMode);
    }
    share_watched_directories();
    const auto& actions = document_.task.actions;
    for (std::size_t i = 0; i < actions.size(); ++i) {
      if (&containers_.of(actions[i]) != &container_) continue;
      if (const auto* run = std::get_if<model::Run>(&actions[i].what)) {
        if (!run->script) break;
        add_file(script_path(*run), run->script->source(), kScriptMode);
        plan_.script = i;
        break;
      }
      if (const auto* load = std::get_if<model::Load>(&actions[i].what); load != nullptr && actions[i].when.success)
        mount_load(i, *load, containers_.path(actions[i], load->path.source()));
    }
    return std::move(plan_);
  }

 private:
  const fs::path& home() const { return containers_.host().home; }

  // Directories that a task needs and that would vanish below a fresh one. A project that is itself such a directory
  // (somebody works in /tmp) is shown too.
  void choose_visible() {
    auto& visible = plan_.layout.visible;
    std::vector<fs::path> needed = containers_.host().needed;
    std::ranges::sort(needed, {}, [](const fs::path& path) { return path.native().size(); });
    for (const fs::path& path : needed) {
      const fs::path* fresh = deepest(plan_.layout.fresh, path);
      if (fresh == nullptr || (*fresh == path && path != document_.project)) continue;
      if (deepest(visible, path) == nullptr) visible.push_back(path);
    }
  }

  void share_watched_directories() {
    const auto& actions = document_.task.actions;
    for (std::size_t i = 0; i < actions.size(); ++i) {
      const auto* watch = std::get_if<model::Watch>(&actions[i].what);
      if (watch == nullptr || &containers_.of(actions[i]) != &container_) continue;
      plan_.watched.push_back({.action = i, .mount = plan_.layout.mounts.size(), .source = {}});
      add_mount(sandbox::Mount::Kind::shared, {}, containers_.path(actions[i], watch->path.source()));
    }
  }

  void mount_load(std::size_t action, const model::Load& load, const fs::path& path) {
    auto found = loads_.find(action);
    if (found == loads_.end() || found->second.absent) return;
    const ResolvedLoad& resolved = found->second;
    if (resolved.project) mount_project(action, path);
    if (resolved.raw) {
      bool free = is_vacant(path) && !is_directory(path);
      taken_.push_back(path);
      if (free) {
        add_file(path, *resolved.raw, load.mode.value_or(kFileMode));
        plan_.mounted.emplace(action, 0);
      }
    }
    for (std::size_t i = 0; i < resolved.trees.size(); ++i) mount_tree(action, i, resolved.trees[i], path);
  }

  void mount_project(std::size_t action, const fs::path& path) {
    bool free = is_vacant(path);
    taken_.push_back(path);
    if (!free) return;
    add_mount(sandbox::Mount::Kind::private_copy, document_.project, path);
    plan_.mounted.emplace(action, 0);
    if (is_within(tools_.home, document_.project) && path != document_.project)
      plan_.layout.hidden.push_back(path / tools_.home.lexically_relative(document_.project));
  }

  // What cannot be materialised is left to the load itself, which then says why.
  void mount_tree(std::size_t action, std::size_t index, const ResolvedLoad::Tree& tree, const fs::path& path) {
    fs::path target = tree_target(path, tree, home());
    bool free = is_vacant(target);
    taken_.push_back(target);
    if (!free) return;
    auto top = find_top(tools_.store, tree);
    if (!top || top->type == store::EntryType::link) return;
    auto view = tools_.store.view({.tree = tree.artifact.tree, .times = tree.artifact.times});
    if (!view) return;
    if (top->type != store::EntryType::directory && is_directory(target)) return;
    fs::path source = top->path.empty() ? (*view)->path() : (*view)->path() / top->path;
    add_mount(sandbox::Mount::Kind::private_copy, source, target);
    plan_.views.push_back(std::move(*view));
    plan_.mounted.emplace(action, index);
  }

  bool is_vacant(const fs::path& target) const {
    for (const fs::path& taken : taken_)
      if (is_within(target, taken) || is_within(taken, target)) return false;
    for (const fs::path& fresh : plan_.layout.fresh)
      if (is_strictly_within(fresh, target)) return false;
    if (deepest(plan_.layout.hidden, target) != nullptr) return false;
    if (is_below_fresh(target)) return true;
    // A link on the way may lead to where nothing of the host is seen.
    std::error_code error;
    fs::path resolved = fs::weakly_canonical(target, error);
    if (!error && resolved != target && is_below_fresh(resolved)) return false;
    struct stat status{};
    if (::lstat(target.c_str(), &status) != 0) return errno == ENOENT || errno == ENOTDIR;
    return S_ISDIR(status.st_mode) && fs::is_empty(target, error) && !error;
  }

  bool is_below_fresh(const fs::path& target) const {
    const fs::path* fresh = deepest(plan_.layout.fresh, target);
    const fs::path* visible = deepest(plan_.layout.visible, target);
    return fresh != nullptr && (visible == nullptr || fresh->native().size() > visible->native().size());
  }

  // Whether a vacant path is an empty directory.
  bool is_directory(const fs::path& target) const {
    if (std::ranges::find(plan_.layout.fresh, target) != plan_.layout.fresh.end()) return true;
    std::error_code error;
    return !is_below_fresh(target) && fs::is_directory(target, error);
  }

  void add_mount(sandbox::Mount::Kind kind, const fs::path& source, const fs::path& target) {
    taken_.push_back(target);
    plan_.layout.mounts.push_back({.kind = kind, .source = source, .target = target});
  }
  void add_file(const fs::path& path, std::string content, unsigned mode) {
    taken_.push_back(path);
    plan_.layout.files.push_back({.path = path, .content = std::move(content), .mode = mode});
  }

  const Document& document_;
  const Containers& containers_;
  const ContainerHere& container_;
  const std::map<std::size_t, ResolvedLoad>& loads_;
  const Tools& tools_;
  Plan plan_;
  std::vector<fs::path> taken_;  // paths that exist by the plan, or will by an earlier load
};

}  // namespace

Result<Plan> plan_layout(const Document& document, const Containers& containers, const ContainerHere& container,
                         const std::map<std::size_t, ResolvedLoad>& loads, std::vector<sandbox::Mount> mounts,
                         const Tools& tools) {
  return Planner(document, containers, container, loads, std::move(mounts), tools).plan();
}

Status place_watched(Plan& plan, const fs::path& directory) {
  for (WatchedDirectory& watched : plan.watched) {
    watched.source = directory / fmt::format("watch-{}", watched.action);
    KIST_TRY(make_plain_directory(watched.source));
    plan.layout.mounts[watched.mount].source = watched.source;
  }
  return {};
}

fs::path tree_target(const fs::path& load_path, const ResolvedLoad::Tree& tree, const fs::path& home) {
  return absolute_path(tree.prefix, load_path, home);
}

fs::path script_path(const model::Run& run) {
  return run.script_path.empty() ? fs::path(kScriptPath) : absolute_path(run.script_path, "/", "/");
}

}  // namespace kist::task
