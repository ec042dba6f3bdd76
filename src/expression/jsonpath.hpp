// JSONPath: what Argo's jsonpath() has.
#pragma once

#include <string_view>

#include "expression/value.hpp"

namespace kist::expression {

// `$.a.b`, `$['a']`, `$[0]`, `$[-1]`, `$[0:2]`, `$[0:6:2]`, `$.*`, `$..name`, `$['a','b']`, `$[0,2]`,
// `$[?(@.age > 42 && @.name == "x")]`, `$[(@.length-1)]`. A path that can meet only one value gives it, any other an
// array. Errors: invalid: a path that cannot be read, a key or an index that is not there.
Result<Value> jsonpath(const Value& root, std::string_view path, Work& work);

}  // namespace kist::expression
