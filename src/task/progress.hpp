// How far a process says it is: the last line of a file that it writes, "N/M" for N of M parts.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "sandbox/sandbox.hpp"

namespace kist::task {

// Nothing where there is no such file, or no such line at its end.
std::optional<std::string> read_progress(sandbox::Sandbox& sandbox, const std::filesystem::path& inside);

}  // namespace kist::task
