// Any text is an element or an error with a line; what was read can be written and read again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/xml.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto root = kist::net::parse_xml(text);
  if (!root) {
    if (!root.error().text.starts_with("line ")) __builtin_trap();
    return 0;
  }
  auto again = kist::net::parse_xml("<a>" + kist::net::xml_escape(root->text_of("Key")) + "</a>");
  if (again && again->text != root->text_of("Key")) __builtin_trap();
  return 0;
}
