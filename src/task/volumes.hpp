// The volumes of a task as its containers see them: which directories of this machine stand for them, and the mounts
// of one container.
//
//   empty    a directory of the task's own in scratch, gone with the task
//   run      KIST_HOME/volumes/RUN/NAME
//   claim    KIST_HOME/claims/NAME
//   host     the path as it is
//   files,   a small file system in memory, filled before the first process starts and read-only; each container has
//   secret   its own, and no disk ever holds them
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/workflow.hpp"
#include "sandbox/sandbox.hpp"
#include "task/containers.hpp"
#include "task/rooms.hpp"
#include "task/secrets.hpp"
#include "task/task.hpp"

namespace kist::task {

class Volumes {
 public:
  // Directories are made when the first container wants them.
  Volumes(const Document& document, const Tools& tools, TaskDirectory& directory, MaskedServices& secrets)
      : document_(document), tools_(tools), directory_(directory), secrets_(secrets) {}

  // The mounts of a container, shallower paths first, so that a deeper one lies over them. A directory named by a sub
  // path is made where it is missing. Errors: not_found (a volume, a path of this machine, a secret), invalid (a sub
  // path that leads out of its volume, a name of a claim).
  Result<std::vector<sandbox::Mount>> mounts_of(const ContainerHere& container);

 private:
  Result<sandbox::Mount> mount(const model::VolumeMount& wanted, const model::Volume& volume);
  Result<std::filesystem::path> directory_of(const model::Volume& volume);
  Result<std::vector<sandbox::File>> files_of(const model::Volume& volume);

  const Document& document_;
  const Tools& tools_;
  TaskDirectory& directory_;
  MaskedServices& secrets_;
};

}  // namespace kist::task
