#include "base/digest.hpp"

#include <fmt/format.h>
#include <openssl/sha.h>

namespace kist {
namespace {

constexpr std::string_view kPrefix = "sha256:";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string Digest::hex() const {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(value.size() * 2);
  for (std::byte byte : value) {
    text += digits[std::to_integer<unsigned>(byte) >> 4];
    text += digits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

std::string Digest::to_string() const {
  return std::string(kPrefix) + hex();
}

Result<Digest> Digest::parse(std::string_view text) {
  std::string_view digits = text.starts_with(kPrefix) ? text.substr(kPrefix.size()) : text;
  Digest digest;
  if (digits.size() != digest.value.size() * 2)
    return fail(ErrorKind::invalid, fmt::format("'{}' is not a digest: expected 64 hexadecimal digits", text));
  for (std::size_t i = 0; i < digest.value.size(); ++i) {
    int high = hex_value(digits[2 * i]);
    int low = hex_value(digits[2 * i + 1]);
    if (high < 0 || low < 0)
      return fail(ErrorKind::invalid,
                  fmt::format("'{}' is not a digest: expected lower-case hexadecimal digits", text));
    digest.value[i] = static_cast<std::byte>(high * 16 + low);
  }
  return digest;
}

// OpenSSL's plain functions: the same code and processor instructions as EVP's, but the first digest does not read
// OpenSSL's configuration and set up its providers, which takes a millisecond of every command's start.
struct Sha256::Context {
  SHA256_CTX state;
  Context() { reset(); }
  void reset() { ::SHA256_Init(&state); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::byte> bytes) {
  ::SHA256_Update(&context_->state, bytes.data(), bytes.size());
}

Digest Sha256::finish() {
  Digest digest;
  ::SHA256_Final(reinterpret_cast<unsigned char*>(digest.value.data()), &context_->state);
  context_->reset();
  return digest;
}

Digest sha256(std::span<const std::byte> bytes) {
  thread_local Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

}  // namespace kist
