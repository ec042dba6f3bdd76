// UTF-8, one character at a time. Names of files need not be UTF-8: whoever prints them asks here first.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kist {

// The length in bytes of the character at the front of a non-empty text, or 0 where it is not well-formed UTF-8
// (overlong forms and surrogates are not).
std::size_t utf8_length(std::string_view text);

bool is_utf8(std::string_view text);

// The text as it can be shown on a terminal: control characters and bytes that are not UTF-8 as `\x1b`, so that a
// file's name cannot speak to the terminal. Line breaks are control characters.
std::string printable(std::string_view text);

// How many columns of a terminal the text takes: wide characters (East Asian, emoji) two, combining ones none.
// Independent of the locale; control characters and bad bytes count one.
std::size_t display_width(std::string_view text);

}  // namespace kist
