// How one request gets its answer: signed anew for each attempt, tried again while the failure may pass, and corrected
// by what the server says of its clock and the bucket's region.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <iterator>

#include <fmt/format.h>

#include "base/digest.hpp"
#include "net/s3_request.hpp"

namespace kist::net {
namespace {

constexpr std::string_view kUnknownRegion = "us-east-1";
constexpr std::int64_t kTolerated = 240;  // seconds of difference between clocks; servers refuse from 900 on
constexpr int kLessons = 3;               // corrections of one request
constexpr int kDamagedBodies = 4;         // attempts whose body arrived as another

// What the server takes back: it has too much to do, or lost its way inside.
bool is_transient(const HttpAnswer& answer, std::string_view code) {
  switch (answer.status) {
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
      return true;
    case 409:
      return code == "ConditionalRequestConflict" || code == "OperationAborted";
    case 400:
      return code == "RequestTimeout";
    default:
      return false;
  }
}

// Refused before anything was done, so no attempt of ours can have succeeded unseen.
bool is_refusal(int status, std::string_view code) {
  return status == 429 || code == "SlowDown" || code == "ServiceUnavailable" || code == "RequestTimeout" ||
         status == 409;
}

bool is_damaged(std::string_view code) {
  return code == "BadDigest" || code == "XAmzContentSHA256Mismatch" || code == "IncompleteBody" ||
         code == "XAmzContentChecksumMismatch";
}

Result<std::string> sha256_hex(const std::optional<Body>& body) {
  Sha256 hash;
  if (body) KIST_TRY(read_body(*body, [&](std::span<const std::byte> bytes) { hash.update(bytes); }));
  return hash.finish().hex();
}

std::string cause(const HttpAnswer& answer, std::string_view code, std::string_view message) {
  std::string text = code.empty() ? fmt::format("HTTP status {}", answer.status) : std::string(code);
  if (!message.empty()) text += fmt::format(": {}", message);
  return text;
}

}  // namespace

std::string S3Client::host() const {
  std::lock_guard lock(mutex_);
  Url url = endpoint_;
  if (settings_.endpoint.empty()) {
    const std::string_view region = region_.empty() ? kUnknownRegion : std::string_view(region_);
    url.host = fmt::format("s3.{}.amazonaws.com{}", region, region.starts_with("cn-") ? ".cn" : "");
  }
  if (virtual_host_) url.host = settings_.bucket + "." + url.host;
  return url.authority();
}

HttpRequest S3Client::prepare(const Request& request, std::string_view payload_hash) const {
  const std::string authority = host();
  std::string path = endpoint_.path;
  if (!virtual_host_) path += "/" + percent_encode(settings_.bucket);
  if (virtual_host_ || !request.key.empty()) path += "/" + percent_encode(request.key, true);

  HttpRequest http;
  http.method = request.method;
  http.url = endpoint_.scheme + "://" + authority + path;
  if (!request.query.empty()) http.url += "?" + to_text(request.query);
  http.headers = request.headers;
  if (request.of_content) std::ranges::copy(settings_.object_headers, std::back_inserter(http.headers));
  http.body = request.body;
  http.wait_to_send = request.wait_to_send;
  http.begins = request.begins;
  http.sink = request.sink;
  http.moved = request.moved;
  if (!settings_.credentials) return http;

  const Time time = now() + std::chrono::seconds(skew_.load());
  http.headers.emplace_back("x-amz-date", aws_time(time));
  http.headers.emplace_back("x-amz-content-sha256", payload_hash);
  if (!settings_.credentials->session_token.empty())
    http.headers.emplace_back("x-amz-security-token", settings_.credentials->session_token);
  AwsRequest signing{.method = request.method,
                     .path = path,
                     .query = request.query,
                     .headers = http.headers,
                     .payload_hash = payload_hash};
  signing.headers.emplace_back("host", authority);
  std::string region;
  {
    std::lock_guard lock(mutex_);
    region = region_.empty() ? kUnknownRegion : region_;
  }
  http.headers.emplace_back("authorization", aws_authorization(signing, *settings_.credentials, time, region, "s3"));
  return http;
}

bool S3Client::learn(const Answer& answer) {
  const int status = answer.status();
  if (status != 301 && status != 307 && status != 400 && status != 403) return false;
  if (!answer.region.empty()) {
    std::lock_guard lock(mutex_);
    if (answer.region != (region_.empty() ? kUnknownRegion : std::string_view(region_))) {
      region_ = answer.region;
      return true;
    }
  }
  const auto date = answer.http.date();
  if (!date || status < 400) return false;
  const auto ahead = std::chrono::duration_cast<std::chrono::seconds>(*date - now()).count();
  const bool told = answer.code == "RequestTimeTooSkewed";
  if (std::abs(ahead - skew_.load()) <= (told ? 5 : kTolerated)) return false;
  skew_ = ahead;
  return true;
}

Result<S3Client::Answer> S3Client::send(Request& request) {
  std::string payload_hash;
  Retry retry(settings_.retry);
  bool doubtful = false;
  int lessons = 0;
  int damaged = 0;
  auto doing = [&] { return fmt::format("cannot {} {}", request.doing, address(request.key)); };
  auto given_up = [&](ErrorKind kind, std::string_view why) {
    const int attempts = retry.attempts() - 1;
    return fail(kind,
                fmt::format("{}: {}{}", doing(), why, attempts > 1 ? fmt::format(" (tried {} times)", attempts) : ""));
  };
  for (;;) {
    if (payload_hash.empty() && settings_.credentials) {
      KIST_TRY_ASSIGN(payload_hash, sha256_hex(request.body));
    }
    auto performed = http_.perform(prepare(request, payload_hash));
    if (!performed) {
      HttpFailure& failure = performed.error();
      if (!failure.transient) {
        if (failure.error.kind != ErrorKind::unavailable) return std::unexpected(std::move(failure.error));
        return with_context(doing(), std::move(failure.error));
      }
      doubtful = doubtful || failure.reached;
      if (request.resume && request.resume(request)) retry.progressed();
      if (!retry.again(reached_)) return given_up(ErrorKind::unavailable, failure.error.text);
      continue;
    }
    reached_ = true;
    Answer answer{.http = std::move(*performed), .code = {}, .message = {}, .region = {}};
    answer.doubtful = doubtful || answer.http.resent;
    answer.region = answer.http.header("x-amz-bucket-region");
    if (!answer.http.ok() || request.error_in_success) {
      if (auto error = parse_xml(answer.http.text); error && error->name == "Error") {
        answer.code = error->text_of("Code");
        answer.message = error->text_of("Message");
        if (answer.region.empty()) answer.region = error->text_of("Region");
        if (answer.http.ok()) answer.http.status = 500;
      } else if (request.error_in_success && answer.http.ok() && !error) {
        answer.http.status = 500;  // an answer that was cut off says nothing
      }
    }
    if (answer.ok()) {
      bucket_seen_ = true;
      return answer;
    }
    if (lessons < kLessons && learn(answer)) {
      ++lessons;
      continue;
    }
    if (is_damaged(answer.code)) {
      payload_hash.clear();  // or the file was changed after all
      if (++damaged < kDamagedBodies && retry.again(true)) continue;
      return given_up(ErrorKind::corrupt, cause(answer.http, answer.code, "what arrives is not what was sent"));
    }
    if (is_transient(answer.http, answer.code)) {
      doubtful = doubtful || !is_refusal(answer.status(), answer.code);
      if (retry.again(true, answer.http.retry_after())) continue;
      return given_up(ErrorKind::unavailable, cause(answer.http, answer.code, answer.message));
    }
    return answer;
  }
}

Error S3Client::error_of(const Answer& answer, const Request& request) const {
  const std::string what = address(request.key);
  const std::string why =
      fmt::format("cannot {} {}: {}", request.doing, what, cause(answer.http, answer.code, answer.message));
  if (answer.code == "NoSuchBucket")
    return {ErrorKind::invalid,
            fmt::format("there is no bucket '{}' at {}: make it, or check its name and the endpoint", settings_.bucket,
                        endpoint_.origin())};
  if (answer.code == "QuotaExceeded" || answer.code.ends_with("StorageFull") || answer.status() == 507)
    return {ErrorKind::no_space, why};
  if (answer.code == "InvalidPart" || answer.code == "NoSuchUpload") return {ErrorKind::not_found, why};
  if (answer.code == "InvalidAccessKeyId" || answer.code == "SignatureDoesNotMatch")
    return {ErrorKind::denied, why + " (check the access key and its secret)"};
  switch (answer.status()) {
    case 401:
    case 403:
      return {ErrorKind::denied, settings_.credentials
                                     ? why
                                     : why +
                                           " (no credentials were found: set AWS_ACCESS_KEY_ID and "
                                           "AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws/credentials)"};
    case 404:
      return {ErrorKind::not_found, fmt::format("there is no {}", what)};
    case 409:
    case 412:
      return {ErrorKind::conflict, why};
    case 405:
    case 501:
      return {ErrorKind::unsupported, why};
    default:
      return {answer.status() < 500 ? ErrorKind::invalid : ErrorKind::unavailable, why};
  }
}

std::unexpected<Error> S3Client::refused(const Answer& answer, const Request& request) const {
  return std::unexpected(error_of(answer, request));
}

}  // namespace kist::net
