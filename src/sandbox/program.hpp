// Becoming a program: what happens between vfork and exec.
#pragma once

#include <array>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.hpp"

namespace kist::sandbox {

// A program to start. Streams are descriptors above 2.
struct Program {
  std::vector<std::string> arguments;    // arguments[0] is looked up in the environment's PATH
  std::vector<std::string> environment;  // "NAME=value"
  std::string working_directory;
  std::array<int, 3> streams{};
  bool dies_with_parent = false;
  bool terminal = false;  // the first stream is one, and becomes the controlling one
};

// Starts it as the leader of a session of its own, and returns its process id. The caller has one thread, and has set
// up signals and limits as the program shall find them, but for the signals it blocks: none is blocked for the program.
// Errors: not_found (no such program), denied (not executable), invalid (the working directory).
Result<pid_t> spawn(Program& program);

}  // namespace kist::sandbox
