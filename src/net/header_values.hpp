// What stands in the headers of HTTP.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kist::net {

// Without the blanks and line ends around it.
std::string_view trimmed(std::string_view text);
// The digits a text begins with; 0 where there are none.
std::uint64_t number(std::string_view text);
// An entity tag without its quotes, where it has them.
std::string unquoted(std::string_view etag);

}  // namespace kist::net
