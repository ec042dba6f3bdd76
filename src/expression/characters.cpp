#include "expression/characters.hpp"

#include <clocale>
#include <cwctype>

#include "base/utf8.hpp"

namespace kist::expression {
namespace {

constexpr char32_t kBadByte = 0xDC00;

// The character tables of the C library, independent of the user's locale. It has no locale only where the system is
// broken: letters beyond ASCII then have no case.
locale_t tables() {
  static locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}

}  // namespace

std::u32string decode(std::string_view text) {
  std::u32string result;
  result.reserve(text.size());
  while (!text.empty()) {
    std::size_t length = utf8_length(text);
    auto byte = [&](std::size_t at) { return static_cast<char32_t>(static_cast<unsigned char>(text[at])); };
    if (length == 0) {
      result += kBadByte + byte(0);
      length = 1;
    } else if (length == 1) {
      result += byte(0);
    } else {
      char32_t character = byte(0) & (0x7FU >> length);
      for (std::size_t i = 1; i < length; ++i) character = character << 6 | (byte(i) & 0x3F);
      result += character;
    }
    text.remove_prefix(length);
  }
  return result;
}

std::string encode(std::u32string_view characters) {
  std::string text;
  text.reserve(characters.size());
  auto byte = [&](char32_t value) { text += static_cast<char>(value); };
  for (char32_t character : characters) {
    if (character < 0x80) {
      byte(character);
    } else if (character < 0x800) {
      byte(0xC0 | character >> 6);
      byte(0x80 | (character & 0x3F));
    } else if (character >= kBadByte && character < kBadByte + 0x100) {
      byte(character - kBadByte);
    } else if (character < 0x10000) {
      byte(0xE0 | character >> 12);
      byte(0x80 | (character >> 6 & 0x3F));
      byte(0x80 | (character & 0x3F));
    } else {
      byte(0xF0 | character >> 18);
      byte(0x80 | (character >> 12 & 0x3F));
      byte(0x80 | (character >> 6 & 0x3F));
      byte(0x80 | (character & 0x3F));
    }
  }
  return text;
}

char32_t upper(char32_t character) {
  if (character < 0x80 || tables() == nullptr)
    return character >= 'a' && character <= 'z' ? character - ('a' - 'A') : character;
  return static_cast<char32_t>(towupper_l(static_cast<wint_t>(character), tables()));
}

char32_t lower(char32_t character) {
  if (character < 0x80 || tables() == nullptr)
    return character >= 'A' && character <= 'Z' ? character + ('a' - 'A') : character;
  return static_cast<char32_t>(towlower_l(static_cast<wint_t>(character), tables()));
}

bool is_upper(char32_t character) {
  return lower(character) != character;
}

bool is_lower(char32_t character) {
  return upper(character) != character;
}

bool is_letter(char32_t character) {
  if (character < 0x80) return (character | 0x20) >= 'a' && (character | 0x20) <= 'z';
  return tables() != nullptr && iswalpha_l(static_cast<wint_t>(character), tables()) != 0;
}

bool is_digit(char32_t character) {
  return character >= '0' && character <= '9';
}

bool is_blank(char32_t character) {
  return character == ' ' || (character >= '\t' && character <= '\r') || character == 0x85 || character == 0xA0 ||
         character == 0x1680 || (character >= 0x2000 && character <= 0x200A) || character == 0x2028 ||
         character == 0x2029 || character == 0x202F || character == 0x205F || character == 0x3000;
}

}  // namespace kist::expression
