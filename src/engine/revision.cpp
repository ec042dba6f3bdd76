// By the `git` program: a repository's formats are its own matter (worktrees, packed references, reftables).
#include "engine/revision.hpp"

#include <chrono>
#include <cstdlib>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "base/process.hpp"

namespace kist::engine {
namespace {

using namespace std::chrono_literals;

// A large tree takes long to compare; the run should not wait for it.
constexpr auto kPatience = 3s;

bool in_repository(std::filesystem::path directory) {
  std::error_code ignored;
  while (true) {
    if (std::filesystem::exists(std::filesystem::symlink_status(directory / ".git", ignored))) return true;
    if (!directory.has_relative_path()) return false;
    directory = directory.parent_path();
  }
}

// Without what would point git at another repository than the directory's.
std::vector<std::string> environment_without_git() {
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable)
    if (!std::string_view(*variable).starts_with("GIT_")) environment.emplace_back(*variable);
  environment.emplace_back("GIT_OPTIONAL_LOCKS=0");
  return environment;
}

}  // namespace

std::optional<model::Revision> revision_of(const std::filesystem::path& project) {
  if (project.empty() || !in_repository(project)) return std::nullopt;
  ProcessRequest request;
  // The repository's own configuration may name a program to run here.
  request.arguments = {"git",
                       "-c",
                       "core.fsmonitor=false",
                       "status",
                       "--porcelain=v2",
                       "--branch",
                       "--untracked-files=no",
                       "--ignore-submodules=all"};
  request.environment = environment_without_git();
  request.directory = project;
  request.timeout = kPatience;
  const auto done = run_process(request);
  if (!done || done->exit_code != 0) return std::nullopt;

  model::Revision revision;
  std::string_view rest = done->output;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    constexpr std::string_view kCommit = "# branch.oid ";
    constexpr std::string_view kBranch = "# branch.head ";
    if (line.starts_with(kCommit)) {
      revision.commit = line.substr(kCommit.size());
    } else if (line.starts_with(kBranch)) {
      revision.branch = line.substr(kBranch.size());
    } else if (!line.starts_with('#')) {
      revision.modified = true;
    }
  }
  if (revision.commit.empty() || revision.commit.starts_with('(')) return std::nullopt;
  if (revision.branch == "(detached)") revision.branch.clear();
  return revision;
}

}  // namespace kist::engine
