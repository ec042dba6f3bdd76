#include "location/address.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fnmatch.h>

#include "base/utf8.hpp"
#include "net/url.hpp"

namespace kist::location {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  return result;
}

std::string host_of(std::string_view authority) {
  if (authority.starts_with('[')) return std::string(authority.substr(1, authority.find(']') - 1));
  return std::string(authority.substr(0, authority.find(':')));
}

}  // namespace

std::string WebAddress::host() const {
  return host_of(authority);
}

std::string WebAddress::shown() const {
  return origin() + rest.substr(0, rest.find('?'));
}

Result<WebAddress> parse_web_address(std::string_view text) {
  WebAddress address;
  const auto colon = text.find("://");
  if (colon != std::string_view::npos) address.scheme = lower(text.substr(0, colon));
  // Neither a user nor a query is repeated: they may be secrets.
  if (address.scheme != "http" && address.scheme != "https") {
    std::string_view shown = text.substr(0, text.find('?'));
    const auto at = shown.rfind('@');
    if (at != std::string_view::npos) shown.remove_prefix(at + 1);
    return fail(ErrorKind::invalid,
                fmt::format("'{}' is no web address: expected http://… or https://…", printable(shown)));
  }
  std::string_view rest = text.substr(colon + 3);
  rest = rest.substr(0, rest.find('#'));
  const auto end = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, end);
  rest.remove_prefix(end);
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view user = authority.substr(0, at);
    const auto separator = user.find(':');
    address.has_user = true;
    auto name = net::percent_decode(user.substr(0, separator));
    auto password = net::percent_decode(separator == std::string_view::npos ? "" : user.substr(separator + 1));
    authority.remove_prefix(at + 1);
    if (!name || !password)
      return fail(ErrorKind::invalid,
                  fmt::format("the user before {} has a % that two hexadecimal digits do not follow: write it as %25",
                              printable(authority)));
    address.user = std::move(*name);
    address.password = std::move(*password);
  }
  address.authority = lower(authority);
  KIST_TRY(net::parse_url(address.origin()));
  if (rest.starts_with('?')) address.rest = "/";
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (const char c : rest) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte == 0x7f)
      return fail(ErrorKind::invalid, fmt::format("{} has a control character", address.origin()));
    if (c == ' ' || byte > 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '^' || c == '`' || c == '{' ||
        c == '|' || c == '}')
      address.rest += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    else
      address.rest += c;
  }
  return address;
}

Result<WebAddress> follow_reference(const WebAddress& base, std::string_view reference) {
  if (reference.contains("://") && reference.find("://") < reference.find_first_of("/?"))
    return parse_web_address(reference);
  if (reference.starts_with("//")) return parse_web_address(fmt::format("{}:{}", base.scheme, reference));
  if (reference.starts_with('/')) return parse_web_address(base.origin() + std::string(reference));
  std::string path = base.rest.substr(0, base.rest.find('?'));
  if (!reference.starts_with('?')) path = path.substr(0, path.rfind('/') + 1);
  if (path.empty()) path = "/";
  return parse_web_address(base.origin() + path + std::string(reference));
}

std::optional<std::string> mapped(const Endpoints& endpoints, std::string_view authority) {
  const std::string whole = lower(authority);
  const std::string host = host_of(whole);
  const std::pair<const std::string, std::string>* best = nullptr;
  for (const auto& each : endpoints) {
    const std::string pattern = lower(each.first);
    if (::fnmatch(pattern.c_str(), whole.c_str(), 0) != 0 && ::fnmatch(pattern.c_str(), host.c_str(), 0) != 0) continue;
    if (best == nullptr || each.first.size() > best->first.size()) best = &each;
  }
  if (best == nullptr) return std::nullopt;
  std::string target = best->second;
  while (target.ends_with('/')) target.pop_back();
  return target;
}

Result<WebAddress> apply(const Endpoints& endpoints, WebAddress address) {
  const auto target = mapped(endpoints, address.authority);
  if (!target) return address;
  auto instead = parse_web_address(*target);
  if (!instead)
    return with_context(fmt::format("the endpoint that {} is mapped to", address.authority),
                        std::move(instead).error());
  address.scheme = instead->scheme;
  address.authority = instead->authority;
  address.rest = instead->rest + address.rest;
  return address;
}

}  // namespace kist::location
