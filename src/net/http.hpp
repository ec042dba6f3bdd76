// HTTP/1.1 requests over libcurl: one attempt each, over connections that are kept and used again. Who may be asked
// again, and when, is the caller's matter (net/retry.hpp).
//
// Proxies of the environment (http_proxy, https_proxy, no_proxy) are used, but never to reach this machine itself.
// Redirects are answers like others. Certificates are checked against the system's bundle or a given one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "net/body.hpp"

namespace kist::net {

struct HttpSettings {
  std::string ca_file;  // certificates to trust (PEM), instead of the system's
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::seconds idle_timeout{60};  // a request in which nothing moves for so long has failed
  std::string ca = {};                    // certificates to trust, as PEM text, instead of the system's
  std::string client_certificate = {};    // PEM text, what the client shows who it is; with client_key
  std::string client_key = {};
  bool insecure = false;                 // any certificate of the server will do
  std::function<bool()> cancelled = {};  // asked about once a second; true ends the request
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpAnswer {
  int status = 0;
  HttpHeaders headers;  // names in lower case
  std::string text;     // the body, where it did not go to the sink; at most 32 MiB
  // The request went out twice, since a kept connection was lost: the server may have done twice what it was asked.
  bool resent = false;

  bool ok() const { return status >= 200 && status < 300; }
  // Empty where it is missing.
  std::string_view header(std::string_view lower_case_name) const;
  // What the server's clock said; the header Date.
  std::optional<Time> date() const;
  // The header Retry-After, from now on.
  std::optional<std::chrono::seconds> retry_after() const;
};

// A longer body waits for the server's word that it is wanted.
inline constexpr std::uint64_t kAskFirst = 1 << 20;

struct HttpRequest {
  std::string method = "GET";
  std::string url;  // complete and encoded
  HttpHeaders headers{};
  std::optional<Body> body{};
  bool wait_to_send = false;  // asks whether the body is wanted before it is sent (Expect: 100-continue)

  // Both are called for answers of 2xx only: the first once before the body, then the body's pieces. Without a sink the
  // body is in the answer. An error of theirs ends the request and is its error.
  std::function<Status(const HttpAnswer&)> begins{};
  Sink sink{};
  Moved moved{};  // of either body
};

// Why there is no answer.
struct HttpFailure {
  Error error;             // unavailable, or that of body, `begins` or sink
  bool transient = false;  // trying again may help
  bool reached = false;    // there was a connection, so the server may have done what it was asked
};

// Thread-safe: each request has a connection of its own, from those that are idle where there are any.
class HttpClient {
 public:
  explicit HttpClient(HttpSettings settings);
  ~HttpClient();
  HttpClient(HttpClient&&) = delete;

  // Errors name the host, never the query or a header: those may hold secrets.
  std::expected<HttpAnswer, HttpFailure> perform(const HttpRequest& request);

 private:
  struct Connections;
  HttpSettings settings_;
  std::unique_ptr<Connections> connections_;
};

}  // namespace kist::net
