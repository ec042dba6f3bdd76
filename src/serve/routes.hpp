// What kist serves, put together: paths and who answers them, behind one check of who asks.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "serve/server.hpp"

namespace kist::serve {

// Answers below a path. Prefixes are added before the server starts; the longest that fits is asked. Every request must
// bear the token ("Authorization: Bearer TOKEN"), and is answered 401 otherwise.
class Routes {
 public:
  explicit Routes(std::string token) : token_(std::move(token)) {}

  // `prefix` without a slash at its end: "/api/kist/v1/objects". It fits itself and what lies below it.
  void add(std::string prefix, Handler handler) { routes_.emplace_back(std::move(prefix), std::move(handler)); }

  void operator()(Exchange& exchange) const;

 private:
  bool bears_token(const Exchange& exchange) const;

  std::string token_;
  std::vector<std::pair<std::string, Handler>> routes_;
};

// The status that tells a client the kind of an error.
int status_of(ErrorKind kind);

// `{"error": {"kind": "conflict", "message": "…"}}` with that status.
Status answer_error(Exchange& exchange, const Error& error);
Status answer_error(Exchange& exchange, int status, const Error& error, HttpHeaders headers = {});
Status answer_json(Exchange& exchange, int status, const Json& value, HttpHeaders headers = {});

}  // namespace kist::serve
