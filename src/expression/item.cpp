#include "expression/item.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "expression/characters.hpp"

namespace kist::expression {
namespace {

constexpr std::size_t kWidest = 10'000;

// One verb of a format: %[flags][width][.precision]letter.
struct Verb {
  bool minus = false, plus = false, zero = false, blank = false, sharp = false;
  std::size_t width = 0;
  bool has_precision = false;
  std::size_t precision = 0;
  char letter = '\0';
};

bool is_flag(char c, Verb& verb) {
  bool* flag = c == '-'   ? &verb.minus
               : c == '+' ? &verb.plus
               : c == '0' ? &verb.zero
               : c == ' ' ? &verb.blank
               : c == '#' ? &verb.sharp
                          : nullptr;
  if (flag != nullptr) *flag = true;
  return flag != nullptr;
}

std::size_t take_number(std::string_view& text) {
  std::size_t number = 0;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1))
    number = std::min(kWidest, number * 10 + static_cast<std::size_t>(text.front() - '0'));
  return number;
}

// Reads the verb behind a '%' and takes it off the front.
Verb take_verb(std::string_view& text) {
  Verb verb;
  while (!text.empty() && is_flag(text.front(), verb)) text.remove_prefix(1);
  verb.width = take_number(text);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    verb.has_precision = true;
    verb.precision = take_number(text);
  }
  if (!text.empty()) {
    verb.letter = text.front();
    text.remove_prefix(1);
  }
  return verb;
}

std::string padded(std::string text, const Verb& verb) {
  std::size_t length = decode(text).size();
  if (length >= verb.width) return text;
  std::string blanks(verb.width - length, ' ');
  return verb.minus ? text + blanks : blanks + text;
}

std::string print_digits(const Verb& verb, std::int64_t number) {
  bool negative = number < 0;
  std::uint64_t size = negative ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
  std::string digits;
  std::string prefix;
  switch (verb.letter) {
    case 'b':
      digits = fmt::format("{:b}", size);
      if (verb.sharp) prefix = "0b";
      break;
    case 'o':
    case 'O':
      digits = fmt::format("{:o}", size);
      if (verb.letter == 'O') prefix = "0o";
      if (verb.letter == 'o' && verb.sharp) prefix = "0";
      break;
    case 'x':
      digits = fmt::format("{:x}", size);
      if (verb.sharp) prefix = "0x";
      break;
    case 'X':
      digits = fmt::format("{:X}", size);
      if (verb.sharp) prefix = "0X";
      break;
    default:
      digits = fmt::format("{}", size);
  }
  std::string sign = negative ? "-" : verb.plus ? "+" : verb.blank ? " " : "";
  std::size_t least = verb.precision;
  // Zeros fill the width only where no precision is said.
  if (verb.zero && !verb.minus && !verb.has_precision && verb.width > sign.size()) least = verb.width - sign.size();
  if (digits.size() < least) digits.insert(0, least - digits.size(), '0');
  return padded(sign + prefix + digits, verb);
}

}  // namespace

std::string item_text(const Json& item) {
  return item.is_string() ? item.get<std::string>() : to_text(item);
}

std::string item_name(const Json& item) {
  std::string name;
  if (item.is_object()) {
    std::map<std::string, std::string> sorted;
    for (const auto& [key, value] : item.items()) sorted[key] = item_text(value);
    for (const auto& [key, value] : sorted) {
      if (!name.empty()) name += ',';
      name.append(key).append(":").append(value);
    }
  } else {
    name = item_text(item);
  }
  std::erase_if(name, [](char c) { return c == '(' || c == ')'; });
  return name;
}

Result<std::string> print_integer(std::string_view format, std::int64_t number) {
  std::string result;
  std::string_view rest = format;
  int verbs = 0;
  while (true) {
    std::size_t percent = rest.find('%');
    result += rest.substr(0, percent);
    if (percent == std::string_view::npos) break;
    rest.remove_prefix(percent + 1);
    Verb verb = take_verb(rest);
    if (verb.letter == '%') {
      result += '%';
      continue;
    }
    ++verbs;
    constexpr std::string_view kDigits = "bdoOxXv";
    if (verb.letter != '\0' && kDigits.contains(verb.letter)) {
      result += print_digits(verb, number);
    } else if (verb.letter == 'c' && number >= 0 && number <= 0x10FFFF) {
      result += padded(encode(std::u32string(1, static_cast<char32_t>(number))), verb);
    } else {
      return fail(ErrorKind::invalid,
                  fmt::format("the format '{}' has no meaning for a number; write it like %d or %03d", format));
    }
  }
  if (verbs != 1)
    return fail(ErrorKind::invalid, fmt::format("the format '{}' must have one place for the number, like %d", format));
  return result;
}

}  // namespace kist::expression
