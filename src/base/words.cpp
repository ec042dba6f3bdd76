#include "base/words.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/utf8.hpp"

namespace kist {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

}  // namespace

Result<std::vector<std::string>> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::optional<std::string> word;  // nothing: between words. Quotes begin one, even an empty one
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (quote == '\'') {
      if (c == quote)
        quote = 0;
      else
        *word += c;
      continue;
    }
    if (c == '\\') {
      if (++i == text.size()) return fail(ErrorKind::invalid, "a backslash at the end with nothing to quote");
      if (text[i] == '\n') continue;  // the line goes on
      if (!word) word.emplace();
      if (quote == '"' && std::string_view("$`\"\\").find(text[i]) == std::string_view::npos) *word += '\\';
      *word += text[i];
      continue;
    }
    if (quote == '"') {
      if (c == quote)
        quote = 0;
      else
        *word += c;
      continue;
    }
    if (kBlanks.find(c) != std::string_view::npos) {
      if (word) words.push_back(std::move(*word));
      word.reset();
      continue;
    }
    if (!word) word.emplace();
    if (c == '\'' || c == '"')
      quote = c;
    else
      *word += c;
  }
  if (quote != 0) return fail(ErrorKind::invalid, fmt::format("a quote ({}) that is not closed", quote));
  if (word) words.push_back(std::move(*word));
  return words;
}

std::string quote_word(std::string_view text) {
  std::string quoted = "'";
  for (char c : text) {
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  }
  return quoted += '\'';
}

std::string shell_word(std::string_view text) {
  if (printable(text) == text) return quote_word(text);
  std::string quoted = "$'";
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::string_view character = text.substr(0, std::max<std::size_t>(length, 1));
    text.remove_prefix(character.size());
    if (character == "'" || character == "\\") {
      quoted += '\\';
      quoted += character;
    } else if (length > 0 && printable(character) == character) {
      quoted += character;
    } else {
      for (const char byte : character) quoted += fmt::format("\\{:03o}", static_cast<unsigned char>(byte));
    }
  }
  return quoted += '\'';
}

}  // namespace kist
