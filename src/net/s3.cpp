#include "net/s3.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "net/header_values.hpp"
#include "net/md5.hpp"
#include "net/s3_request.hpp"

namespace kist::net {
namespace {

constexpr std::uint64_t kReadBack = 1 << 20;  // the ETag of bodies up to this is compared
constexpr std::size_t kKeysPerRemoval = 1000;

bool is_digest(std::string_view etag) {
  return etag.size() == 32 && etag.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Of "bytes 0-99/1234" or "bytes */1234".
struct Range {
  std::uint64_t begin = 0;
  std::uint64_t total = 0;
};
std::optional<Range> content_range(std::string_view text) {
  const auto slash = text.find('/');
  if (!text.starts_with("bytes ") || slash == std::string_view::npos) return std::nullopt;
  return Range{.begin = number(text.substr(6)), .total = number(text.substr(slash + 1))};
}

bool may_be_in_host(std::string_view bucket) {
  return bucket.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

}  // namespace

Result<std::unique_ptr<S3Client>> S3Client::make(S3Settings settings) {
  if (settings.bucket.empty() || settings.bucket.find_first_of("/?#%\\ ") != std::string::npos)
    return fail(ErrorKind::invalid, fmt::format("'{}' cannot be a bucket's name", settings.bucket));
  KIST_TRY_ASSIGN(auto endpoint, parse_url(settings.endpoint.empty() ? "https://s3.amazonaws.com" : settings.endpoint));
  return std::unique_ptr<S3Client>(new S3Client(std::move(settings), std::move(endpoint)));
}

S3Client::S3Client(S3Settings settings, Url endpoint)
    : settings_(std::move(settings)), endpoint_(std::move(endpoint)), http_(settings_.http), region_(settings_.region) {
  using Addressing = S3Settings::Addressing;
  const bool amazon = endpoint_.host.ends_with(".amazonaws.com") || endpoint_.host.ends_with(".amazonaws.com.cn");
  virtual_host_ = settings_.addressing == Addressing::virtual_host ||
                  (settings_.addressing == Addressing::automatic && amazon && may_be_in_host(settings_.bucket));
}

std::string S3Client::address(std::string_view key) const {
  return fmt::format("s3://{}{}{}", settings_.bucket, key.empty() ? "" : "/", key);
}

// Some servers (radosgw) compare the ETag in If-Match with its quotes to the one without. Both forms ask the same, so
// the other is tried where it is not known yet which is right.
Result<S3Client::Answer> S3Client::send_conditional(Request& request, const S3Condition& condition) {
  if (condition.kind == S3Condition::Kind::none) return send(request);
  if (condition.kind == S3Condition::Kind::absent) {
    request.headers.emplace_back("if-none-match", "*");
    return send(request);
  }
  const Quoting known = quoting_;
  const std::string quoted = "\"" + condition.etag + "\"";
  request.headers.emplace_back("if-match", known == Quoting::unquoted ? condition.etag : quoted);
  KIST_TRY_ASSIGN(auto answer, send(request));
  if (answer.ok()) quoting_ = known == Quoting::unquoted ? Quoting::unquoted : Quoting::quoted;
  if (answer.status() != 412 || known != Quoting::unknown) return answer;
  request.headers.back().second = condition.etag;
  KIST_TRY_ASSIGN(auto again, send(request));
  if (again.ok()) quoting_ = Quoting::unquoted;
  again.doubtful = again.doubtful || answer.doubtful;
  return again;
}

Result<S3Object> S3Client::put_whole(std::string_view key, const Body& body, const S3PutOptions& options) {
  Request request{.doing = "put", .method = "PUT", .key = std::string(key)};
  request.of_content = true;
  request.headers = options.headers;
  request.body = body;
  request.moved = options.moved;
  const bool conditional = options.condition.kind != S3Condition::Kind::none;
  request.wait_to_send = conditional && body.length() > kAskFirst;
  KIST_TRY_ASSIGN(auto answer, send_conditional(request, options.condition));
  const bool lost = conditional && (answer.status() == 412 || answer.status() == 409 ||
                                    (answer.status() == 404 && answer.code != "NoSuchBucket"));
  if (lost) {
    // The attempt whose answer did not come may be what is in our way.
    if (answer.doubtful) {
      auto equal = stored_equals(key, body);
      if (equal && *equal) return head(key);
    }
    return fail(ErrorKind::conflict,
                fmt::format("{} {}", address(key),
                            options.condition.kind == S3Condition::Kind::absent ? "exists already"
                                                                                : "was replaced or removed meanwhile"));
  }
  if (!answer.ok()) return refused(answer, request);
  S3Object object{.key = std::string(key),
                  .size = body.length(),
                  .etag = unquoted(answer.http.header("etag")),
                  .last_modified = {},
                  .headers = {}};
  if (object.etag.empty())
    return fail(ErrorKind::unavailable,
                fmt::format("the server gave no ETag for {}: it does not speak S3", address(key)));
  if (answer.http.header("x-amz-server-side-encryption").empty() &&
      answer.http.header("x-amz-server-side-encryption-customer-algorithm").empty())
    KIST_TRY(check_stored(key, body, object.etag));
  return object;
}

// The server compared the body with the digest in its signature already. This is for one that does not look, or answers
// for another object: where the ETag is not the body's MD5 and cannot be explained, the object is read and compared.
Status S3Client::check_stored(std::string_view key, const Body& body, std::string_view etag) {
  if (body.length() > kReadBack || !etag_is_md5_) return {};
  KIST_TRY_ASSIGN(const std::string md5, md5_hex(body));
  if (md5 == etag) return {};
  KIST_TRY_ASSIGN(const bool equal, stored_equals(key, body));
  if (!equal) return fail(ErrorKind::corrupt, fmt::format("what is stored at {} is not what was sent", address(key)));
  etag_is_md5_ = false;
  return {};
}

Result<bool> S3Client::stored_equals(std::string_view key, const Body& body) {
  KIST_TRY_ASSIGN(const auto object, head(key));
  if (object.size != body.length()) return false;
  if (body.length() > kReadBack && is_digest(object.etag) && etag_is_md5_) {
    KIST_TRY_ASSIGN(const std::string md5, md5_hex(body));
    return md5 == object.etag;
  }
  return equals(body, [&](const Sink& sink) -> Status {
    KIST_TRY(get(key, sink));
    return {};
  });
}

Result<S3Object> S3Client::get(std::string_view key, const Sink& sink, std::uint64_t offset, std::uint64_t length,
                               const Moved& moved, const std::function<Status(const S3Object&)>& begins) {
  if (length == 0) return head(key);
  Request request{.doing = "read", .method = "GET", .key = std::string(key)};
  request.of_content = true;
  S3Object object{.key = request.key};
  std::uint64_t received = 0;
  std::uint64_t before = 0;  // received when it broke last
  bool told = false;
  auto set_range = [&](Request& each) {
    each.headers.clear();
    const std::uint64_t begin = offset + received;
    if (length != UINT64_MAX)
      each.headers.emplace_back("range", fmt::format("bytes={}-{}", begin, offset + (length - 1)));
    else if (begin > 0)
      each.headers.emplace_back("range", fmt::format("bytes={}-", begin));
  };
  set_range(request);
  request.resume = [&](Request& each) {
    set_range(each);
    return received > std::exchange(before, received);
  };
  request.moved = moved;
  request.begins = [&](const HttpAnswer& answer) -> Status {
    const std::string etag = unquoted(answer.header("etag"));
    if (object.etag.empty()) object.etag = etag;
    if (object.etag != etag)
      return fail(ErrorKind::conflict, fmt::format("{} was replaced while it was read", address(key)));
    const auto range = content_range(answer.header("content-range"));
    const std::uint64_t begin = answer.status == 206 && range ? range->begin : 0;
    if (begin != offset + received)
      return fail(ErrorKind::unsupported,
                  fmt::format("the server does not give a part of {} where it is asked for one", address(key)));
    object.size = answer.status == 206 && range ? range->total : number(answer.header("content-length"));
    object.last_modified = answer.header("last-modified");
    object.headers = answer.headers;
    if (begins && !std::exchange(told, true)) return begins(object);
    return {};
  };
  request.sink = [&](std::span<const std::byte> bytes) -> Status {
    // A server that knows no ranges gives more than was asked for.
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), length - received));
    received += wanted;
    return wanted == 0 ? Status() : sink(bytes.first(wanted));
  };
  KIST_TRY_ASSIGN(auto answer, send(request));
  if (answer.status() == 416 && received == 0) return head(key);  // nothing lies there
  if (!answer.ok()) return refused(answer, request);
  const std::uint64_t there = object.size > offset ? object.size - offset : 0;
  if (received != std::min(length, there))
    return fail(ErrorKind::unavailable,
                fmt::format("the server gave {} of {} bytes of {}", received, std::min(length, there), address(key)));
  return object;
}

Result<S3Object> S3Client::head(std::string_view key) {
  Request request{.doing = "read", .method = "HEAD", .key = std::string(key)};
  request.of_content = true;
  KIST_TRY_ASSIGN(auto answer, send(request));
  // Such an answer has no body that would say what is missing.
  if (answer.status() == 404 && !bucket_seen_) KIST_TRY(check_bucket());
  if (!answer.ok()) return refused(answer, request);
  return S3Object{.key = request.key,
                  .size = number(answer.http.header("content-length")),
                  .etag = unquoted(answer.http.header("etag")),
                  .last_modified = std::string(answer.http.header("last-modified")),
                  .headers = answer.http.headers};
}

Result<S3Listing> S3Client::list(std::string_view prefix, std::string_view delimiter, std::string_view continuation,
                                 std::string_view start_after) {
  Request request{.doing = "list", .method = "GET", .key = {}};
  request.query = {{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", std::string(prefix)}};
  if (!delimiter.empty()) request.query.emplace_back("delimiter", delimiter);
  if (!continuation.empty()) request.query.emplace_back("continuation-token", continuation);
  if (!start_after.empty()) request.query.emplace_back("start-after", start_after);
  KIST_TRY_ASSIGN(auto answer, send(request));
  if (!answer.ok()) return refused(answer, request);
  auto wrong = [&](std::string_view why) {
    return fail(ErrorKind::unavailable,
                fmt::format("cannot list {}: {}: the server does not speak S3", address(), why));
  };
  auto parsed = parse_xml(answer.http.text);
  if (!parsed) return wrong(parsed.error().text);
  if (parsed->name != "ListBucketResult") return wrong(fmt::format("it answers <{}>", parsed->name));
  const bool encoded = parsed->text_of("EncodingType") == "url";
  auto meant = [&](std::string_view text) -> Result<std::string> {
    if (!encoded) return std::string(text);
    std::string spaced(text);
    std::ranges::replace(spaced, '+', ' ');
    return percent_decode(spaced);
  };
  S3Listing listing;
  for (const XmlElement& each : parsed->elements) {
    if (each.name == "Contents") {
      KIST_TRY_ASSIGN(auto key, meant(each.text_of("Key")));
      listing.objects.push_back({.key = std::move(key),
                                 .size = number(each.text_of("Size")),
                                 .etag = unquoted(each.text_of("ETag")),
                                 .last_modified = std::string(each.text_of("LastModified")),
                                 .headers = {}});
    } else if (each.name == "CommonPrefixes") {
      KIST_TRY_ASSIGN(auto folded, meant(each.text_of("Prefix")));
      listing.prefixes.push_back(std::move(folded));
    }
  }
  if (parsed->text_of("IsTruncated") == "true") {
    listing.continuation = parsed->text_of("NextContinuationToken");
    if (listing.continuation.empty()) return wrong("a listing goes on and does not say where");
  }
  return listing;
}

Status S3Client::remove(std::string_view key) {
  Request request{.doing = "remove", .method = "DELETE", .key = std::string(key)};
  KIST_TRY_ASSIGN(auto answer, send(request));
  if (answer.ok() || (answer.status() == 404 && answer.code != "NoSuchBucket")) return {};
  return refused(answer, request);
}

Status S3Client::remove(std::span<const std::string> keys) {
  while (!keys.empty()) {
    const auto some = keys.first(std::min(keys.size(), kKeysPerRemoval));
    keys = keys.subspan(some.size());
    std::string document = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>";
    for (const std::string& key : some) document += "<Object><Key>" + xml_escape(key) + "</Key></Object>";
    document += "</Delete>";
    Request request{.doing = "remove objects of", .method = "POST", .key = {}};
    request.query = {{"delete", ""}};
    request.headers = {{"content-md5", md5_base64(document)}, {"content-type", "application/xml"}};
    request.body = text_body(document);
    request.error_in_success = true;
    KIST_TRY_ASSIGN(auto answer, send(request));
    if (!answer.ok()) return refused(answer, request);
    KIST_TRY_ASSIGN(const XmlElement result, parse_xml(answer.http.text));
    if (const XmlElement* error = result.find("Error"))
      return fail(error->text_of("Code") == "AccessDenied" ? ErrorKind::denied : ErrorKind::unavailable,
                  fmt::format("cannot remove {}: {}: {}", address(error->text_of("Key")), error->text_of("Code"),
                              error->text_of("Message")));
  }
  return {};
}

Status S3Client::create_bucket(const HttpHeaders& headers) {
  Request request{.doing = "create", .method = "PUT", .key = {}};
  request.headers = headers;
  std::string document;
  if (settings_.endpoint.empty() && !settings_.region.empty() && settings_.region != "us-east-1")
    document = fmt::format(
        "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        "<LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>",
        xml_escape(settings_.region));
  request.body = text_body(document);
  KIST_TRY_ASSIGN(auto answer, send(request));
  if (answer.ok() || answer.code == "BucketAlreadyOwnedByYou") return {};
  return refused(answer, request);
}

Status S3Client::check_bucket() {
  Request request{.doing = "list", .method = "GET", .key = {}};
  request.query = {{"list-type", "2"}, {"max-keys", "1"}};
  KIST_TRY_ASSIGN(auto answer, send(request));
  // Who may not list may still put and get.
  if (answer.ok() || answer.code == "AccessDenied") {
    bucket_seen_ = true;
    return {};
  }
  return refused(answer, request);
}

}  // namespace kist::net
