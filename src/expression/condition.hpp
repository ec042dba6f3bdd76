// Conditions as Argo's `when` has them, evaluated after substitution: comparisons of numbers, strings and booleans.
// Grammar (argo-workflows, `when`): == != > < >= <= && || ! =~ !~ ( ), `in (a, b)`; bare words are strings; two numbers
// compare as numbers.
#pragma once

#include <string_view>

#include "base/result.hpp"

namespace kist::expression {

// Errors: invalid, with the text and a hint to quote ("Invalid 'when' expression '…': …").
Result<bool> evaluate_condition(std::string_view text);

}  // namespace kist::expression
