#include "net/sigv4.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/digest.hpp"

namespace kist::net {
namespace {

using Key = std::array<unsigned char, 32>;

Key hmac(std::string_view key, std::string_view text) {
  Key result{};
  unsigned int size = 0;
  ::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), result.data(), &size);
  return result;
}

Key hmac(const Key& key, std::string_view text) {
  return hmac(std::string_view(reinterpret_cast<const char*>(key.data()), key.size()), text);
}

// Spaces around a value do not count, nor does how many are in it.
std::string normal_value(std::string_view value) {
  std::string result;
  for (const char c : value) {
    if (c == ' ' && (result.empty() || result.back() == ' ')) continue;
    result += c;
  }
  if (result.ends_with(' ')) result.pop_back();
  return result;
}

HttpHeaders normal_headers(const HttpHeaders& headers) {
  HttpHeaders result;
  for (const auto& [name, value] : headers) {
    std::string lower = name;
    std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
    result.emplace_back(std::move(lower), normal_value(value));
  }
  std::ranges::sort(result);
  return result;
}

std::string signed_names(const HttpHeaders& headers) {
  std::string names;
  for (const auto& [name, value] : headers) names += (names.empty() ? "" : ";") + name;
  return names;
}

}  // namespace

std::string aws_time(Time time) {
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string canonical_request(const AwsRequest& request) {
  Query query;
  for (const auto& [name, value] : request.query) query.emplace_back(percent_encode(name), percent_encode(value));
  std::ranges::sort(query);  // by what is sent, not by what is meant
  std::string queried;
  for (const auto& [name, value] : query) queried += (queried.empty() ? "" : "&") + name + '=' + value;
  const HttpHeaders headers = normal_headers(request.headers);
  std::string text = fmt::format("{}\n{}\n{}\n", request.method, request.path, queried);
  for (const auto& [name, value] : headers) text += name + ':' + value + '\n';
  return text + fmt::format("\n{}\n{}", signed_names(headers), request.payload_hash);
}

std::string aws_authorization(const AwsRequest& request, const AwsCredentials& credentials, Time time,
                              std::string_view region, std::string_view service) {
  const std::string at = aws_time(time);
  const std::string day = at.substr(0, 8);
  const std::string scope = fmt::format("{}/{}/{}/aws4_request", day, region, service);
  const std::string text =
      fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", at, scope, sha256(canonical_request(request)).hex());
  const Key key = hmac(hmac(hmac(hmac("AWS4" + credentials.secret_key, day), region), service), "aws4_request");
  std::string signature;
  for (const unsigned char byte : hmac(key, text)) signature += fmt::format("{:02x}", byte);
  return fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}", credentials.access_key, scope,
                     signed_names(normal_headers(request.headers)), signature);
}

}  // namespace kist::net
