// Addresses on the web, as far as kist takes them apart and puts them together.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace kist::net {

struct Url {
  std::string scheme;  // "http" or "https"
  std::string host;    // without the brackets of an IPv6 address
  int port = 0;        // the scheme's own where none was given
  std::string path;    // from its '/' on, without one at the end; may be empty. Query and fragment are refused

  bool tls() const { return scheme == "https"; }
  // As in the header Host: without the scheme's own port.
  std::string authority() const;
  std::string origin() const { return scheme + "://" + authority(); }
};

// Errors: invalid.
Result<Url> parse_url(std::string_view text);

// localhost and what ends with it, 127.0.0.0/8, ::1.
bool is_loopback(std::string_view host);

// RFC 3986: all but letters, digits and "-._~" becomes %XX; with `keep_slashes`, '/' stays.
std::string percent_encode(std::string_view text, bool keep_slashes = false);
// Errors: invalid (a '%' without two hexadecimal digits).
Result<std::string> percent_decode(std::string_view text);

// Names and values as they are meant; encoded where they are sent.
using Query = std::vector<std::pair<std::string, std::string>>;
// "a=1&b=%20", in the order given; a name without value keeps its '='.
std::string to_text(const Query& query);
// Errors: invalid.
Result<Query> parse_query(std::string_view text);

}  // namespace kist::net
