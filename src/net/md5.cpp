#include "net/md5.hpp"

#include <array>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "base/base64.hpp"

namespace kist::net {

struct Md5::Context {
  EVP_MD_CTX* digest = ::EVP_MD_CTX_new();
  ~Context() { ::EVP_MD_CTX_free(digest); }
};

Md5::Md5() : context_(std::make_unique<Context>()) {
  ::EVP_DigestInit_ex(context_->digest, ::EVP_md5(), nullptr);
}
Md5::~Md5() = default;

void Md5::update(std::span<const std::byte> bytes) {
  ::EVP_DigestUpdate(context_->digest, bytes.data(), bytes.size());
}

std::string Md5::finish() {
  std::array<unsigned char, 16> value{};
  ::EVP_DigestFinal_ex(context_->digest, value.data(), nullptr);
  return {reinterpret_cast<const char*>(value.data()), value.size()};
}

std::string Md5::hex() {
  std::string text;
  for (const char byte : finish()) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

std::string Md5::base64() {
  return to_base64(finish());
}

Result<std::string> md5_hex(const Body& body) {
  Md5 md5;
  KIST_TRY(read_body(body, [&](std::span<const std::byte> bytes) { md5.update(bytes); }));
  return md5.hex();
}

Result<std::string> md5_base64(const Body& body) {
  Md5 md5;
  KIST_TRY(read_body(body, [&](std::span<const std::byte> bytes) { md5.update(bytes); }));
  return md5.base64();
}

std::string md5_base64(std::string_view text) {
  Md5 md5;
  md5.update(std::as_bytes(std::span(text)));
  return md5.base64();
}

}  // namespace kist::net
