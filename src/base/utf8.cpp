#include "base/utf8.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace kist {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Coarse, by Unicode's blocks: a table that is off by a column for a rare script is still a table.
constexpr std::array kCombining{Range{0x300, 0x36F},   Range{0x200B, 0x200F}, Range{0x20D0, 0x20FF},
                                Range{0xFE00, 0xFE0F}, Range{0xFEFF, 0xFEFF}, Range{0xE0100, 0xE01EF}};
constexpr std::array kWide{Range{0x1100, 0x115F},   Range{0x2E80, 0x303E},   Range{0x3041, 0xA4CF},
                           Range{0xAC00, 0xD7A3},   Range{0xF900, 0xFAFF},   Range{0xFE30, 0xFE6F},
                           Range{0xFF00, 0xFF60},   Range{0xFFE0, 0xFFE6},   Range{0x1F300, 0x1F64F},
                           Range{0x1F680, 0x1F6FF}, Range{0x1F900, 0x1F9FF}, Range{0x20000, 0x3FFFD}};

bool within(char32_t character, const auto& ranges) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const Range& range) { return character >= range.first && character <= range.last; });
}

unsigned char byte_at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

// The character that takes the first `length` bytes, which are well-formed.
char32_t decode(std::string_view text, std::size_t length) {
  constexpr std::array<unsigned char, 5> payload{0, 0x7F, 0x1F, 0x0F, 0x07};
  char32_t character = byte_at(text, 0) & payload[length];
  for (std::size_t i = 1; i < length; ++i) character = (character << 6) | (byte_at(text, i) & 0x3F);
  return character;
}

// C0, DEL and C1: terminals obey the last too.
bool is_control(char32_t character) {
  return character < 0x20 || (character >= 0x7F && character < 0xA0);
}

// Whether all of it is ASCII that a terminal shows, one column each: most names are, and need no closer look. Without a
// branch for each byte, so that many are looked at at once.
bool is_plain(std::string_view text) {
  unsigned other = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    other |= static_cast<unsigned>(byte - 0x20U > 0x7EU - 0x20U);
  }
  return other == 0;
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  unsigned char first = byte_at(text, 0);
  if (first < 0x80) return 1;
  std::size_t length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte_at(text, i) & 0xC0) != 0x80) return 0;
  bool overlong = (first == 0xE0 && byte_at(text, 1) < 0xA0) || (first == 0xF0 && byte_at(text, 1) < 0x90);
  bool out_of_range = (first == 0xED && byte_at(text, 1) > 0x9F) || (first == 0xF4 && byte_at(text, 1) > 0x8F);
  return overlong || out_of_range ? 0 : length;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string printable(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    std::size_t length = utf8_length(text);
    if (length == 0 || is_control(decode(text, length))) {
      length = std::max<std::size_t>(length, 1);
      for (std::size_t i = 0; i < length; ++i) shown += fmt::format("\\x{:02x}", byte_at(text, i));
    } else {
      shown += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return shown;
}

std::size_t display_width(std::string_view text) {
  if (is_plain(text)) return text.size();
  std::size_t width = 0;
  while (!text.empty()) {
    std::size_t length = utf8_length(text);
    char32_t character = length == 0 ? 0 : decode(text, length);
    width += within(character, kCombining) ? 0 : within(character, kWide) ? 2 : 1;
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return width;
}

}  // namespace kist
