// The words of an expression.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace kist::expression::syntax {

struct Token {
  enum class Kind { end, name, number, text, symbol };  // operators written as words are symbols
  Kind kind = Kind::end;
  std::string value;      // of a text, what it means
  std::size_t begin = 0;  // place in the source
  std::size_t end = 0;

  bool is(std::string_view symbol) const { return kind == Kind::symbol && value == symbol; }
};

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}
  // The next word; `end` for ever once there is none. Errors: invalid, "column N: …".
  Result<Token> next();

 private:
  Status skip();
  Result<Token> quoted();
  Result<Token> raw();
  Result<Token> number();
  Token word();
  Status escape(char quote, std::string& text);
  std::unexpected<Error> error(std::size_t at, std::string_view what) const;

  std::string_view source_;
  std::size_t at_ = 0;
};

// Whether a name may hold the character at the front of `text`; its length in bytes, 0 if not.
std::size_t name_character(std::string_view text);

}  // namespace kist::expression::syntax
