// The operators of expressions on values that are there already.
#pragma once

#include "expression/syntax.hpp"
#include "expression/value.hpp"

namespace kist::expression {

// All but those that need not read their right side (and, or, ??). Errors: invalid, naming the types that do not go
// together.
Result<Value> operate(syntax::Operator op, const Value& left, const Value& right, Work& work);

Result<Value> negate(const Value& value);

// base[from:to]; nil stands for the front or the end. Errors: invalid.
Result<Value> slice(const Value& base, const Value& from, const Value& to, Work& work);

}  // namespace kist::expression
