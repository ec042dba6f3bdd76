#include "expression/lexer.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include <fmt/format.h>

#include "base/utf8.hpp"
#include "expression/characters.hpp"

namespace kist::expression::syntax {
namespace {

int digit_value(char c) {
  if (is_ascii_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 16;
}

void append_utf8(std::string& text, std::uint32_t character) {
  auto byte = [&](std::uint32_t value) { text += static_cast<char>(value); };
  if (character < 0x80) return byte(character);
  if (character < 0x800) {
    byte(0xC0 | character >> 6);
  } else {
    if (character < 0x10000) {
      byte(0xE0 | character >> 12);
    } else {
      byte(0xF0 | character >> 18);
      byte(0x80 | (character >> 12 & 0x3F));
    }
    byte(0x80 | (character >> 6 & 0x3F));
  }
  byte(0x80 | (character & 0x3F));
}

constexpr auto kWords = std::to_array<std::string_view>(
    {"not", "in", "or", "and", "matches", "contains", "startsWith", "endsWith", "let", "if", "else"});

constexpr auto kSymbols = std::to_array<std::string_view>(
    {"?.", "??", "||", "&&", "==", "!=", "<=", ">=", "**", "..", "::", "?", "|", ":", "(", ")", "[",
     "]",  "{",  "}",  ",",  ";",  "%",  "+",  "-",  "^",  "*",  "/",  "<", ">", "=", "!", ".", "#"});

}  // namespace

std::size_t name_character(std::string_view text) {
  if (text.empty()) return 0;
  char c = text.front();
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || is_ascii_digit(c)) return 1;
  return static_cast<unsigned char>(c) >= 0x80 ? utf8_length(text) : 0;
}

std::unexpected<Error> Lexer::error(std::size_t at, std::string_view what) const {
  return fail(ErrorKind::invalid, fmt::format("column {}: {}", at + 1, what));
}

Status Lexer::skip() {
  while (at_ < source_.size()) {
    std::string_view rest = source_.substr(at_);
    if (std::string_view(" \t\r\n\v\f").contains(rest.front())) {
      ++at_;
    } else if (rest.starts_with("//")) {
      at_ += std::min(rest.find('\n'), rest.size());
    } else if (rest.starts_with("/*")) {
      std::size_t close = rest.find("*/", 2);
      if (close == std::string_view::npos) return error(at_, "a comment is not closed");
      at_ += close + 2;
    } else {
      break;
    }
  }
  return {};
}

Result<Token> Lexer::next() {
  KIST_TRY(skip());
  Token token;
  token.begin = token.end = at_;
  if (at_ == source_.size()) return token;
  std::string_view rest = source_.substr(at_);
  char c = rest.front();
  if (c == '\'' || c == '"') return quoted();
  if (c == '`') return raw();
  if (is_ascii_digit(c) || (c == '.' && rest.size() > 1 && is_ascii_digit(rest[1]))) return number();
  if (name_character(rest) > 0) return word();
  for (std::string_view symbol : kSymbols)
    if (rest.starts_with(symbol)) {
      at_ += symbol.size();
      return Token{Token::Kind::symbol, std::string(symbol), token.begin, at_};
    }
  std::size_t length = std::max<std::size_t>(utf8_length(rest), 1);
  return error(at_, fmt::format("'{}' was not expected", printable(rest.substr(0, length))));
}

Token Lexer::word() {
  std::size_t begin = at_;
  while (std::size_t length = name_character(source_.substr(at_))) at_ += length;
  std::string text(source_.substr(begin, at_ - begin));
  bool symbol = std::ranges::find(kWords, text) != kWords.end();
  return Token{symbol ? Token::Kind::symbol : Token::Kind::name, std::move(text), begin, at_};
}

Result<Token> Lexer::number() {
  std::size_t begin = at_;
  auto take = [&](std::string_view digits) {
    while (at_ < source_.size() && digits.contains(source_[at_])) ++at_;
  };
  auto peek = [&](std::size_t ahead) { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; };
  constexpr std::string_view kDigits = "0123456789_";
  if (peek(0) == '0' && std::string_view("xX").contains(peek(1)) && peek(1) != '\0') {
    at_ += 2;
    take("0123456789abcdefABCDEF_");
  } else if (peek(0) == '0' && std::string_view("oO").contains(peek(1)) && peek(1) != '\0') {
    at_ += 2;
    take("01234567_");
  } else if (peek(0) == '0' && std::string_view("bB").contains(peek(1)) && peek(1) != '\0') {
    at_ += 2;
    take("01_");
  } else {
    take(kDigits);
    if (peek(0) == '.' && peek(1) != '.') {
      ++at_;
      take(kDigits);
    }
    if (peek(0) == 'e' || peek(0) == 'E') {
      ++at_;
      if (peek(0) == '+' || peek(0) == '-') ++at_;
      take(kDigits);
    }
  }
  if (name_character(source_.substr(at_)) > 0)
    return error(begin, fmt::format("'{}' is not a number", source_.substr(begin, at_ + 1 - begin)));
  return Token{Token::Kind::number, std::string(source_.substr(begin, at_ - begin)), begin, at_};
}

Result<Token> Lexer::raw() {
  std::size_t begin = at_++;
  std::string text;
  while (at_ < source_.size()) {
    char c = source_[at_++];
    if (c != '`') {
      text += c;
      continue;
    }
    if (at_ == source_.size() || source_[at_] != '`') return Token{Token::Kind::text, std::move(text), begin, at_};
    text += c;  // doubled: one of the text
    ++at_;
  }
  return error(begin, "a text is not closed");
}

Result<Token> Lexer::quoted() {
  std::size_t begin = at_;
  char quote = source_[at_++];
  std::string text;
  while (at_ < source_.size() && source_[at_] != '\n') {
    char c = source_[at_++];
    if (c == quote) return Token{Token::Kind::text, std::move(text), begin, at_};
    if (c != '\\') {
      text += c;
      continue;
    }
    KIST_TRY(escape(quote, text));
  }
  return error(begin, "a text is not closed");
}

Status Lexer::escape(char quote, std::string& text) {
  std::size_t begin = at_ - 1;
  char c = at_ < source_.size() ? source_[at_++] : '\0';
  constexpr std::string_view kLetters = "abfnrtv\\";
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\";
  if (c == quote) {
    text += c;
    return {};
  }
  if (std::size_t which = kLetters.find(c); which != std::string_view::npos) {
    text += kMeanings[which];
    return {};
  }
  std::uint32_t character = 0;
  auto digits = [&](int base, std::size_t least, std::size_t most) {
    std::size_t count = 0;
    for (; count < most && at_ < source_.size() && digit_value(source_[at_]) < base; ++count, ++at_)
      character = character * static_cast<std::uint32_t>(base) + static_cast<std::uint32_t>(digit_value(source_[at_]));
    return count >= least;
  };
  bool good = false;
  if (c >= '0' && c <= '7') {
    --at_;
    good = digits(8, 3, 3) && character <= 255;
  } else if (c == 'x') {
    good = digits(16, 2, 2);
  } else if (c == 'u' && at_ < source_.size() && source_[at_] == '{') {
    ++at_;
    good = digits(16, 1, 6) && at_ < source_.size() && source_[at_] == '}';
    ++at_;
  } else if (c == 'u') {
    good = digits(16, 4, 4);
  } else if (c == 'U') {
    good = digits(16, 8, 8);
  }
  if (!good || character > 0x10FFFF || (character >= 0xD800 && character < 0xE000))
    return error(begin, "there is no such escape");
  append_utf8(text, character);
  return {};
}

}  // namespace kist::expression::syntax
