// The items of a loop as Argo writes them, and the numbers of a sequence.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"

namespace kist::expression {

// What `{{item}}` gives: texts as they are, numbers as they were written, maps and lists as compact JSON.
std::string item_text(const Json& item);

// What the name of the item's node has between its brackets: maps as sorted "key:value,key:value", everything else
// its text; round brackets left out.
std::string item_name(const Json& item);

// An integer by a printf format as Go reads it: "%02d", "testuser%02X", "%+d", "%-4d|", "%x", "%o", "%b", "%c",
// "%v"; "%%" is a percent sign. Errors: invalid for a verb that takes no integer, and for more or less than one verb.
Result<std::string> print_integer(std::string_view format, std::int64_t number);

}  // namespace kist::expression
