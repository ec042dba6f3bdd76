// Characters of UTF-8 texts: their case and their kind. Bytes that are not UTF-8 count as characters of their own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kist::expression {

// The characters as code points; a byte that is not UTF-8 is 0xDC00 + its value, which encode() turns back.
std::u32string decode(std::string_view text);
std::string encode(std::u32string_view characters);

char32_t upper(char32_t character);
char32_t lower(char32_t character);
bool is_upper(char32_t character);
bool is_lower(char32_t character);
bool is_letter(char32_t character);
bool is_digit(char32_t character);
bool is_blank(char32_t character);

inline bool is_ascii_digit(char character) {
  return character >= '0' && character <= '9';
}

}  // namespace kist::expression
