// Bytes as text.
#pragma once

#include <string>
#include <string_view>

namespace kist {

// RFC 4648, with padding, in one line.
std::string to_base64(std::string_view bytes);

}  // namespace kist
