#include "serve/objects.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include "base/digest.hpp"
#include "base/system.hpp"
#include "serve/routes.hpp"

namespace kist::serve {
namespace {

constexpr std::size_t kPiece = 256 << 10;
constexpr std::uint64_t kMostListed = 10'000;

std::string etag_of(std::string_view version) {
  return fmt::format("\"{}\"", version);
}

std::string_view unquoted(std::string_view etag) {
  if (etag.size() >= 2 && etag.starts_with('"') && etag.ends_with('"')) etag = etag.substr(1, etag.size() - 2);
  return etag;
}

bool read_number(std::string_view text, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

std::string_view parameter(const Exchange& exchange, std::string_view name) {
  for (const auto& [key, value] : exchange.query)
    if (key == name) return value;
  return {};
}

std::string base64(const Digest& digest) {
  std::array<unsigned char, 45> text{};
  const int size = ::EVP_EncodeBlock(text.data(), reinterpret_cast<const unsigned char*>(digest.value.data()), 32);
  return {reinterpret_cast<const char*>(text.data()), static_cast<std::size_t>(size)};
}

class Objects {
 public:
  explicit Objects(net::ObjectDirectory& objects) : objects_(objects) {}

  void operator()(Exchange& exchange) const {
    auto done = answer(exchange);
    // Where the answer has begun or nobody is there to read it, this changes nothing.
    if (!done) (void)answer_error(exchange, done.error());
  }

 private:
  Status answer(Exchange& exchange) const {
    std::string_view rest = std::string_view(exchange.path).substr(kObjectsPath.size());
    if (rest.empty() || rest == "/") {
      if (exchange.method == "GET" || exchange.method == "HEAD") return list(exchange);
      return wrong_method(exchange, "GET, HEAD");
    }
    KIST_TRY_ASSIGN(const std::string name, net::percent_decode(rest.substr(1)));
    if (exchange.method == "GET" || exchange.method == "HEAD") return get(exchange, name);
    if (exchange.method == "PUT") return put(exchange, name);
    if (exchange.method == "DELETE") {
      KIST_TRY(objects_.remove(name));
      return exchange.answer(204, {}, "");
    }
    return wrong_method(exchange, "GET, HEAD, PUT, DELETE");
  }

  static Status wrong_method(Exchange& exchange, std::string allowed) {
    return answer_error(exchange, 405, {ErrorKind::invalid, exchange.method + " is not possible here"},
                        {{"allow", std::move(allowed)}});
  }

  Status list(Exchange& exchange) const {
    std::uint64_t limit = 1000;
    if (const auto given = parameter(exchange, "limit"); !given.empty())
      if (!read_number(given, limit) || limit == 0 || limit > kMostListed)
        return fail(ErrorKind::invalid, fmt::format("limit is a number from 1 to {}", kMostListed));
    Json listed = Json::array();
    bool more = false;
    KIST_TRY(objects_.list_after(
        parameter(exchange, "prefix"), parameter(exchange, "after"), [&](const net::ObjectInfo& info) {
          more = listed.size() == limit;
          if (!more) listed.push_back({{"name", info.name}, {"size", info.size}, {"version", info.version}});
          return !more;
        }));
    return answer_json(exchange, 200, {{"objects", std::move(listed)}, {"more", more}});
  }

  Status get(Exchange& exchange, const std::string& name) const {
    KIST_TRY_ASSIGN(const auto opened, objects_.open(name));
    const auto& info = opened.info;
    const std::string_view expected = exchange.header("if-match");
    if (!expected.empty() && unquoted(expected) != info.version)
      return fail(ErrorKind::conflict, fmt::format("{} was replaced meanwhile", name));
    HttpHeaders headers{
        {"etag", etag_of(info.version)}, {"accept-ranges", "bytes"}, {"content-type", "application/octet-stream"}};
    const std::string_view asked = exchange.header("range");
    const auto range = asked_range(asked, info.size);
    if (!range) {
      headers.emplace_back("content-range", fmt::format("bytes */{}", info.size));
      return answer_error(exchange, 416, {ErrorKind::invalid, fmt::format("{} has {} bytes", name, info.size)},
                          headers);
    }
    const bool whole = range->length == info.size;
    if (!whole)
      headers.emplace_back("content-range",
                           fmt::format("bytes {}-{}/{}", range->offset, range->offset + range->length - 1, info.size));
    KIST_TRY(exchange.begin_answer(whole ? 200 : 206, headers, range->length));
    if (exchange.method == "HEAD") return {};
    std::vector<std::byte> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(range->length, kPiece)));
    for (std::uint64_t at = range->offset, left = range->length; left > 0;) {
      const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
      const ssize_t count = os::pread(opened.file.get(), buffer.data(), wanted, static_cast<off_t>(at));
      if (count <= 0) return {};  // too late to say so: the answer is cut off, which the peer notices
      if (!exchange.write(std::span(buffer).first(static_cast<std::size_t>(count)))) return {};
      at += static_cast<std::uint64_t>(count);
      left -= static_cast<std::uint64_t>(count);
    }
    return {};
  }

  Status put(Exchange& exchange, const std::string& name) const {
    net::PutCondition condition;
    const std::string_view absent = exchange.header("if-none-match");
    const std::string_view matches = exchange.header("if-match");
    if (!absent.empty() && (absent != "*" || !matches.empty()))
      return fail(ErrorKind::invalid,
                  "of the conditions, If-None-Match: * and If-Match: \"VERSION\" are understood, one of them");
    if (!absent.empty()) condition.kind = net::PutCondition::Kind::absent;
    if (!matches.empty())
      condition = {.kind = net::PutCondition::Kind::matches, .version = std::string(unquoted(matches))};
    KIST_TRY_ASSIGN(const auto incoming, objects_.receive(name, condition));
    const std::string_view digest = exchange.header("content-digest");
    Sha256 hash;
    std::vector<std::byte> buffer(kPiece);
    for (;;) {
      KIST_TRY_ASSIGN(const std::size_t count, exchange.read(buffer));
      if (count == 0) break;
      const auto piece = std::span(buffer).first(count);
      if (!digest.empty()) hash.update(piece);
      KIST_TRY(incoming->write(piece));
    }
    if (!digest.empty() && digest != fmt::format("sha-256=:{}:", base64(hash.finish())))
      return fail(ErrorKind::corrupt, fmt::format("what arrived of {} is not what was sent", name));
    KIST_TRY_ASSIGN(const std::string version, incoming->commit());
    return exchange.answer(201, {{"etag", etag_of(version)}}, "");
  }

  net::ObjectDirectory& objects_;
};

}  // namespace

std::optional<ByteRange> asked_range(std::string_view header, std::uint64_t size) {
  const ByteRange whole{.offset = 0, .length = size};
  if (!header.starts_with("bytes=") || header.contains(',')) return whole;
  const std::string_view asked = header.substr(6);
  const auto dash = asked.find('-');
  if (dash == std::string_view::npos) return whole;
  std::uint64_t first = 0;
  std::uint64_t last = UINT64_MAX;
  const std::string_view end = asked.substr(dash + 1);
  if (dash == 0) {  // the last so many
    if (!read_number(end, last)) return whole;
    if (last == 0 || size == 0) return std::nullopt;
    return ByteRange{.offset = size - std::min(size, last), .length = std::min(size, last)};
  }
  if (!read_number(asked.substr(0, dash), first) || (!end.empty() && !read_number(end, last)) || last < first)
    return whole;
  if (first >= size) return std::nullopt;
  return ByteRange{.offset = first, .length = std::min(last, size - 1) - first + 1};
}

Handler objects_handler(net::ObjectDirectory& objects) {
  return Objects(objects);
}

}  // namespace kist::serve
