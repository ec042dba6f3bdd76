// The starters of a kist (model::Starter, sandbox/starter.hpp): each is begun when the first command wants it, and ends
// by itself after a minute in which none did, or with kist.
//
// A starter runs on this machine, not in a private root: there it could enter none. It begins with the variables of the
// command that wanted it first, and serves only commands with the same.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/file.hpp"
#include "model/workflow.hpp"
#include "sandbox/sandbox.hpp"
#include "task/host.hpp"

namespace kist::task {

// Thread-safe.
class Starters {
 public:
  Starters() = default;
  Starters(const Starters&) = delete;
  Starters& operator=(const Starters&) = delete;
  ~Starters();

  // A connection for one process of `program`, for sandbox::Command. Waits until a new starter is ready, seconds at
  // most. None where there can be no starter: it ended, there are too many others.
  FileDescriptor connect(const model::Starter& starter, const std::filesystem::path& program,
                         const std::vector<std::string>& environment);

 private:
  struct One {
    pid_t process = -1;  // -1: it did not get ready, and is not tried again
    FileDescriptor control;
  };
  static One begin(const model::Starter& starter, const std::filesystem::path& program,
                   std::vector<std::string> environment);
  static void end(One& one);

  std::mutex mutex_;
  std::map<std::vector<std::string>, One> all_;
};

// The program of a command as it lies on this machine, for its starter. None where it is not here, and where it is a
// project's own and nobody has chosen it by activating its virtual environment: of what came with a project nothing
// runs outside of a private root.
std::optional<std::filesystem::path> program_outside(const sandbox::Command& command, const Host& host,
                                                     const std::filesystem::path& project);

}  // namespace kist::task
