// Any text is an address or an error; what an address says of itself is one again, and shows neither user nor query.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "location/address.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kist::location;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const auto middle = all.find('\n');
  const std::string_view text = all.substr(0, middle);
  const std::string_view reference = middle == std::string_view::npos ? std::string_view() : all.substr(middle + 1);
  auto address = parse_web_address(text);
  if (!address) return 0;
  auto again = parse_web_address(address->url());
  if (!again || again->url() != address->url()) __builtin_trap();
  if (address->shown().contains('?') ||
      address->shown().substr(8).contains('@') != address->rest.substr(0, address->rest.find('?')).contains('@'))
    __builtin_trap();
  (void)follow_reference(*address, reference);
  (void)mapped({{"*.example.com", "http://127.0.0.1:1/"}, {std::string(reference), "x"}}, address->authority);
  return 0;
}
