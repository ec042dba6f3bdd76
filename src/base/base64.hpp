// Bytes as text (RFC 4648).
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace kist {

// With padding, in one line.
std::string to_base64(std::string_view bytes);

// Without padding, with '-' and '_' (section 5).
std::string to_base64_url(std::string_view bytes);

// The bytes of a text with padding; line breaks anywhere in it, and blanks around it, are left out. Errors: invalid.
Result<std::string> from_base64(std::string_view text);

}  // namespace kist
