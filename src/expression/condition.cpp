// A recursive descent over tokens; precedence from loose to tight: ||, &&, comparisons (left to right), `!` and `-`.
// The right side of && and || is read but its value does not matter where the left side decides, so that
// `x == done || count > 3` holds whatever `count` became.
//
// Text comes from files and from the output of tasks, so it may be anything: nesting and patterns are limited.
#include "expression/condition.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <regex>
#include <string>
#include <variant>

#include <fmt/format.h>

namespace kist::expression {
namespace {

constexpr int kDeepest = 200;
constexpr std::size_t kLongestPattern = 1000;

using Value = std::variant<bool, double, std::string>;

std::string to_text(const Value& value) {
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  if (const auto* number = std::get_if<double>(&value)) return fmt::format("{}", *number);
  return std::get<std::string>(value);
}

struct Token {
  enum class Kind { end, value, symbol };
  Kind kind = Kind::end;
  Value value;              // a value
  std::string_view symbol;  // an operator, a bracket, a comma, "in"
};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
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
    if (is_digit(c) || (c == '.' && rest_.size() > 1 && is_digit(rest_[1]))) return number();
    if (is_letter(c)) return word();
    for (std::string_view symbol : {"==", "!=", ">=", "<=", "=~", "!~", "&&", "||", ">", "<", "!", "-", "(", ")", ","})
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
        return Token{Token::Kind::value, std::move(text), {}};
      }
      if (rest_[at] == '\\' && at + 1 < rest_.size()) ++at;
      text += rest_[at];
    }
    return fail(ErrorKind::invalid, "a quote is not closed");
  }

  Result<Token> number() {
    double value = 0;
    const char* end = rest_.data() + rest_.size();
    std::from_chars_result read{};
    if (rest_.starts_with("0x") || rest_.starts_with("0X")) {
      std::uint64_t integer = 0;
      read = std::from_chars(rest_.data() + 2, end, integer, 16);
      value = static_cast<double>(integer);
    } else {
      read = std::from_chars(rest_.data(), end, value);
    }
    if (read.ec != std::errc() || (read.ptr != end && (is_letter(*read.ptr) || *read.ptr == '.')))
      return fail(ErrorKind::invalid,
                  fmt::format("'{}' is not a number", rest_.substr(0, rest_.find_first_of(" \t\r\n()!=<>&|,"))));
    rest_.remove_prefix(static_cast<std::size_t>(read.ptr - rest_.data()));
    return Token{Token::Kind::value, value, {}};
  }

  Result<Token> word() {
    std::size_t size = 1;
    while (size < rest_.size() && (is_letter(rest_[size]) || is_digit(rest_[size]) || rest_[size] == '.')) ++size;
    std::string_view word = rest_.substr(0, size);
    rest_.remove_prefix(size);
    if (word == "in" || word == "IN") return Token{Token::Kind::symbol, {}, "in"};
    if (word == "true" || word == "false") return Token{Token::Kind::value, word == "true", {}};
    return Token{Token::Kind::value, std::string(word), {}};
  }

  std::string_view rest_;
};

Result<bool> matches(const std::string& text, std::string_view pattern) {
  if (pattern.size() > kLongestPattern)
    return fail(ErrorKind::invalid, fmt::format("a pattern has more than {} characters", kLongestPattern));
  // libstdc++'s automaton that never goes back: time and stack do not depend on what the text is.
  auto flags = std::regex::ECMAScript | std::regex::nosubs | std::regex_constants::__polynomial;
  constexpr std::string_view kAnyCase = "(?i)";
  std::string_view rest = pattern;
  if (rest.starts_with(kAnyCase)) {
    rest.remove_prefix(kAnyCase.size());
    flags |= std::regex::icase;
  }
  try {
    return std::regex_search(text, std::regex(rest.begin(), rest.end(), flags));
  } catch (const std::regex_error& error) {
    return fail(ErrorKind::invalid, fmt::format("'{}' is not a pattern: {}", pattern, error.what()));
  }
}

bool is_comparison(std::string_view symbol) {
  constexpr auto kComparisons = std::to_array<std::string_view>({"==", "!=", ">", "<", ">=", "<=", "=~", "!~"});
  return std::ranges::find(kComparisons, symbol) != kComparisons.end();
}

Result<bool> compare(std::string_view symbol, const Value& left, const Value& right) {
  if (symbol == "==") return left == right;
  if (symbol == "!=") return left != right;
  if (symbol == "=~" || symbol == "!~") {
    const auto* text = std::get_if<std::string>(&left);
    const auto* pattern = std::get_if<std::string>(&right);
    if (text == nullptr || pattern == nullptr)
      return fail(ErrorKind::invalid, fmt::format("'{}' needs a text on both sides, not '{}' and '{}'", symbol,
                                                  to_text(left), to_text(right)));
    KIST_TRY_ASSIGN(bool match, matches(*text, *pattern));
    return match == (symbol == "=~");
  }
  if (left.index() != right.index() || std::holds_alternative<bool>(left))
    return fail(ErrorKind::invalid,
                fmt::format("'{}' and '{}' cannot be compared with '{}'", to_text(left), to_text(right), symbol));
  if (symbol == ">") return left > right;
  if (symbol == "<") return left < right;
  if (symbol == ">=") return left >= right;
  return left <= right;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) {}

  Result<bool> parse() {
    KIST_TRY(advance());
    KIST_TRY_ASSIGN(Value value, any());
    if (token_.kind != Token::Kind::end)
      return fail(ErrorKind::invalid, fmt::format("'{}' was not expected", token_text()));
    if (!std::holds_alternative<bool>(value))
      return fail(ErrorKind::invalid, fmt::format("'{}' is neither true nor false", to_text(value)));
    return std::get<bool>(value);
  }

 private:
  Status advance() {
    KIST_TRY_ASSIGN(token_, lexer_.next());
    return {};
  }
  bool at(std::string_view symbol) const { return token_.kind == Token::Kind::symbol && token_.symbol == symbol; }
  std::string token_text() const {
    return token_.kind == Token::Kind::value ? to_text(token_.value) : std::string(token_.symbol);
  }

  Result<bool> truth(const Value& value, std::string_view symbol) {
    if (const auto* truth = std::get_if<bool>(&value)) return *truth;
    if (unneeded_ > 0) return false;
    return fail(ErrorKind::invalid,
                fmt::format("'{}' is neither true nor false, which '{}' needs", to_text(value), symbol));
  }

  Result<Value> any() {
    return chain("||", [this] { return all(); });
  }
  Result<Value> all() {
    return chain("&&", [this] { return comparison(); });
  }

  // operand (symbol operand)*, where `||` is decided by true and `&&` by false.
  template <typename Operand>
  Result<Value> chain(std::string_view symbol, Operand operand) {
    bool deciding = symbol == "||";
    KIST_TRY_ASSIGN(Value value, operand());
    while (at(symbol)) {
      KIST_TRY_ASSIGN(bool left, truth(value, symbol));
      KIST_TRY(advance());
      bool decided = left == deciding;
      unneeded_ += decided ? 1 : 0;
      auto right = operand();
      if (!right) return right;
      auto right_truth = truth(*right, symbol);
      unneeded_ -= decided ? 1 : 0;
      if (!right_truth) return std::unexpected(right_truth.error());
      value = decided ? deciding : *right_truth;
    }
    return value;
  }

  Result<Value> comparison() {
    KIST_TRY_ASSIGN(Value left, unary());
    while (token_.kind == Token::Kind::symbol) {
      std::string_view symbol = token_.symbol;
      if (symbol == "in") {
        KIST_TRY(advance());
        KIST_TRY_ASSIGN(left, is_in(left));
        continue;
      }
      if (!is_comparison(symbol)) break;
      KIST_TRY(advance());
      KIST_TRY_ASSIGN(Value right, unary());
      auto holds = compare(symbol, left, right);
      if (!holds && unneeded_ == 0) return std::unexpected(holds.error());
      left = holds.value_or(false);
    }
    return left;
  }

  Result<Value> is_in(const Value& left) {
    if (!at("(")) return fail(ErrorKind::invalid, "a list in brackets is missing behind 'in'");
    bool found = false;
    do {
      KIST_TRY(advance());
      KIST_TRY_ASSIGN(Value item, unary());
      found = found || item == left;
    } while (at(","));
    if (!at(")")) return fail(ErrorKind::invalid, "a bracket is not closed");
    KIST_TRY(advance());
    return found;
  }

  Result<Value> unary() {
    if (++depth_ > kDeepest)
      return fail(ErrorKind::invalid, fmt::format("more than {} brackets inside each other", kDeepest));
    auto value = primary();
    --depth_;
    return value;
  }

  Result<Value> primary() {
    if (token_.kind == Token::Kind::value) {
      Value value = std::move(token_.value);
      KIST_TRY(advance());
      return value;
    }
    if (at("!")) {
      KIST_TRY(advance());
      KIST_TRY_ASSIGN(Value value, unary());
      KIST_TRY_ASSIGN(bool truth, this->truth(value, "!"));
      return !truth;
    }
    if (at("-")) {
      KIST_TRY(advance());
      KIST_TRY_ASSIGN(Value value, unary());
      if (const auto* number = std::get_if<double>(&value)) return -*number;
      return fail(ErrorKind::invalid, fmt::format("'{}' is not a number", to_text(value)));
    }
    if (at("(")) {
      KIST_TRY(advance());
      KIST_TRY_ASSIGN(Value value, any());
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
  auto result = Parser(text).parse();
  if (result) return result;
  return fail(ErrorKind::invalid,
              fmt::format("Invalid 'when' expression '{}': {} (hint: try wrapping the affected expression in quotes "
                          "(\"))",
                          text, result.error().text));
}

}  // namespace kist::expression
