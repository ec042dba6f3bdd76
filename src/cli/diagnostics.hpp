// Errors and notices as people read them: FILE:LINE:COLUMN, what is wrong, and on a terminal the line it is about.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/dialect.hpp"
#include "model/record.hpp"

namespace kist::cli {

// The lines of an error or notice, ready to print. A line "FILE:LINE:COLUMN: text" whose file is among `files` (or is
// there to be read) is followed by the offending line and a caret, where `colored`: on a terminal.
std::string explain(std::string_view text, model::Notice::Level level, const std::vector<model::SourceText>& files,
                    bool colored);
std::string explain(const model::Notice& notice, const std::vector<model::SourceText>& files, bool colored);

// A line "FILE:LINE:COLUMN: text" taken apart; one that names no place is all text.
model::Notice read_notice(std::string_view line, model::Notice::Level level);

// Prints an error to standard error: "kist: text", or as explain() where it is about places in files.
void print_error(std::string_view program, const Error& error, const std::vector<model::SourceText>& files,
                 bool colored);

// 2: the input or what it names is wrong; 3: kist itself could not.
int exit_code_of(const Error& error);

}  // namespace kist::cli
