// Core dumps get the name that files expect of them, "core.PID.EXECUTABLE" with the executable's slashes as '!'
// (core(5): "core.%p.%E"). How this machine names them is not a task's matter (kernel.core_pattern is one for all), so
// a core that a process of a task left under another name gets a second one beside it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "sandbox/sandbox.hpp"

namespace kist::task {

// What a core file tells of the process it was.
struct CoreNotes {
  int process = 0;         // its id, as the process saw it
  std::string executable;  // absolute path, or only its name where the core tells no more
  std::string started_as;  // what was given to exec: absolute, or relative to where the process was then
};

// Reads the ELF notes of a core: a few MiB at most, whatever the file says of itself. Errors: invalid (no core of a
// 64-bit process).
Result<CoreNotes> read_core_notes(const FileDescriptor& file);

// "core.54.!root!work!dump"
std::string core_dump_name(const CoreNotes& notes);

// Whether a name could come from a pattern's last component: "core.%p" makes "core.54", and with core_uses_pid "core"
// makes it too.
bool matches_core_pattern(std::string_view name, std::string_view pattern);

// Gives every core in the directory that was written since then its second name. `place` is where the directory is in
// the task's root: a core lies where its process was, so what that was started as is taken from there. Returns the
// names made.
Result<std::vector<std::string>> name_core_dumps(const FileDescriptor& directory, const std::filesystem::path& place,
                                                 std::string_view pattern, Time since);

// After a process of a task failed: names the cores it left in its working directory or where the machine's pattern
// puts them. Where the machine gives cores to a program instead, returns what to tell the user.
std::optional<std::string> find_core_dumps(sandbox::Sandbox& sandbox, const std::filesystem::path& working_directory,
                                           const sandbox::Ended& ended, Time since);

}  // namespace kist::task
