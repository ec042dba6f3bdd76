#include "serve/routes.hpp"

#include <nlohmann/json.hpp>
#include <openssl/crypto.h>

namespace kist::serve {

bool Routes::bears_token(const Exchange& exchange) const {
  std::string_view given = exchange.header("authorization");
  constexpr std::string_view kScheme = "bearer ";
  if (given.size() < kScheme.size()) return false;
  for (std::size_t i = 0; i < kScheme.size(); ++i)
    if ((given[i] | ' ') != kScheme[i]) return false;
  given.remove_prefix(kScheme.size());
  // Takes as long whatever is wrong with it.
  return given.size() == token_.size() && ::CRYPTO_memcmp(given.data(), token_.data(), token_.size()) == 0;
}

void Routes::operator()(Exchange& exchange) const {
  if (!bears_token(exchange)) {
    (void)answer_error(exchange, 401, {ErrorKind::denied, "the token of this server is missing or wrong"},
                       {{"www-authenticate", "Bearer"}});
    return;
  }
  const std::pair<std::string, Handler>* best = nullptr;
  for (const auto& route : routes_) {
    const std::string& prefix = route.first;
    const bool fits = exchange.path.starts_with(prefix) &&
                      (exchange.path.size() == prefix.size() || exchange.path[prefix.size()] == '/');
    if (fits && (best == nullptr || prefix.size() > best->first.size())) best = &route;
  }
  if (best == nullptr)
    (void)answer_error(exchange, {ErrorKind::not_found, "this server has nothing at " + exchange.path});
  else
    best->second(exchange);
}

int status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid:
      return 400;
    case ErrorKind::not_found:
      return 404;
    case ErrorKind::conflict:
      return 412;
    case ErrorKind::denied:
      return 403;
    case ErrorKind::no_space:
      return 507;
    case ErrorKind::corrupt:
      return 422;
    case ErrorKind::unavailable:
      return 503;
    case ErrorKind::unsupported:
      return 501;
    case ErrorKind::io:
      return 500;
  }
  return 500;
}

Status answer_json(Exchange& exchange, int status, const Json& value, HttpHeaders headers) {
  headers.emplace_back("content-type", "application/json");
  return exchange.answer(status, headers, to_text(value) + "\n");
}

Status answer_error(Exchange& exchange, int status, const Error& error, HttpHeaders headers) {
  return answer_json(exchange, status, {{"error", {{"kind", to_string(error.kind)}, {"message", error.text}}}},
                     std::move(headers));
}

Status answer_error(Exchange& exchange, const Error& error) {
  return answer_error(exchange, status_of(error.kind), error);
}

}  // namespace kist::serve
