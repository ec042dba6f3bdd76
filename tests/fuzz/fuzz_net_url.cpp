// Addresses and queries, as a request may hold them: what is read and written again is the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/url.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto url = kist::net::parse_url(text)) {
    auto again = kist::net::parse_url(url->origin() + url->path);
    if (!again || again->host != url->host || again->port != url->port || again->path != url->path) __builtin_trap();
  }
  if (auto query = kist::net::parse_query(text)) {
    auto again = kist::net::parse_query(kist::net::to_text(*query));
    if (!again || *again != *query) __builtin_trap();
  }
  if (*kist::net::percent_decode(kist::net::percent_encode(text)) != text) __builtin_trap();
  return 0;
}
