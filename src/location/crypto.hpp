// Signatures that servers ask for.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace kist::location {

std::string hmac_sha256(std::string_view key, std::string_view text);
// RSASSA-PKCS1-v1_5 with SHA-256, by a private key in PEM. Errors: invalid (no such key).
Result<std::string> sign_rs256(const std::string& pem, std::string_view text);

}  // namespace kist::location
