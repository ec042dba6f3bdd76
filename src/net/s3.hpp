// One bucket on Amazon S3 or a server that speaks like it (MinIO, Ceph, R2, …). Knows S3 and nothing of what kist keeps
// there; S3Objects (net/s3_objects.hpp) makes an ObjectStore of it.
//
// Requests are signed with Signature Version 4, the SHA-256 of the body included, so a server refuses a body that was
// damaged on its way, behind a TLS proxy too. What fails for a while is tried again. A clock that differs from the
// server's, and a region that is not the bucket's, are learnt from the server's answers.
//
// Errors never hold keys, tokens or signatures. The kinds: not_found (no such key), invalid (no such bucket, and
// settings the server does not take), denied, conflict, no_space, corrupt (the body that arrived was another, again and
// again), unavailable (the server does not answer, or says to come later, until the retries are used up).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "net/http.hpp"
#include "net/retry.hpp"
#include "net/sigv4.hpp"
#include "net/url.hpp"

namespace kist::net {

struct S3Settings {
  std::string bucket;
  std::string endpoint;  // "https://host:port"; empty: Amazon's of the region
  std::string region;    // empty: us-east-1, until the server says another
  enum class Addressing {
    automatic,     // the bucket in the host name at Amazon's endpoints, in the path elsewhere
    path,          // https://host/bucket/key
    virtual_host,  // https://bucket.host/key
  } addressing = Addressing::automatic;
  std::optional<AwsCredentials> credentials;  // none: requests are not signed, as public buckets allow
  HttpSettings http;
  RetrySettings retry;
  // More to send and sign with every request for an object's content: the key it is encrypted with (SSE-C).
  HttpHeaders object_headers = {};
  // Bodies longer than `multipart_from` are sent in parts of `part_size` (more where they would be too many), so many
  // at once.
  std::uint64_t multipart_from = 64ULL << 20;
  std::uint64_t part_size = 16ULL << 20;
  unsigned parallel_parts = 6;
};

struct S3Object {
  std::string key{};
  std::uint64_t size = 0;
  std::string etag{};           // without its quotes
  std::string last_modified{};  // as the server writes it
  HttpHeaders headers{};        // of head and get: content-type, x-amz-meta-…
};

struct S3Condition {
  enum class Kind { none, absent, matches } kind = Kind::none;
  std::string etag{};  // of `matches`
};

struct S3PutOptions {
  S3Condition condition{};
  HttpHeaders headers{};  // more to send and sign: content-type, x-amz-meta-…, x-amz-storage-class
  Moved moved{};
};

struct S3Listing {
  std::vector<S3Object> objects{};
  std::vector<std::string> prefixes{};  // what the delimiter folded
  std::string continuation{};           // to be given for the next page; empty after the last
};

struct S3Part {
  unsigned number = 0;  // from 1
  std::uint64_t size = 0;
  std::string etag{};
};

struct S3Upload {
  std::string key{};
  std::string id{};
  std::string initiated{};
};

// Thread-safe: requests of several threads are under way at once, each on a connection of its own.
class S3Client {
 public:
  // Errors: invalid (settings that no server could take). Nothing is sent yet.
  static Result<std::unique_ptr<S3Client>> make(S3Settings settings);

  const S3Settings& settings() const { return settings_; }
  // "s3://bucket/key", for messages.
  std::string address(std::string_view key = {}) const;

  // Stores the whole object or nothing. In one request, or in parts (see `multipart_from`), which are sent again only
  // where they are not there yet: an upload of the same key that was broken off is gone on with, if the parts are the
  // same. A condition on an object that is sent in parts is looked at first and given to the server with the last
  // request; servers that ignore it there leave a race. Errors also: conflict (the condition does not hold).
  Result<S3Object> put(std::string_view key, const Body& body, const S3PutOptions& options = {});

  // Bytes [offset, offset + length) that are there, in order. A broken transfer goes on where it broke; if the object
  // was replaced meanwhile it fails with conflict. `begins` hears of the object once, before its first byte.
  Result<S3Object> get(std::string_view key, const Sink& sink, std::uint64_t offset = 0,
                       std::uint64_t length = UINT64_MAX, const Moved& moved = {},
                       const std::function<Status(const S3Object&)>& begins = {});
  Result<S3Object> head(std::string_view key);

  // One page, ascending by key, at most 1000 objects and prefixes.
  Result<S3Listing> list(std::string_view prefix, std::string_view delimiter = {}, std::string_view continuation = {},
                         std::string_view start_after = {});

  // Removing what is not there is no error.
  Status remove(std::string_view key);
  // Any number of keys, a thousand a request. Errors name the first key that could not be removed.
  Status remove(std::span<const std::string> keys);

  // A bucket that is there and one's own already is no error.
  Status create_bucket(const HttpHeaders& headers = {});
  // Errors: invalid (it does not exist), denied.
  Status check_bucket();

  // The steps of an upload in parts, for whoever needs them one by one.
  Result<S3Upload> create_upload(std::string_view key, const HttpHeaders& headers = {});
  Result<S3Part> put_part(const S3Upload& upload, unsigned number, const Body& body, const Moved& moved = {});
  Result<std::vector<S3Part>> list_parts(const S3Upload& upload);
  Result<std::vector<S3Upload>> list_uploads(std::string_view prefix);
  Result<S3Object> complete_upload(const S3Upload& upload, std::span<const S3Part> parts,
                                   const S3Condition& condition = {});
  Status abort_upload(const S3Upload& upload);

 private:
  struct Request;
  struct Answer;

  explicit S3Client(S3Settings settings, Url endpoint);

  HttpRequest prepare(const Request& request, std::string_view payload_hash) const;
  std::string host() const;
  Result<Answer> send(Request& request);
  bool learn(const Answer& answer);
  Error error_of(const Answer& answer, const Request& request) const;
  std::unexpected<Error> refused(const Answer& answer, const Request& request) const;
  Result<Answer> send_conditional(Request& request, const S3Condition& condition);
  Result<S3Object> put_whole(std::string_view key, const Body& body, const S3PutOptions& options);
  Result<S3Object> put_parts(std::string_view key, const Body& body, const S3PutOptions& options, bool resume);
  Status check_stored(std::string_view key, const Body& body, std::string_view etag);
  Result<bool> stored_equals(std::string_view key, const Body& body);

  S3Settings settings_;
  Url endpoint_;
  bool virtual_host_ = false;
  HttpClient http_;
  std::atomic<std::int64_t> skew_{0};  // seconds the server's clock is ahead of ours
  std::atomic<bool> reached_{false};   // the server answered
  std::atomic<bool> bucket_seen_{false};
  enum class Quoting { unknown, quoted, unquoted };
  std::atomic<Quoting> quoting_{Quoting::unknown};  // how this server wants etags in If-Match
  std::atomic<bool> etag_is_md5_{true};             // until it was seen otherwise
  mutable std::mutex mutex_;
  std::string region_;  // guarded by mutex_
};

}  // namespace kist::net
