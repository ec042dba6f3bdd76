// What this machine offers to the tasks of a project when they run without an image: the caller's PATH and home, the
// Python the project is meant to run with, kist itself (last in PATH), and the directories that must stay visible
// although a task has a /tmp of its own.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kist::task {

struct Host {
  std::filesystem::path home;                                  // of the user the tasks run as
  std::vector<std::pair<std::string, std::string>> inherited;  // USER, LANG, … as the caller has them
  std::vector<std::filesystem::path> programs;                 // the directories of PATH, the project's Python first
  std::optional<std::filesystem::path> virtual_environment;    // $VIRTUAL_ENV, PROJECT/.venv or PROJECT/venv
  std::vector<std::filesystem::path> needed;                   // projects, interpreters, virtual environments
  bool needs_python_alias = false;                             // there is a python3 and no python
};

// Looked up once in two seconds for a project, then remembered: thousands of tasks ask. Thread-safe.
std::shared_ptr<const Host> host_for(const std::filesystem::path& project);

// Looks everything up anew.
Host look_at_host(const std::filesystem::path& project);

// The first of the directories that holds this program.
std::optional<std::filesystem::path> find_program(const std::vector<std::filesystem::path>& directories,
                                                  std::string_view name);

}  // namespace kist::task
