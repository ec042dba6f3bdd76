// The roots of a task's containers. Each container has one of its own: what it writes there nobody else sees but where
// a volume is mounted. A root is made when its container is first needed, so that it stands on what came before (a
// directory that an earlier container left in a volume), and its inputs with it (layout.hpp).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "sandbox/sandbox.hpp"
#include "task/containers.hpp"
#include "task/control.hpp"
#include "task/layout.hpp"
#include "task/processes.hpp"
#include "task/rooms.hpp"
#include "task/saves.hpp"
#include "task/volumes.hpp"

namespace kist::task {

// One container's.
struct Root {
  Plan plan;
  std::unique_ptr<Room> room;
  std::unique_ptr<ControlHandler> handler;
  std::optional<ControlServer> control;

  sandbox::Sandbox& sandbox() const { return room->sandbox(); }
};

// Used by one thread.
class Roots {
 public:
  // `loads`: what each Load brings, as far as it is known when a root is made.
  Roots(const Document& document, const Containers& containers, const Tools& tools,
        const std::map<std::size_t, ResolvedLoad>& loads, Volumes& volumes, MaskedServices& services)
      : document_(document),
        containers_(containers),
        tools_(tools),
        loads_(loads),
        volumes_(volumes),
        services_(services) {}

  // The root of a container, made where there is none yet; its control socket is served by `processes` and publishes
  // to `saves`. Errors: what cannot be mounted or made.
  Result<Root*> open(const ContainerHere& container, Processes& processes, Saves& saves);
  // nullptr: it was not opened.
  Root* find(const ContainerHere& container) const;

  // Whether what a load of this container brings may be seen by another one: it goes to a volume.
  bool is_on_volume(const ContainerHere& container, const std::filesystem::path& path) const;

  // Nobody is served any more; publishes under way end first.
  void stop_serving();
  // Watched directories of all roots.
  template <typename Each>
  void each(const Each& what) const {
    for (const auto& [container, root] : roots_) what(*root);
  }
  // Ends the roots. Errors: where one may still stand.
  Status close();
  // Keeps what is as new for later tasks; for a task that left nothing behind.
  void give_back();

 private:
  const Document& document_;
  const Containers& containers_;
  const Tools& tools_;
  const std::map<std::size_t, ResolvedLoad>& loads_;
  Volumes& volumes_;
  MaskedServices& services_;
  std::map<const ContainerHere*, std::unique_ptr<Root>> roots_;
};

// Whether nothing of the task is needed when its processes have ended, so that a root may serve another task.
bool keeps_nothing(const model::Task& task);

}  // namespace kist::task
