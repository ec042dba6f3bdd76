// What a task gets where this machine refuses private roots: it runs on the machine as it is, with a copy of its
// working directory in scratch. Relative paths work, and what is written below the working directory stays in scratch.
// A task that needs more (inputs or outputs in /tmp, say, which would then be the machine's own) is refused, with what
// to enable.
#pragma once

#include <memory>
#include <string>

#include "base/file.hpp"
#include "base/result.hpp"
#include "sandbox/sandbox.hpp"

namespace kist::sandbox {

// Errors: unsupported (the layout needs a private root; `why` there is none and what to enable ends the text), and as
// Launcher::open(). Call it before the init at the other end of `channel` is asked for: nothing is left when it fails.
Status check_scratch_layout(const Layout& layout, const std::string& why);

// A sandbox for a layout that was checked.
Result<std::unique_ptr<Sandbox>> open_scratch_directory(const Layout& layout, FileDescriptor channel, std::string why);

}  // namespace kist::sandbox
