#include "location/crypto.hpp"

#include <array>
#include <memory>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

namespace kist::location {
namespace {

std::string text_of(const unsigned char* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> value{};
  unsigned size = 0;
  ::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(text), text.size(), value.data(), &size);
  return text_of(value.data(), size);
}

Result<std::string> sign_rs256(const std::string& pem, std::string_view text) {
  auto failed = [] { return fail(ErrorKind::invalid, "that is no private key in PEM that can sign"); };
  const std::unique_ptr<BIO, int (*)(BIO*)> source(::BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                   &::BIO_free);
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
      ::PEM_read_bio_PrivateKey(
          source.get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr),
      &::EVP_PKEY_free);
  if (!key || ::EVP_PKEY_base_id(key.get()) != EVP_PKEY_RSA) return failed();
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> signing(::EVP_MD_CTX_new(), &::EVP_MD_CTX_free);
  std::size_t size = 0;
  if (::EVP_DigestSignInit(signing.get(), nullptr, ::EVP_sha256(), nullptr, key.get()) != 1 ||
      ::EVP_DigestSign(signing.get(), nullptr, &size, bytes_of(text), text.size()) != 1)
    return failed();
  std::string value(size, '\0');
  if (::EVP_DigestSign(signing.get(), reinterpret_cast<unsigned char*>(value.data()), &size, bytes_of(text),
                       text.size()) != 1)
    return failed();
  value.resize(size);
  return value;
}

}  // namespace kist::location
