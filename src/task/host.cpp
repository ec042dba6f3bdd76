// Which Python: an activated virtual environment is an explicit wish, so $VIRTUAL_ENV comes before the project's own
// .venv and venv. pyenv's shims are scripts that start a shell and pyenv each time (100 ms) and choose by the working
// directory; tasks get the directory of the version they would choose for the project.
#include "task/host.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <sstream>

#include <unistd.h>

#include "base/file.hpp"
#include "task/paths.hpp"

namespace kist::task {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr const char* kInherited[] = {"USER", "LOGNAME", "LANG", "LC_ALL", "TERM", "SHELL"};
constexpr std::chrono::seconds kHostRemembered(2);

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

bool directory_exists(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

std::vector<fs::path> split_path(std::string_view path) {
  std::vector<fs::path> directories;
  while (!path.empty()) {
    std::string_view directory = path.substr(0, path.find(':'));
    path.remove_prefix(std::min(path.size(), directory.size() + 1));
    if (directory.starts_with('/')) directories.push_back(absolute_path(directory, "/", "/"));
  }
  return directories;
}

std::optional<fs::path> find_virtual_environment(const fs::path& project) {
  std::vector<fs::path> candidates;
  if (auto active = environment("VIRTUAL_ENV"); !active.empty()) candidates.emplace_back(active);
  candidates.push_back(project / ".venv");
  candidates.push_back(project / "venv");
  for (const fs::path& candidate : candidates)
    if (::access((candidate / "bin/python").c_str(), X_OK) == 0) return absolute_path(candidate.native(), "/", "/");
  return {};
}

// The prefix of the interpreter a virtual environment was made from: "home = /usr/bin" in its pyvenv.cfg.
std::optional<fs::path> base_interpreter(const fs::path& virtual_environment) {
  auto text = read_file(virtual_environment / "pyvenv.cfg", 1 << 16);
  if (!text) return {};
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    auto equals = line.find('=');
    if (equals == std::string::npos || line.substr(0, line.find_first_of(" =")) != "home") continue;
    auto begin = line.find_first_not_of(' ', equals + 1);
    if (begin != std::string::npos && line[begin] == '/') return fs::path(line.substr(begin)).parent_path();
  }
  return {};
}

// The words of a pyenv version file.
std::vector<std::string> versions_in(const fs::path& file) {
  std::vector<std::string> words;
  auto text = read_file(file, 1 << 16);
  if (!text) return words;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream in(line.substr(0, line.find('#')));
    for (std::string word; in >> word;) words.push_back(word);
  }
  return words;
}

// The directories of programs that pyenv's shims stand for in this project.
std::vector<fs::path> pyenv_programs(const fs::path& root, const fs::path& project) {
  std::vector<std::string> versions;
  if (auto chosen = environment("PYENV_VERSION"); !chosen.empty()) {
    std::istringstream in{std::string(chosen)};
    for (std::string word; std::getline(in, word, ':');) versions.push_back(word);
  }
  for (fs::path directory = project; versions.empty(); directory = directory.parent_path()) {
    versions = versions_in(directory / ".python-version");
    if (directory == directory.parent_path()) break;
  }
  if (versions.empty()) versions = versions_in(root / "version");
  std::vector<fs::path> found;
  for (const std::string& version : versions) {
    if (version.find('/') != std::string::npos) continue;
    if (fs::path programs = root / "versions" / version / "bin"; directory_exists(programs)) found.push_back(programs);
  }
  return found;
}

}  // namespace

std::optional<fs::path> find_program(const std::vector<fs::path>& directories, std::string_view name) {
  for (const fs::path& directory : directories) {
    fs::path candidate = directory / name;
    if (::access(candidate.c_str(), X_OK) == 0 && !directory_exists(candidate)) return candidate;
  }
  return {};
}

Host look_at_host(const fs::path& project) {
  Host host;
  host.home = environment("HOME").starts_with('/') ? absolute_path(environment("HOME"), "/", "/") : fs::path("/root");
  for (const char* name : kInherited)
    if (auto value = environment(name); !value.empty()) host.inherited.emplace_back(name, value);
  std::vector<fs::path> path = split_path(environment("PATH").empty() ? kDefaultPath : environment("PATH"));

  host.needed.push_back(project);
  host.virtual_environment = find_virtual_environment(project);
  if (host.virtual_environment) {
    host.programs.push_back(*host.virtual_environment / "bin");
    host.needed.push_back(*host.virtual_environment);
    if (auto base = base_interpreter(*host.virtual_environment)) host.needed.push_back(*base);
  }
  if (auto python = find_program(path, "python3"); python && python->parent_path().filename() == "shims") {
    fs::path root = python->parent_path().parent_path();
    host.needed.push_back(root);
    for (fs::path& programs : pyenv_programs(root, project)) host.programs.push_back(std::move(programs));
  }
  for (const char* prefix : {"CONDA_PREFIX", "PYENV_ROOT"})
    if (auto value = environment(prefix); value.starts_with('/')) host.needed.push_back(absolute_path(value, "/", "/"));
  for (const fs::path& directory : path) {
    host.programs.push_back(directory);
    host.needed.push_back(directory);
    if (directory.filename() == "bin") host.needed.push_back(directory.parent_path());
  }
  // Wherever kist lies, a task finds it: `kist publish` and `kist report` are its way to speak to us.
  std::error_code error;
  if (const fs::path self = fs::read_symlink("/proc/self/exe", error); !error) {
    host.programs.push_back(self.parent_path());
    host.needed.push_back(self.parent_path());
  }
  std::erase_if(host.needed, [](const fs::path& directory) { return !directory_exists(directory); });
  host.needs_python_alias = find_program(host.programs, "python3") && !find_program(host.programs, "python");
  return host;
}

std::shared_ptr<const Host> host_for(const fs::path& project) {
  struct Known {
    std::shared_ptr<const Host> host;
    std::chrono::steady_clock::time_point since;
  };
  static std::mutex mutex;
  static std::map<fs::path, Known> known;
  std::lock_guard lock(mutex);
  Known& entry = known[project];
  auto now = std::chrono::steady_clock::now();
  if (!entry.host || now - entry.since > kHostRemembered)
    entry = {.host = std::make_shared<const Host>(look_at_host(project)), .since = now};
  return entry.host;
}

}  // namespace kist::task
