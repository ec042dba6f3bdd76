// Each check stands alone: one that cannot be made is a finding, never the end of the others.
#include "cli/checkup.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <yaml.h>
#include <zstd.h>

#include "base/file.hpp"
#include "base/process.hpp"
#include "base/terminal.hpp"
#include "cli/runs.hpp"
#include "cli/version.hpp"
#include "sandbox/sandbox.hpp"

namespace kist::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kLittleSpace = 1ULL << 30;

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The first line a program prints; nullopt where there is no such program.
std::optional<std::string> ask(std::vector<std::string> words) {
  const auto done = run_process({.arguments = std::move(words),
                                 .environment = std::nullopt,
                                 .directory = {},
                                 .input = {},
                                 .timeout = std::chrono::seconds(5)});
  if (!done) return std::nullopt;
  const auto& text = done->output.empty() ? done->error_output : done->output;
  return text.substr(0, text.find('\n'));
}

// The file system below a path, by the longest mount point that leads to it.
std::string file_system_of(const fs::path& path) {
  std::ifstream mounts("/proc/self/mountinfo");
  std::string line;
  std::string best;
  std::string type;
  while (std::getline(mounts, line)) {
    std::istringstream words(line);
    std::string skipped;
    std::string point;
    words >> skipped >> skipped >> skipped >> skipped >> point;
    const auto dash = line.find(" - ");
    const bool leads = point == "/" || path == point || path.string().starts_with(point + "/");
    if (dash == std::string::npos || !leads || point.size() < best.size()) continue;
    best = point;
    type = line.substr(dash + 3, line.find(' ', dash + 3) - dash - 3);
  }
  return type;
}

void check_home(House& house, std::vector<Finding>& findings) {
  const auto home = house.home();
  if (!home) {
    findings.push_back(
        {"home", Finding::Status::problem, home.error().text, "set KIST_HOME to a directory you may write to"});
    return;
  }
  const fs::path& path = (*home)->path();
  const auto shown = fmt::format("{} on {}", path.string(), file_system_of(path));
  if (access(path.c_str(), W_OK) != 0) {
    findings.push_back({"home", Finding::Status::warning,
                        fmt::format("{}: cannot be written; listings work, runs do not", shown),
                        "make it writable, or set KIST_HOME elsewhere"});
    return;
  }
  struct statvfs space{};
  if (statvfs(path.c_str(), &space) != 0) {
    findings.push_back({"home", Finding::Status::warning, shown, ""});
    return;
  }
  const std::uint64_t free = static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
  const bool little = free < kLittleSpace;
  findings.push_back({"home", little ? Finding::Status::warning : Finding::Status::ok,
                      fmt::format("{}, {} free", shown, human_size(free)),
                      little ? "make room, or set KIST_HOME to a larger file system" : ""});
}

void check_store(House& house, std::vector<Finding>& findings) {
  if (!house.home()) return;
  const auto store = house.store();
  if (!store) {
    findings.push_back({"store", Finding::Status::problem, store.error().text, ""});
    return;
  }
  const auto references = (*store)->references("");
  if (!references) {
    findings.push_back({"store", Finding::Status::problem, references.error().text, ""});
    return;
  }
  std::size_t unreadable = 0;
  for (const auto& [name, target] : *references)
    if (!(*store)->object(target)) ++unreadable;
  if (unreadable > 0) {
    findings.push_back({"store", Finding::Status::problem,
                        fmt::format("{} of {} run records cannot be read", unreadable, references->size()), ""});
    return;
  }
  findings.push_back(
      {"store", Finding::Status::ok, fmt::format("{} run records, each can be read", references->size()), ""});
}

void check_catalog(House& house, std::vector<Finding>& findings) {
  if (!house.home()) return;
  const auto runs = list_runs(house, {});
  if (!runs) {
    findings.push_back({"catalog", Finding::Status::problem, runs.error().text, ""});
    return;
  }
  const auto interrupted = std::ranges::count(*runs, model::State::interrupted, &catalog::RunSummary::state);
  const auto text =
      fmt::format("{} runs{}", runs->size(), interrupted > 0 ? fmt::format(", {} interrupted", interrupted) : "");
  findings.push_back(
      {"catalog", Finding::Status::ok, text,
       interrupted > 0 ? "`kist ps -a` lists them; `kist resume RUN` goes on, `kist rm RUN` removes" : ""});
}

void check_isolation(std::vector<Finding>& findings) {
  const auto launcher = sandbox::Launcher::start();
  if (!launcher) {
    findings.push_back({"isolation", Finding::Status::problem, launcher.error().text, ""});
    return;
  }
  const auto isolation = (*launcher)->isolation();
  std::string text;
  switch (isolation) {
    case sandbox::Isolation::root:
      text = "as root: tasks see this machine copy-on-write, every mounted file system";
      break;
    case sandbox::Isolation::user:
      text = "as an ordinary user, in a user namespace: tasks see this machine copy-on-write";
      break;
    case sandbox::Isolation::directory:
      text = "a scratch directory only: workflows that use absolute paths are refused";
      break;
  }
  const bool weak = isolation == sandbox::Isolation::directory;
  findings.push_back({"isolation", weak ? Finding::Status::warning : Finding::Status::ok, text, ""});
  for (const auto& limit : (*launcher)->limits())
    findings.push_back({"isolation", Finding::Status::warning, limit, ""});
}

void check_namespaces(std::vector<Finding>& findings) {
  const auto systems = read_file("/proc/filesystems");
  const bool overlay = systems && systems->find("\toverlay\n") != std::string::npos;
  findings.push_back({"overlay", overlay ? Finding::Status::ok : Finding::Status::warning,
                      overlay ? "the kernel has overlayfs" : "the kernel has no overlayfs loaded",
                      overlay ? "" : "modprobe overlay"});

  const auto most = first_line("/proc/sys/user/max_user_namespaces");
  const bool forbidden = first_line("/proc/sys/kernel/unprivileged_userns_clone") == "0";
  const bool restricted = first_line("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1";
  if (geteuid() == 0) {
    findings.push_back({"user namespaces", Finding::Status::ok, "not needed as root", ""});
  } else if (most == "0") {
    findings.push_back({"user namespaces", Finding::Status::warning, "none are allowed",
                        "as root: sysctl -w user.max_user_namespaces=10000"});
  } else if (forbidden) {
    findings.push_back({"user namespaces", Finding::Status::warning, "not for ordinary users",
                        "as root: sysctl -w kernel.unprivileged_userns_clone=1"});
  } else if (restricted) {
    findings.push_back({"user namespaces", Finding::Status::warning, "AppArmor restricts them",
                        "as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"});
  } else {
    findings.push_back({"user namespaces", Finding::Status::ok, "allowed", ""});
  }
}

void check_programs(std::vector<Finding>& findings) {
  const auto python3 = ask({"python3", "--version"});
  const auto python = ask({"python", "--version"});
  if (!python3) {
    findings.push_back({"python", Finding::Status::warning,
                        "there is no python3: steps of Python images cannot run here", "install python3"});
  } else {
    findings.push_back({"python", Finding::Status::ok,
                        python ? fmt::format("python3 is {}, python is {}", *python3, *python)
                               : fmt::format("python3 is {}; there is no `python`", *python3),
                        ""});
  }
  std::string engines;
  for (const auto* name : {"podman", "docker"}) {
    if (const auto version = ask({name, "--version"})) engines += (engines.empty() ? "" : ", ") + *version;
  }
  findings.push_back(
      {"container engine", Finding::Status::ok, engines.empty() ? "none: tasks run on this machine" : engines, ""});
}

// A pipe takes cores away from the tasks that crashed; kist never changes the setting itself.
void check_cores(std::vector<Finding>& findings) {
  const auto pattern = first_line("/proc/sys/kernel/core_pattern");
  rlimit limit{};
  getrlimit(RLIMIT_CORE, &limit);
  if (pattern.starts_with('|')) {
    findings.push_back({"core dumps", Finding::Status::warning,
                        fmt::format("the kernel hands them to a program ({}): no core files appear in tasks",
                                    pattern.substr(1, pattern.find(' ') - 1)),
                        "as root: sysctl -w kernel.core_pattern=core.%p.%E"});
  } else if (pattern.starts_with('/')) {
    findings.push_back({"core dumps", Finding::Status::warning, fmt::format("the kernel writes them to {}", pattern),
                        "as root: sysctl -w kernel.core_pattern=core.%p.%E"});
  } else if (limit.rlim_max != RLIM_INFINITY) {
    findings.push_back(
        {"core dumps", Finding::Status::warning,
         fmt::format("limited to {} here: `ulimit -c unlimited` fails in tasks", human_size(limit.rlim_max)),
         "raise the hard limit (ulimit -H -c) of the shell kist is started from"});
  } else {
    findings.push_back(
        {"core dumps", Finding::Status::ok, fmt::format("'{}' beside the program that crashed", pattern), ""});
  }
}

void check_versions(std::vector<Finding>& findings) {
  utsname system{};
  uname(&system);
  findings.push_back(
      {"versions", Finding::Status::ok,
       fmt::format("kist {}, {} {}, SQLite {}, OpenSSL {}, zstd {}, libyaml {}", kVersion, system.sysname,
                   system.release, sqlite3_libversion(), OpenSSL_version(OPENSSL_VERSION_STRING), ZSTD_versionString(),
                   yaml_get_version_string()),
       ""});
}

}  // namespace

std::vector<Finding> check_up(House& house) {
  std::vector<Finding> findings;
  check_isolation(findings);
  check_namespaces(findings);
  check_home(house, findings);
  check_store(house, findings);
  check_catalog(house, findings);
  check_programs(findings);
  check_cores(findings);
  check_versions(findings);
  return findings;
}

}  // namespace kist::cli
