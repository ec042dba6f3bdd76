// The functions that evaluate an expression once an element: all, filter, sortBy, reduce …
#pragma once

#include <functional>
#include <string_view>

#include "expression/value.hpp"

namespace kist::expression {

// The predicate's value for the element at `index`, or that element where no predicate is written.
using PredicateOf = std::function<Result<Value>(std::size_t index, const Value& accumulator)>;

// `third`: the initial value of reduce, the order of sortBy, nullptr where it is not written. `name` is one that
// syntax::takes_predicate() knows. Errors: the predicate's; invalid for a value of the wrong type.
Result<Value> call_with_predicate(std::string_view name, const List& list, const PredicateOf& of, const Value* third,
                                  Work& work);

// Sorted, stably, by `keys` (one an element). Errors: invalid for keys that have no order.
Result<List> sort_by(const List& list, const List& keys, bool descending);
// "asc" or "desc". Errors: invalid.
Result<bool> is_descending(const Value& order);

}  // namespace kist::expression
