#include "task/roots.hpp"

#include <algorithm>

#include "task/paths.hpp"

namespace kist::task {

namespace fs = std::filesystem;

namespace {

// What programs of one container ask for.
class Control final : public ControlHandler {
 public:
  Control(Root& root, Saves& saves, MaskedServices& services) : root_(root), saves_(saves), services_(services) {}
  Result<model::ArtifactRecord> publish(const std::string& name, const fs::path& path) override {
    return saves_.publish(name, path, root_.sandbox());
  }
  void report(std::string_view text) override { services_.report(text); }

 private:
  Root& root_;
  Saves& saves_;
  MaskedServices& services_;
};

}  // namespace

bool keeps_nothing(const model::Task& task) {
  return task.volumes.empty() && task.containers.size() <= 1 && !task.log_artifact &&
         std::ranges::none_of(task.actions, [](const model::Action& action) {
           return std::holds_alternative<model::Save>(action.what) || std::holds_alternative<model::Watch>(action.what);
         });
}

Result<Root*> Roots::open(const ContainerHere& container, Processes& processes, Saves& saves) {
  if (Root* known = find(container)) return known;
  auto root = std::make_unique<Root>();
  KIST_TRY_ASSIGN(auto mounts, volumes_.mounts_of(container));
  KIST_TRY_ASSIGN(root->plan, plan_layout(document_, containers_, container, loads_, std::move(mounts), tools_));
  bool reusable = keeps_nothing(document_.task) && root->plan.views.empty();
  KIST_TRY_ASSIGN(root->room, reusable ? tools_.rooms.take(root->plan.layout) : tools_.rooms.make());
  KIST_TRY(place_watched(root->plan, root->room->directory()));
  KIST_TRY(root->room->open(tools_.rooms.launcher(), root->plan.layout));
  root->handler = std::make_unique<Control>(*root, saves, services_);
  root->control.emplace(root->room->listener(), *root->handler);
  processes.serve(*root->control);
  return (roots_[&container] = std::move(root)).get();
}

Root* Roots::find(const ContainerHere& container) const {
  auto found = roots_.find(&container);
  return found == roots_.end() ? nullptr : found->second.get();
}

bool Roots::is_on_volume(const ContainerHere& container, const fs::path& path) const {
  return std::ranges::any_of(container.container->mounts, [&](const model::VolumeMount& mount) {
    return is_within(path, absolute_path(mount.path.source(), container.working_directory, "/"));
  });
}

void Roots::stop_serving() {
  for (auto& [container, root] : roots_) root->control.reset();
}

Status Roots::close() {
  Status first;
  for (auto& [container, root] : roots_)
    if (auto closed = root->sandbox().close(); !closed && first) first = closed;
  return first;
}

void Roots::give_back() {
  for (auto& [container, root] : roots_)
    if (root->plan.views.empty()) tools_.rooms.give_back(std::move(root->room));
  roots_.clear();
}

}  // namespace kist::task
