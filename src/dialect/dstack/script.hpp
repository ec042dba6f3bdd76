// What a workflow's `env` and `commands` become: one text for `bash -c` (the docker provider: `sh -c`).
//
// dstack joined the commands by `&&`. That text breaks where a command ends in a comment or a here-document, and goes
// on after a failed command where the next one has several lines. So each command stands in braces on lines of its own:
// the same rule (the first command that fails ends it; `cd` and `export` reach later commands; `c &` goes on beside
// them) without those accidents.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dialect/dstack/interpolation.hpp"

namespace kist::dialect::dstack {

// One item of `env`, or one `-e`.
struct Variable {
  std::string name;
  std::optional<Parts> value;  // nothing: `K` alone, the caller's value
  bool exact = false;          // from the command line, where the caller's shell has expanded it already
};

// The statement that sets it. The shell expands `$X`, `$(…)` and quotes in the value, as when dstack 0.7 wrote it into
// an `export`; but blanks and other characters that would end the word are kept.
Parts export_statement(const Variable& variable);

// Whether a name can be set in a shell: [A-Za-z_][A-Za-z0-9_]*.
bool is_variable_name(std::string_view name);

// The string form of `commands` as one command, the last one: it ends at its first failing line (`set -e`), so that
// loops and conditions over several lines work as well as plain lines.
Parts lines_as_command(const Parts& lines);

// Lines to export the variables, then the commands. Commands that are only blanks and comments are left out; nothing
// where none is left.
std::optional<Parts> join_commands(const std::vector<Variable>& environment, const std::vector<Parts>& commands);

// Whether a text is only blank lines and comments.
bool is_nothing(const Parts& command);

}  // namespace kist::dialect::dstack
