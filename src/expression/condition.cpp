// A recursive descent over tokens; precedence from loose to tight: `? :` and `??`, ||, &&, comparisons (left to right),
// & | ^, << >>, + -, * / %, **, and the prefixes `!`, `-` and `~`.
// The right side of && and || is read but its value does not matter where the left side decides, so that
// `x == done || count > 3` holds whatever `count` became.
//
// Text comes from files and from the output of tasks, so it may be anything: nesting and patterns are limited.
#include "expression/condition.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include <fmt/format.h>

#include "expression/characters.hpp"
#include "expression/date.hpp"
#include "expression/regex.hpp"
#include "expression/value.hpp"

namespace kist::expression {
namespace {

constexpr int kMostBrackets = 200;
constexpr std::size_t kLongest = 1UL << 20;

using Operand = std::variant<bool, double, std::string>;

std::string shown(const Operand& value) {
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  if (const auto* number = std::get_if<double>(&value)) return real_to_text(*number);
  return std::get<std::string>(value);
}

// Quoted dates compare as moments: seconds since 1970, UTC where no zone is written.
std::optional<double> as_date(const std::string& text) {
  if (text.size() < 6 || text.size() > 40) return std::nullopt;
  constexpr auto kLayouts = std::to_array<std::string_view>(
      {"Mon Jan _2 15:04:05 2006", "Mon Jan _2 15:04:05 MST 2006", "Mon Jan 02 15:04:05 -0700 2006", "3:04PM", kRfc3339,
       "2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02 15:04:05-07:00", "2006-01-02T15Z0700",
       "2006-01-02T15:04Z0700", "2006-01-02T15:04:05Z0700"});
  for (std::string_view layout : kLayouts)
    if (auto date = parse_date(layout, text, utc())) return static_cast<double>(date->seconds);
  return std::nullopt;
}

struct Token {
  enum class Kind { end, value, symbol };
  Kind kind = Kind::end;
  Operand value;            // a value
  std::string_view symbol;  // an operator, a bracket, a comma, "in"
};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
class Lexer {
 public:
  explicit Lexer(std::string_view text) : rest_(text) {}

  Result<Token> next() {
    std::size_t blanks = rest_.find_first_not_of(" \t\r\n");
    rest_.remove_prefix(std::min(blanks, rest_.size()));
    if (rest_.empty()) return Token{};
    char c = rest_.front();
    if (c == '"' || c == '\'') return quoted(c);
    if (c == '[') return name_in_brackets();
    if (is_ascii_digit(c) || (c == '.' && rest_.size() > 1 && is_ascii_digit(rest_[1]))) return number();
    if (is_letter(c)) return word();
    for (std::string_view symbol :
         {"==", "!=", ">=", "<=", "=~", "!~", "&&", "||", "**", "<<", ">>", "??", ">", "<", "!",
          "-",  "(",  ")",  ",",  "+",  "*",  "/",  "%",  "&",  "|",  "^",  "~",  "?", ":"})
      if (rest_.starts_with(symbol)) {
        rest_.remove_prefix(symbol.size());
        return Token{Token::Kind::symbol, {}, symbol};
      }
    return fail(ErrorKind::invalid, fmt::format("'{}' was not expected", rest_.substr(0, 1)));
  }

 private:
  Result<Token> quoted(char quote) {
    std::string text;
    for (std::size_t at = 1; at < rest_.size(); ++at) {
      if (rest_[at] == quote) {
        rest_.remove_prefix(at + 1);
        if (auto date = as_date(text)) return Token{Token::Kind::value, *date, {}};
        return Token{Token::Kind::value, std::move(text), {}};
      }
      if (rest_[at] == '\\' && at + 1 < rest_.size()) ++at;
      text += rest_[at];
    }
    return fail(ErrorKind::invalid, "a quote is not closed");
  }

  // [a name with blanks]: a text, as every name is.
  Result<Token> name_in_brackets() {
    std::string text;
    for (std::size_t at = 1; at < rest_.size(); ++at) {
      if (rest_[at] == ']') {
        rest_.remove_prefix(at + 1);
        return Token{Token::Kind::value, std::move(text), {}};
      }
      if (rest_[at] == '\\' && at + 1 < rest_.size()) ++at;
      text += rest_[at];
    }
    return fail(ErrorKind::invalid, "a bracket is not closed");
  }

  Result<Token> number() {
    double value = 0;
    const char* end = rest_.data() + rest_.size();
    std::from_chars_result read{};
    if (rest_.starts_with("0x") || rest_.starts_with("0X")) {
      std::uint64_t integer = 0;
      const std::string_view digits = rest_.substr(2);
      read = std::from_chars(digits.data(), end, integer, 16);
      value = static_cast<double>(integer);
    } else {
      read = std::from_chars(rest_.data(), end, value);
    }
    if (read.ec != std::errc() || (read.ptr != end && (is_letter(*read.ptr) || *read.ptr == '.')))
      return fail(ErrorKind::invalid,
                  fmt::format("'{}' is not a number", rest_.substr(0, rest_.find_first_of(" \t\r\n()!=<>&|,+*/%"))));
    rest_.remove_prefix(static_cast<std::size_t>(read.ptr - rest_.data()));
    return Token{Token::Kind::value, value, {}};
  }

  Result<Token> word() {
    std::size_t size = 1;
    while (size < rest_.size() && (is_letter(rest_[size]) || is_ascii_digit(rest_[size]) || rest_[size] == '.')) ++size;
    std::string_view word = rest_.substr(0, size);
    rest_.remove_prefix(size);
    if (word == "in" || word == "IN") return Token{Token::Kind::symbol, {}, "in"};
    if (word == "true" || word == "false") return Token{Token::Kind::value, word == "true", {}};
    return Token{Token::Kind::value, std::string(word), {}};
  }

  std::string_view rest_;
};

Result<bool> matches(const std::string& text, std::string_view pattern) {
  KIST_TRY_ASSIGN(Regex regex, Regex::compile(pattern));
  return regex.matches(text);
}

bool is_comparison(std::string_view symbol) {
  constexpr auto kComparisons = std::to_array<std::string_view>({"==", "!=", ">", "<", ">=", "<=", "=~", "!~"});
  return std::ranges::find(kComparisons, symbol) != kComparisons.end();
}

Result<bool> compare(std::string_view symbol, const Operand& left, const Operand& right) {
  if (symbol == "==") return left == right;
  if (symbol == "!=") return left != right;
  if (symbol == "=~" || symbol == "!~") {
    const auto* text = std::get_if<std::string>(&left);
    const auto* pattern = std::get_if<std::string>(&right);
    if (text == nullptr || pattern == nullptr)
      return fail(ErrorKind::invalid,
                  fmt::format("'{}' needs a text on both sides, not '{}' and '{}'", symbol, shown(left), shown(right)));
    KIST_TRY_ASSIGN(bool match, matches(*text, *pattern));
    return match == (symbol == "=~");
  }
  if (left.index() != right.index() || std::holds_alternative<bool>(left))
    return fail(ErrorKind::invalid,
                fmt::format("'{}' and '{}' cannot be compared with '{}'", shown(left), shown(right), symbol));
  if (symbol == ">") return left > right;
  if (symbol == "<") return left < right;
  if (symbol == ">=") return left >= right;
  return left <= right;
}

// The operators on numbers, the loosest first; each level goes from left to right.
using Level = std::span<const std::string_view>;
constexpr auto kBits = std::to_array<std::string_view>({"&", "|", "^"});
constexpr auto kShifts = std::to_array<std::string_view>({"<<", ">>"});
constexpr auto kSums = std::to_array<std::string_view>({"+", "-"});
constexpr auto kProducts = std::to_array<std::string_view>({"*", "/", "%"});
constexpr auto kPowers = std::to_array<std::string_view>({"**"});
constexpr std::array<Level, 5> kLevels{Level(kBits), Level(kShifts), Level(kSums), Level(kProducts), Level(kPowers)};

std::int64_t whole(double number) {
  constexpr double kLimit = 9.2e18;
  return std::isfinite(number) ? static_cast<std::int64_t>(std::clamp(number, -kLimit, kLimit)) : 0;
}

double calculate(std::string_view symbol, double left, double right) {
  if (symbol == "+") return left + right;
  if (symbol == "-") return left - right;
  if (symbol == "*") return left * right;
  if (symbol == "/") return left / right;
  if (symbol == "%") return std::fmod(left, right);
  if (symbol == "**") return std::pow(left, right);
  std::int64_t a = whole(left);
  std::int64_t b = whole(right);
  if (symbol == "&") return static_cast<double>(a & b);
  if (symbol == "|") return static_cast<double>(a | b);
  if (symbol == "^") return static_cast<double>(a ^ b);
  bool far = b < 0 || b > 63;
  if (symbol == "<<")
    return far ? 0 : static_cast<double>(static_cast<std::int64_t>(static_cast<std::uint64_t>(a) << b));
  return static_cast<double>(a >> (far ? 63 : b));
}

Result<Operand> combine(std::string_view symbol, const Operand& left, const Operand& right) {
  const auto* left_number = std::get_if<double>(&left);
  const auto* right_number = std::get_if<double>(&right);
  if (left_number != nullptr && right_number != nullptr) return calculate(symbol, *left_number, *right_number);
  // One text makes a sum a text.
  bool texts = std::holds_alternative<std::string>(left) || std::holds_alternative<std::string>(right);
  if (symbol == "+" && texts) return shown(left) + shown(right);
  return fail(ErrorKind::invalid,
              fmt::format("'{}' needs numbers on both sides, not '{}' and '{}'", symbol, shown(left), shown(right)));
}

class ConditionParser {
 public:
  explicit ConditionParser(std::string_view text) : lexer_(text) {}

  Result<bool> parse() {
    KIST_TRY(advance());
    KIST_TRY_ASSIGN(Operand value, choice());
    if (token_.kind != Token::Kind::end)
      return fail(ErrorKind::invalid, fmt::format("'{}' was not expected", token_text()));
    if (!std::holds_alternative<bool>(value))
      return fail(ErrorKind::invalid, fmt::format("'{}' is neither true nor false", shown(value)));
    return std::get<bool>(value);
  }

 private:
  Status advance() {
    KIST_TRY_ASSIGN(token_, lexer_.next());
    return {};
  }
  bool at(std::string_view symbol) const { return token_.kind == Token::Kind::symbol && token_.symbol == symbol; }
  std::string token_text() const {
    return token_.kind == Token::Kind::value ? shown(token_.value) : std::string(token_.symbol);
  }

  Result<bool> truth(const Operand& value, std::string_view symbol) {
    if (const auto* truth = std::get_if<bool>(&value)) return *truth;
    if (unneeded_ > 0) return false;
    return fail(ErrorKind::invalid,
                fmt::format("'{}' is neither true nor false, which '{}' needs", shown(value), symbol));
  }

  // condition ? yes : no, and a ?? b, which is a: nothing here is ever absent.
  Result<Operand> choice() {
    if (++depth_ > kMostBrackets) return too_deep();
    KIST_TRY_ASSIGN(Operand value, any());
    while (at("?") || at("??")) {
      bool ternary = at("?");
      KIST_TRY(advance());
      bool first = true;
      if (ternary) {
        KIST_TRY_ASSIGN(first, truth(value, "?"));
        KIST_TRY_ASSIGN(Operand yes, side(first));
        if (first) value = std::move(yes);
        if (!at(":")) return fail(ErrorKind::invalid, "':' is missing behind '?'");
        KIST_TRY(advance());
      }
      KIST_TRY_ASSIGN(Operand no, side(!first));
      if (!first) value = std::move(no);
    }
    --depth_;
    return value;
  }

  // One side of a choice, which may be nonsense where it is not needed.
  Result<Operand> side(bool needed) {
    unneeded_ += needed ? 0 : 1;
    auto value = choice();
    unneeded_ -= needed ? 0 : 1;
    return value;
  }

  static std::unexpected<Error> too_deep() {
    return fail(ErrorKind::invalid, fmt::format("more than {} brackets inside each other", kMostBrackets));
  }

  Result<Operand> any() {
    return chain("||", [this] { return all(); });
  }
  Result<Operand> all() {
    return chain("&&", [this] { return comparison(); });
  }

  // operand (symbol operand)*, where `||` is decided by true and `&&` by false.
  template <typename Side>
  Result<Operand> chain(std::string_view symbol, Side side_of) {
    bool deciding = symbol == "||";
    KIST_TRY_ASSIGN(Operand value, side_of());
    while (at(symbol)) {
      KIST_TRY_ASSIGN(bool left, truth(value, symbol));
      KIST_TRY(advance());
      bool decided = left == deciding;
      unneeded_ += decided ? 1 : 0;
      auto right = side_of();
      if (!right) return right;
      auto right_truth = truth(*right, symbol);
      unneeded_ -= decided ? 1 : 0;
      if (!right_truth) return std::unexpected(right_truth.error());
      value = decided ? deciding : *right_truth;
    }
    return value;
  }

  Result<Operand> comparison() {
    KIST_TRY_ASSIGN(Operand left, calculation(kLevels));
    while (token_.kind == Token::Kind::symbol) {
      std::string_view symbol = token_.symbol;
      if (symbol == "in") {
        KIST_TRY(advance());
        KIST_TRY_ASSIGN(left, is_in(left));
        continue;
      }
      if (!is_comparison(symbol)) break;
      KIST_TRY(advance());
      KIST_TRY_ASSIGN(Operand right, calculation(kLevels));
      auto holds = compare(symbol, left, right);
      if (!holds && unneeded_ == 0) return std::unexpected(holds.error());
      left = holds.value_or(false);
    }
    return left;
  }

  Result<Operand> calculation(std::span<const Level> levels) {
    if (levels.empty()) return unary();
    KIST_TRY_ASSIGN(Operand left, calculation(levels.subspan(1)));
    while (token_.kind == Token::Kind::symbol) {
      std::string_view symbol = token_.symbol;
      if (std::ranges::find(levels.front(), symbol) == levels.front().end()) break;
      KIST_TRY(advance());
      KIST_TRY_ASSIGN(Operand right, calculation(levels.subspan(1)));
      auto value = combine(symbol, left, right);
      if (!value && unneeded_ == 0) return value;
      left = value ? std::move(*value) : Operand(0.0);
      const auto* text = std::get_if<std::string>(&left);
      if (text != nullptr && text->size() > kLongest)
        return fail(ErrorKind::invalid, fmt::format("a text of more than {} bytes", kLongest));
    }
    return left;
  }

  Result<Operand> is_in(const Operand& left) {
    if (!at("(")) return fail(ErrorKind::invalid, "a list in brackets is missing behind 'in'");
    bool found = false;
    do {
      KIST_TRY(advance());
      KIST_TRY_ASSIGN(Operand item, choice());
      found = found || item == left;
    } while (at(","));
    if (!at(")")) return fail(ErrorKind::invalid, "a bracket is not closed");
    KIST_TRY(advance());
    return found;
  }

  Result<Operand> unary() {
    if (++depth_ > kMostBrackets) return too_deep();
    auto value = primary();
    --depth_;
    return value;
  }

  Result<Operand> primary() {
    if (token_.kind == Token::Kind::value) {
      Operand value = std::move(token_.value);
      KIST_TRY(advance());
      return value;
    }
    if (at("!")) {
      KIST_TRY(advance());
      KIST_TRY_ASSIGN(Operand value, unary());
      KIST_TRY_ASSIGN(bool truth, this->truth(value, "!"));
      return !truth;
    }
    if (at("-")) {
      KIST_TRY(advance());
      KIST_TRY_ASSIGN(Operand value, unary());
      if (const auto* number = std::get_if<double>(&value)) return -*number;
      if (unneeded_ > 0) return 0.0;
      return fail(ErrorKind::invalid, fmt::format("'{}' is not a number", shown(value)));
    }
    if (at("~")) {
      KIST_TRY(advance());
      KIST_TRY_ASSIGN(Operand value, unary());
      if (const auto* number = std::get_if<double>(&value)) return static_cast<double>(~whole(*number));
      if (unneeded_ > 0) return 0.0;
      return fail(ErrorKind::invalid, fmt::format("'{}' is not a number", shown(value)));
    }
    if (at("(")) {
      KIST_TRY(advance());
      KIST_TRY_ASSIGN(Operand value, choice());
      if (!at(")")) return fail(ErrorKind::invalid, "a bracket is not closed");
      KIST_TRY(advance());
      return value;
    }
    if (token_.kind == Token::Kind::end) return fail(ErrorKind::invalid, "something is missing at the end");
    return fail(ErrorKind::invalid, fmt::format("'{}' was not expected", token_text()));
  }

  Lexer lexer_;
  Token token_;
  int depth_ = 0;
  int unneeded_ = 0;  // above 0: inside a side that does not matter
};

}  // namespace

Result<bool> evaluate_condition(std::string_view text) {
  auto result = ConditionParser(text).parse();
  if (result) return result;
  return fail(ErrorKind::invalid,
              fmt::format("Invalid 'when' expression '{}': {} (hint: try wrapping the affected expression in quotes "
                          "(\"))",
                          text, result.error().text));
}

}  // namespace kist::expression
