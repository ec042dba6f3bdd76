// Whatever a Range asks for lies in the object.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "serve/objects.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::uint64_t length = 0;
  if (size < sizeof length) return 0;
  std::memcpy(&length, data, sizeof length);
  const std::string_view header(reinterpret_cast<const char*>(data) + sizeof length, size - sizeof length);
  const auto range = kist::serve::asked_range(header, length);
  if (range && (range->length > length || range->offset > length - range->length)) __builtin_trap();
  return 0;
}
