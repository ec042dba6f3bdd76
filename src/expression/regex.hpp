// Regular expressions as Go has them (RE2's syntax): time and memory do not depend on what the text is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace re2 {
class RE2;
}

namespace kist::expression {

class Regex {
 public:
  // Errors: invalid, naming the pattern and what is wrong with it.
  static Result<Regex> compile(std::string_view pattern);

  // Whether some part of the text matches.
  bool matches(std::string_view text) const;
  // The places [begin, end) of matches that do not overlap, at most `most` (negative: all).
  std::vector<std::pair<std::size_t, std::size_t>> find(std::string_view text, std::int64_t most) const;
  // Every match replaced; in `to`, `$1` and `${name}` are what a group matched, `$$` is a dollar sign, unless literal.
  // Errors: invalid for a result longer than `longest`.
  Result<std::string> replace(std::string_view text, std::string_view to, bool literal, std::size_t longest) const;

  // The text with everything that has a meaning in patterns escaped.
  static std::string quote(std::string_view text);

 private:
  std::shared_ptr<const re2::RE2> pattern_;
};

}  // namespace kist::expression
