// Addresses as files write them, and where they lead.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "location/location.hpp"

namespace kist::location {

// An address that may hold what net::Url refuses: a user, a query.
struct WebAddress {
  std::string scheme;
  std::string user;  // decoded
  std::string password;
  bool has_user = false;
  std::string authority;  // host[:port]
  std::string rest;       // path and query, as they are sent; begins with '/', or is empty. The fragment is dropped

  std::string host() const;  // without the port and an IPv6 address's brackets
  std::string origin() const { return scheme + "://" + authority; }
  std::string url() const { return origin() + (rest.empty() ? "/" : rest); }
  // For messages: without user and query, which may hold secrets.
  std::string shown() const;
};

// What cannot be in a request as it is (spaces, other than ASCII) is encoded. Errors: invalid (it has no host, control
// characters, another scheme than http and https).
Result<WebAddress> parse_web_address(std::string_view text);

// Where a redirect leads. Errors: invalid.
Result<WebAddress> follow_reference(const WebAddress& base, std::string_view reference);

// What `endpoints` says of host[:port]: the address to ask instead, without a slash at its end. The longest that fits.
std::optional<std::string> mapped(const Endpoints& endpoints, std::string_view authority);

// Applies the mapping; the path of what it is mapped to goes before its own. Errors: invalid (the mapping's address).
Result<WebAddress> apply(const Endpoints& endpoints, WebAddress address);

}  // namespace kist::location
