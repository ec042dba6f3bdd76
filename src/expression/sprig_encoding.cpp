// Sprig's encodings and digests.
#include <algorithm>
#include <array>
#include <memory>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "base/base64.hpp"
#include "expression/functions.hpp"

namespace kist::expression {
namespace {

Result<Value> base64_encode(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  return call.work.make(to_base64(text));
}
// What is not encoded gives the error's text, as Sprig has it.
Result<Value> base64_decode(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  auto bytes = from_base64(text);
  return call.work.make(bytes ? *bytes : "illegal base64 data: " + text);
}

constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

Result<Value> base32_encode(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  std::string encoded;
  std::uint32_t bits = 0;
  int held = 0;
  for (char c : text) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    held += 8;
    for (; held >= 5; held -= 5) encoded += kBase32[bits >> (held - 5) & 31];
  }
  if (held > 0) encoded += kBase32[bits << (5 - held) & 31];
  while (encoded.size() % 8 != 0) encoded += '=';
  return call.work.make(std::move(encoded));
}

Result<Value> base32_decode(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  std::string bytes;
  std::uint32_t bits = 0;
  int held = 0;
  std::size_t end = std::min(text.find('='), text.size());
  bool good = text.size() % 8 == 0 && text.find_first_not_of('=', end) == std::string::npos;
  for (char c : text.substr(0, end)) {
    std::size_t digit = kBase32.find(c);
    good = good && digit != std::string_view::npos;
    if (!good) break;
    bits = bits << 5 | static_cast<std::uint32_t>(digit);
    held += 5;
    if (held >= 8) {
      held -= 8;
      bytes += static_cast<char>(bits >> held & 0xFF);
    }
  }
  return call.work.make(good ? bytes : "illegal base32 data: " + text);
}

Result<std::string> digest(std::string_view text, const char* algorithm) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> value{};
  unsigned int size = 0;
  std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> method(EVP_MD_fetch(nullptr, algorithm, nullptr), EVP_MD_free);
  if (method == nullptr || EVP_Digest(text.data(), text.size(), value.data(), &size, method.get(), nullptr) != 1)
    return fail(ErrorKind::unsupported, fmt::format("this system's OpenSSL does not have {}", algorithm));
  std::string hexadecimal;
  for (unsigned int i = 0; i < size; ++i) hexadecimal += fmt::format("{:02x}", value[i]);
  return hexadecimal;
}
Result<Value> digest_of(const Call& call, const char* algorithm) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  KIST_TRY_ASSIGN(std::string value, digest(text, algorithm));
  return call.work.make(std::move(value));
}
Result<Value> sha1(const Call& call) {
  return digest_of(call, "SHA1");
}
Result<Value> sha256_text(const Call& call) {
  return digest_of(call, "SHA256");
}
Result<Value> sha512(const Call& call) {
  return digest_of(call, "SHA512");
}
Result<Value> md5(const Call& call) {
  return digest_of(call, "MD5");
}

Result<Value> adler32(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  constexpr std::uint32_t kPrime = 65'521;
  std::uint32_t a = 1;
  std::uint32_t b = 0;
  for (char c : text) {
    a = (a + static_cast<unsigned char>(c)) % kPrime;
    b = (b + a) % kPrime;
  }
  return call.work.make(fmt::format("{}", b << 16 | a));
}

// AES-256 in CBC mode: the key is the password, cut or filled with zeros to 32 bytes, and the first block of what is
// encrypted is chosen at random.
constexpr std::size_t kBlock = 16;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

Result<std::string> aes(std::string password, std::string_view start, std::string_view text, bool encrypt) {
  password.resize(32, '\0');
  auto bytes = [](std::string_view view) { return reinterpret_cast<const unsigned char*>(view.data()); };
  CipherContext context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  std::string result(text.size() + kBlock, '\0');
  auto* out = reinterpret_cast<unsigned char*>(result.data());
  int first = 0;
  int last = 0;
  bool good = context != nullptr &&
              EVP_CipherInit_ex2(context.get(), EVP_aes_256_cbc(), bytes(password), bytes(start), encrypt ? 1 : 0,
                                 nullptr) == 1 &&
              EVP_CipherUpdate(context.get(), out, &first, bytes(text), static_cast<int>(text.size())) == 1 &&
              EVP_CipherFinal_ex(context.get(), out + first, &last) == 1;
  if (!good) return fail(ErrorKind::invalid, encrypt ? "it cannot be encrypted" : "it cannot be decrypted");
  result.resize(static_cast<std::size_t>(first) + static_cast<std::size_t>(last));
  return result;
}

Result<Value> encrypt_aes(const Call& call) {
  KIST_TRY_ASSIGN(std::string password, call.text(0));
  KIST_TRY_ASSIGN(std::string text, call.text(1));
  KIST_TRY_ASSIGN(std::string start, call.work.random(kBlock));
  KIST_TRY_ASSIGN(std::string encrypted, aes(std::move(password), start, text, true));
  return call.work.make(to_base64(start + encrypted));
}
Result<Value> decrypt_aes(const Call& call) {
  KIST_TRY_ASSIGN(std::string password, call.text(0));
  KIST_TRY_ASSIGN(std::string encoded, call.text(1));
  KIST_TRY_ASSIGN(std::string bytes, from_base64(encoded));
  if (bytes.size() < 2 * kBlock) return fail(ErrorKind::invalid, "it is too short to be encrypted");
  std::string_view all = bytes;
  KIST_TRY_ASSIGN(std::string text, aes(std::move(password), all.substr(0, kBlock), all.substr(kBlock), false));
  return call.work.make(std::move(text));
}

constexpr Function kFunctions[] = {
    {"sprig.b64enc", 1, 1, base64_encode},   {"sprig.b64dec", 1, 1, base64_decode},
    {"sprig.b32enc", 1, 1, base32_encode},   {"sprig.b32dec", 1, 1, base32_decode},
    {"sprig.sha1sum", 1, 1, sha1},           {"sprig.sha256sum", 1, 1, sha256_text},
    {"sprig.sha512sum", 1, 1, sha512},       {"sprig.md5sum", 1, 1, md5},
    {"sprig.adler32sum", 1, 1, adler32},     {"sprig.encryptAES", 2, 2, encrypt_aes},
    {"sprig.decryptAES", 2, 2, decrypt_aes},
};

}  // namespace

std::span<const Function> sprig_encoding_functions() {
  return kFunctions;
}

}  // namespace kist::expression
