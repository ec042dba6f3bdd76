#include "sandbox/processes.hpp"

#include <csignal>
#include <cstdio>
#include <set>
#include <string>
#include <vector>

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/file.hpp"

namespace kist::sandbox {
namespace {

struct Process {
  pid_t id = 0;
  pid_t parent = 0;
  pid_t session = 0;
};

// proc(5): "ID (NAME) STATE PARENT GROUP SESSION …"; a name may hold blanks and parentheses.
bool read_process(pid_t id, Process& process) {
  auto text = read_file(fmt::format("/proc/{}/stat", id));
  if (!text) return false;
  std::size_t end = text->rfind(')');
  int group = 0;
  char state = 0;
  process.id = id;
  return end != std::string::npos &&
         std::sscanf(text->c_str() + end + 1, " %c %d %d %d", &state, &process.parent, &group, &process.session) == 4;
}

std::vector<Process> all_processes() {
  std::vector<Process> found;
  DIR* entries = ::opendir("/proc");
  if (entries == nullptr) return found;
  while (const dirent* entry = ::readdir(entries)) {
    pid_t id = std::atoi(entry->d_name);
    Process process;
    if (id > 0 && read_process(id, process)) found.push_back(process);
  }
  ::closedir(entries);
  return found;
}

// Signals what `select` picks from a look at all processes, and looks again until there is nobody new. The number of
// looks is bounded: who forks without end is met by the next signal.
template <typename Select>
bool signal_all_of(int number, const Select& select) {
  constexpr int kMostLooks = 16;
  std::set<pid_t> signalled;
  for (int look = 0; look < kMostLooks; ++look) {
    bool is_new = false;
    for (pid_t process : select())
      if (signalled.insert(process).second) {
        ::kill(process, number);
        is_new = true;
      }
    if (!is_new) break;
  }
  return !signalled.empty();
}

}  // namespace

void signal_session(pid_t leader, int number) {
  signal_all_of(number, [&] {
    std::vector<pid_t> members;
    for (const Process& process : all_processes())
      if (process.session == leader) members.push_back(process.id);
    return members;
  });
}

bool signal_descendants(int number) {
  return signal_all_of(number, [] {
    std::vector<Process> all = all_processes();
    std::vector<pid_t> found;
    std::vector<pid_t> parents{::getpid()};
    while (!parents.empty()) {
      pid_t parent = parents.back();
      parents.pop_back();
      for (const Process& process : all)
        if (process.parent == parent) {
          found.push_back(process.id);
          parents.push_back(process.id);
        }
    }
    return found;
  });
}

}  // namespace kist::sandbox
