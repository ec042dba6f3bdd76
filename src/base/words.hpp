// Words as a POSIX shell cuts and quotes them, without expanding anything.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace kist {

// Cuts a text at blanks; quotes ('…', "…") and backslashes hold together what they hold together in a shell.
// Errors: invalid (a quote that is not closed, a backslash at the end).
Result<std::vector<std::string>> split_words(std::string_view text);

// The text as one shell word that means exactly itself: it's → 'it'\''s'.
std::string quote_word(std::string_view text);

// The same for showing: nothing in it speaks to the terminal, and what cannot be shown is written so that bash, zsh and
// today's POSIX shells give back the same bytes: $'bad\377name'.
std::string shell_word(std::string_view text);

// Takes the newline from the end of what a program printed, where there is one.
inline void trim_newline(std::string& text) {
  if (text.ends_with('\n')) text.pop_back();
}

}  // namespace kist
