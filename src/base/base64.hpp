// Bytes as text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kist {

// RFC 4648, with padding, in one line.
std::string to_base64(std::string_view bytes);

// The bytes of a text in one line, with padding; nullopt where it is none.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace kist
