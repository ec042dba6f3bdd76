#include "net/url.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace kist::net {
namespace {

bool is_unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

int own_port(std::string_view scheme) {
  return scheme == "https" ? 443 : 80;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  return result;
}

}  // namespace

std::string Url::authority() const {
  std::string result = host.contains(':') ? "[" + host + "]" : host;
  if (port != own_port(scheme)) result += fmt::format(":{}", port);
  return result;
}

Result<Url> parse_url(std::string_view text) {
  auto wrong = [&](std::string_view why) {
    return fail(ErrorKind::invalid, fmt::format("'{}' is no address: {}", text, why));
  };
  Url url;
  const auto colon = text.find("://");
  const auto authority_at = colon == std::string_view::npos ? 0 : colon + 3;
  if (text.substr(authority_at, text.find('/', authority_at) - authority_at).contains('@'))
    return fail(ErrorKind::invalid, "an address with a user or password is not taken");
  if (colon == std::string_view::npos) return wrong("expected http://HOST[:PORT] or https://HOST[:PORT]");
  url.scheme = lower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https") return wrong("expected http:// or https://");
  std::string_view rest = text.substr(colon + 3);
  for (const char c : rest)
    if (c <= ' ' || c == '\\' || c == '"' || static_cast<unsigned char>(c) >= 0x7f) return wrong("a character in it");
  if (rest.find_first_of("?#") != std::string_view::npos) return wrong("it has a query or fragment");
  const auto slash = rest.find('/');
  if (slash != std::string_view::npos) {
    url.path = rest.substr(slash);
    while (url.path.ends_with('/')) url.path.pop_back();
  }
  std::string_view authority = rest.substr(0, slash);
  std::string_view port;
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    if (end == std::string_view::npos) return wrong("a ']' is missing");
    url.host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
    if (!port.empty() && !port.starts_with(':')) return wrong("expected a port after ']'");
  } else {
    const auto at = authority.find(':');
    url.host = lower(authority.substr(0, at));
    if (at != std::string_view::npos) port = authority.substr(at);
  }
  if (url.host.empty()) return wrong("it has no host");
  url.port = own_port(url.scheme);
  if (!port.empty()) {
    port.remove_prefix(1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (error != std::errc() || end != port.data() + port.size() || url.port < 1 || url.port > 65535)
      return wrong("its port is no number up to 65535");
  }
  return url;
}

bool is_loopback(std::string_view host) {
  const std::string name = lower(host);
  if (name == "localhost" || name.ends_with(".localhost") || name == "::1") return true;
  return name.starts_with("127.") && name.find_first_not_of("0123456789.") == std::string::npos;
}

std::string percent_encode(std::string_view text, bool keep_slashes) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c) || (c == '/' && keep_slashes)) {
      result += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      result += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return result;
}

Result<std::string> percent_decode(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? digit(text[i + 2]) : -1;
    if (high < 0 || low < 0)
      return fail(ErrorKind::invalid, fmt::format("'{}' has a % that two hexadecimal digits do not follow", text));
    result += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return result;
}

std::string to_text(const Query& query) {
  std::string result;
  for (const auto& [name, value] : query) {
    if (!result.empty()) result += '&';
    result += percent_encode(name) + '=' + percent_encode(value);
  }
  return result;
}

Result<Query> parse_query(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const auto end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    std::string spaced(pair);
    std::ranges::replace(spaced, '+', ' ');  // as forms write a space; a plus sign comes as %2B
    const std::string_view parts = spaced;
    KIST_TRY_ASSIGN(auto name, percent_decode(parts.substr(0, equals)));
    KIST_TRY_ASSIGN(auto value,
                    percent_decode(equals == std::string_view::npos ? std::string_view() : parts.substr(equals + 1)));
    query.emplace_back(std::move(name), std::move(value));
  }
  return query;
}

}  // namespace kist::net
