// Runs a program to its end and captures what it printed: git, a virtual environment's python, a tool in a test. No
// shell. Programs of a workflow's tasks are the sandbox's matter, not this one's.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace kist {

struct ProcessRequest {
  std::vector<std::string> arguments;  // the first is the program, searched in PATH where it has no '/'
  std::optional<std::vector<std::string>> environment;  // "NAME=value"; none: this process's own
  std::filesystem::path directory;                      // where it starts; empty: here
  std::string input;                                    // its standard input
  std::optional<std::chrono::nanoseconds> timeout;
  std::uint64_t output_limit = 64ULL << 20;  // bytes of each stream; a program that prints more is killed
  // The program has this process's standard input, output and error, and its terminal; `output` is what it writes to
  // descriptor 3. `input` does not count.
  bool on_terminal = false;
  std::function<bool()> cancelled = {};  // asked a few times a second; true: it is killed
};

struct ProcessResult {
  int exit_code = 0;  // 128 + the signal's number where a signal ended it
  std::string output;
  std::string error_output;
};

// Thread-safe. The program runs in a session of its own, so it cannot ask on the terminal (unless it is `on_terminal`),
// and starts with no other descriptors and no blocked or ignored signals. What it left running in the background is not
// waited for. Errors: not_found and denied (it cannot be started), unavailable (timeout, or cancelled: it and its
// children in the session were killed), invalid (too much output: likewise). An exit code other than 0 is a result, not
// an error.
Result<ProcessResult> run_process(const ProcessRequest& request);

// The last line that is not empty, for an error's text: what most programs end with.
std::string last_line(std::string_view text);

}  // namespace kist
