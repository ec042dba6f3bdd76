// What a file is, by its name: for servers that show it to a browser.
#pragma once

#include <string_view>

namespace kist::location {

// By the ending of the last part of a path or address: "application/json"; "application/octet-stream" where the ending
// says nothing.
std::string_view content_type_of(std::string_view path);

}  // namespace kist::location
