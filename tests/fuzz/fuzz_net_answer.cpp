// Whatever a server's headers or the files of an AWS profile say, they are read or refused.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "net/aws_profile.hpp"
#include "net/header_values.hpp"
#include "net/http.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    kist::net::HttpAnswer answer;
    answer.headers = {{"date", text}, {"retry-after", text}};
    (void)answer.date();
    if (const auto wait = answer.retry_after(); wait && wait->count() < 0) __builtin_trap();
    if (kist::net::trimmed(text).size() > text.size()) __builtin_trap();
    (void)kist::net::number(text);
    (void)kist::net::unquoted(text);
    return 0;
  }
  static const auto scratch = kist::ScratchDirectory::make("/dev/shm", "kist-fuzz-").value();
  static const std::string file = (scratch.path() / "config").string();
  if (!kist::replace_file(file, text, 0600)) __builtin_trap();
  const auto found = kist::net::find_aws_profile(std::nullopt, [](const char* name) -> const char* {
    const std::string_view asked = name;
    return asked == "AWS_CONFIG_FILE" || asked == "AWS_SHARED_CREDENTIALS_FILE" ? file.c_str() : nullptr;
  });
  if (!found && found.error().text.empty()) __builtin_trap();
  return 0;
}
