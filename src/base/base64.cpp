#include "base/base64.hpp"

#include <climits>

#include <openssl/evp.h>

namespace kist {

std::string to_base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // and the NUL that OpenSSL writes
  int length = ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                 reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

std::string to_base64_url(std::string_view bytes) {
  std::string text = to_base64(bytes);
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

Result<std::string> from_base64(std::string_view text) {
  std::string one_line(text);
  std::erase_if(one_line, [](char c) { return c == '\n' || c == '\r'; });
  one_line.erase(one_line.find_last_not_of(' ') + 1);
  one_line.erase(0, one_line.find_first_not_of(' '));

  auto wrong = [] { return fail(ErrorKind::invalid, "it is not base64"); };
  if (one_line.size() % 4 != 0 || one_line.size() > INT_MAX) return wrong();
  const std::size_t digits = one_line.find_last_not_of('=') + 1;
  const std::size_t padding = one_line.size() - digits;
  // OpenSSL would leave out the blanks within, and take '=' for a digit.
  if (padding > 2 || one_line.substr(0, digits).find_first_of("= \t") != std::string::npos) return wrong();
  std::string bytes(one_line.size() / 4 * 3, '\0');
  const int length =
      ::EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                        reinterpret_cast<const unsigned char*>(one_line.data()), static_cast<int>(one_line.size()));
  if (length < 0) return wrong();
  bytes.resize(static_cast<std::size_t>(length) - padding);  // OpenSSL counts the padding as zero bytes
  return bytes;
}

}  // namespace kist
