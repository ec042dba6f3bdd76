#include "base/digest.hpp"

#include <stdexcept>

#include <fmt/format.h>
#include <openssl/evp.h>

namespace kist {
namespace {

constexpr std::string_view kPrefix = "sha256:";

// Fetched once: EVP_sha256() would search its provider on each use.
const EVP_MD* fetched_sha256() {
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  if (algorithm == nullptr) throw std::runtime_error("this OpenSSL has no SHA-256");
  return algorithm;
}

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

struct Sha256::Context {
  EVP_MD_CTX* handle = EVP_MD_CTX_new();
  Context() { reset(); }
  ~Context() { EVP_MD_CTX_free(handle); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  void reset() const { EVP_DigestInit_ex2(handle, fetched_sha256(), nullptr); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::byte> bytes) {
  EVP_DigestUpdate(context_->handle, bytes.data(), bytes.size());
}

Digest Sha256::finish() {
  Digest digest;
  EVP_DigestFinal_ex(context_->handle, reinterpret_cast<unsigned char*>(digest.value.data()), nullptr);
  context_->reset();
  return digest;
}

Digest sha256(std::span<const std::byte> bytes) {
  thread_local Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

}  // namespace kist
