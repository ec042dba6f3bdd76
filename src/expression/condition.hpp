// Conditions as Argo's `when` has them, evaluated after substitution: comparisons of numbers, strings and booleans.
// Grammar (Argo's `when`, which is govaluate's): == != > < >= <= =~ !~, `in (a, b)`, && || !, `a ? b : c`, + - * / %
// **, & | ^ ~ << >>, brackets. Bare words and [names in brackets] are texts; numbers compare as numbers, quoted dates
// as moments.
#pragma once

#include <string_view>

#include "base/result.hpp"

namespace kist::expression {

// Errors: invalid, with the text and a hint to quote ("Invalid 'when' expression '…': …").
Result<bool> evaluate_condition(std::string_view text);

}  // namespace kist::expression
