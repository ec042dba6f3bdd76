#include "catalog/requests.hpp"

#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "catalog/rows.hpp"
#include "model/fields.hpp"

namespace kist::catalog {
namespace {

std::string_view word_of(Request::Kind kind) {
  switch (kind) {
    case Request::Kind::stop:
      return "stop";
    case Request::Kind::abort:
      return "abort";
    case Request::Kind::approve:
      break;
  }
  return "approve";
}

std::optional<std::string> content_of(const Request& request) {
  if (request.kind != Request::Kind::approve) return std::nullopt;
  Json content = {{"node", request.node}};
  model::put_pairs(content, "parameters", request.parameters);
  return to_text(content);
}

Result<Request> approval(const std::string& text) {
  Request request{.kind = Request::Kind::approve};
  KIST_TRY_ASSIGN(const Json content, parse_json(text));
  KIST_TRY(model::get(content, "node", request.node));
  KIST_TRY(model::get_pairs(content, "parameters", request.parameters));
  return request;
}

Result<Request> request_of(std::string_view word, const std::string& content) {
  if (word == "stop") return Request{.kind = Request::Kind::stop};
  if (word == "abort") return Request{.kind = Request::Kind::abort};
  if (word == "approve") return approval(content);
  return fail(ErrorKind::unsupported, fmt::format("'{}' is no request", word));
}

}  // namespace

Status write_request(Database& database, std::string_view run, const Request& request) {
  KIST_TRY_ASSIGN(bool exists, run_exists(database, run));
  if (!exists) return no_run(run);
  KIST_TRY_ASSIGN(std::int64_t number, count(database, "requests"));
  return database.query("INSERT INTO requests (number, run, kind, content) VALUES ($1, $2, $3, $4)")
      .bind(number)
      .bind(run)
      .bind(word_of(request.kind))
      .bind(content_of(request))
      .run();
}

Result<std::vector<Request>> read_requests(Database& database, std::string_view run) {
  std::vector<Request> requests;
  auto row = database.query("SELECT kind, content, number FROM requests WHERE run = $1 ORDER BY number");
  row.bind(run);
  while (true) {
    KIST_TRY_ASSIGN(bool more, row.step());
    if (!more) return requests;
    auto request = request_of(row.text(0), row.text(1));
    if (!request) continue;  // a newer kist has written it, for its own
    request->number = row.number(2);
    requests.push_back(std::move(*request));
  }
}

Status delete_request(Database& database, std::string_view run, std::int64_t number) {
  return database.query("DELETE FROM requests WHERE run = $1 AND number = $2").bind(run).bind(number).run();
}

Status delete_requests(Database& database, std::string_view run) {
  return database.query("DELETE FROM requests WHERE run = $1").bind(run).run();
}

}  // namespace kist::catalog
