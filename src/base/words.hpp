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

}  // namespace kist
