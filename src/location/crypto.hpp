// Digests and signatures that servers ask for. Nothing of kist's own is named or trusted by them.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace kist::location {

// One MD5 in progress.
class Md5 {
 public:
  Md5();
  ~Md5();
  Md5(Md5&&) = delete;
  void update(std::span<const std::byte> bytes);
  // 16 bytes.
  std::string finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string to_hex(std::string_view bytes);

std::string hmac_sha256(std::string_view key, std::string_view text);
// RSASSA-PKCS1-v1_5 with SHA-256, by a private key in PEM. Errors: invalid (no such key).
Result<std::string> sign_rs256(const std::string& pem, std::string_view text);

}  // namespace kist::location
