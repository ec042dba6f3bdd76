// Sprig's functions that change the case of texts, or write words together another way.
#include <algorithm>

#include "expression/characters.hpp"
#include "expression/functions.hpp"

namespace kist::expression {
namespace {

template <auto kChange>
Result<Value> changed(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  return call.work.make(encode(kChange(decode(text))));
}

bool is_connector(char32_t character) {
  return character == '_' || character == '-' || is_blank(character);
}
bool is_word_character(char32_t character) {
  return is_letter(character) || is_digit(character) || character == '_' || character == '\'';
}

std::u32string title(std::u32string text) {
  char32_t before = ' ';
  for (char32_t& character : text) {
    char32_t original = character;
    if (!is_word_character(before)) character = upper(character);
    before = original;
  }
  return text;
}

std::u32string untitle(std::u32string text) {
  bool front = true;
  for (char32_t& character : text) {
    if (front && !is_blank(character)) character = lower(character);
    front = is_blank(character);
  }
  return text;
}

// Capitals become small; small letters at the front of words capitals, elsewhere too.
std::u32string swap_case(std::u32string text) {
  for (char32_t& character : text) character = is_upper(character) ? lower(character) : upper(character);
  return text;
}

// "HTTPServer_name 2" → HTTP, Server, name, 2: a capital behind a small letter begins a word, and the last of several
// capitals does where a small letter follows; digits stay with what is before them.
std::vector<std::u32string> cut_words(const std::u32string& text) {
  std::vector<std::u32string> words(1);
  for (std::size_t at = 0; at < text.size(); ++at) {
    char32_t character = text[at];
    if (is_connector(character)) {
      if (!words.back().empty()) words.emplace_back();
      continue;
    }
    if (!words.back().empty() && is_upper(character)) {
      char32_t before = text[at - 1];
      bool small_follows = at + 1 < text.size() && is_lower(text[at + 1]);
      if (!is_upper(before) || small_follows) words.emplace_back();
    }
    words.back() += character;
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

std::u32string joined(const std::u32string& text, char32_t connector) {
  std::u32string result;
  for (const std::u32string& word : cut_words(text)) {
    if (!result.empty()) result += connector;
    for (char32_t character : word) result += lower(character);
  }
  return result;
}
std::u32string snake_case(const std::u32string& text) {
  return joined(text, '_');
}
std::u32string kebab_case(const std::u32string& text) {
  return joined(text, '-');
}

// Capitals at the front and behind connectors, which go; those at the ends stay.
std::u32string pascal_case(std::u32string text) {
  std::size_t first = 0;
  while (first < text.size() && is_connector(text[first])) ++first;
  std::size_t last = text.size();
  while (last > first && is_connector(text[last - 1])) --last;
  std::u32string result = text.substr(0, first);
  bool front = true;
  for (std::size_t at = first; at < last; ++at) {
    if (is_connector(text[at])) {
      front = true;
      continue;
    }
    bool behind_capital = at > first && is_upper(text[at - 1]);
    result += front ? upper(text[at]) : behind_capital ? lower(text[at]) : text[at];
    front = false;
  }
  return result + text.substr(last);
}

constexpr Function kFunctions[] = {
    {"sprig.title", 1, 1, changed<title>},          {"sprig.untitle", 1, 1, changed<untitle>},
    {"sprig.swapcase", 1, 1, changed<swap_case>},   {"sprig.snakecase", 1, 1, changed<snake_case>},
    {"sprig.kebabcase", 1, 1, changed<kebab_case>}, {"sprig.camelcase", 1, 1, changed<pascal_case>},
};

}  // namespace

std::span<const Function> sprig_case_functions() {
  return kFunctions;
}

}  // namespace kist::expression
