// HTTP, as kist serves it: connections are taken, requests read, and each is handed to a handler on a thread of its
// own, which reads the body and writes the answer in pieces. What the requests mean is the matter of serve/routes.hpp
// and of what is added there.
//
// A connection that waits for its next request costs no thread. All waiting has an end: a peer that sends or takes
// nothing for a minute is left. No request's size has a bound in memory but that of its headers (32 KiB).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "net/http.hpp"
#include "net/url.hpp"

namespace kist::serve {

using net::HttpHeaders;

// One request and its answer. Used by the thread that handles it, and by no other.
class Exchange {
 public:
  virtual ~Exchange() = default;

  std::string method;
  std::string path;  // as it was sent, encoded; begins with '/'
  net::Query query;  // decoded

  // Empty where it is missing. Names in any case.
  virtual std::string_view header(std::string_view name) const = 0;

  // The next bytes of the body; 0 at its end. Errors: unavailable (the peer is gone, or silent), invalid (no HTTP).
  virtual Result<std::size_t> read(std::span<std::byte> into) = 0;

  // The whole answer. Errors: unavailable (the peer is gone).
  virtual Status answer(int status, const HttpHeaders& headers, std::string_view body) = 0;
  // An answer in pieces: exactly `length` bytes must be given to write() then, none where the method is HEAD.
  virtual Status begin_answer(int status, const HttpHeaders& headers, std::uint64_t length) = 0;
  virtual Status write(std::span<const std::byte> bytes) = 0;
};

// Must answer. Called on several threads at once.
using Handler = std::function<void(Exchange&)>;

struct ServerSettings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 2746;  // 0: any that is free
  std::string certificate;    // PEM files; both or none
  std::string key;
  unsigned workers = 16;        // requests handled at once
  unsigned connections = 1000;  // more are turned away
  std::chrono::seconds idle{60};
};

class Server {
 public:
  // Listens, and serves from then on. Errors: invalid (host, certificate), conflict (the port is taken), denied.
  static Result<std::unique_ptr<Server>> start(const ServerSettings& settings, Handler handler);
  virtual ~Server() = default;  // stops at once

  // "http://127.0.0.1:2746".
  virtual std::string address() const = 0;
  // Takes no more requests, and returns when those under way are answered, or after `patience`.
  virtual void stop(std::chrono::seconds patience) = 0;
};

}  // namespace kist::serve
