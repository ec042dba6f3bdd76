#include "catalog/requests.hpp"

#include <optional>

#include <nlohmann/json.hpp>

#include "catalog/rows.hpp"

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
  Json parameters = Json::array();
  for (const auto& [name, value] : request.parameters) parameters.push_back({{"name", name}, {"value", value}});
  return to_text(Json{{"node", request.node}, {"parameters", parameters}});
}

// What this kist cannot read, a newer one has written: none.
std::optional<Request> request_from_row(const Query& row) {
  Request request;
  const std::string word = row.text(0);
  request.number = row.number(2);
  if (word == "stop") return request;
  if (word == "abort") {
    request.kind = Request::Kind::abort;
    return request;
  }
  auto content = parse_json(row.text(1));
  if (word != "approve" || !content || !content->is_object()) return std::nullopt;
  request.kind = Request::Kind::approve;
  try {
    request.node = content->value("node", "");
    for (const Json& parameter : content->value("parameters", Json::array()))
      request.parameters.emplace_back(parameter.value("name", ""), parameter.value("value", ""));
  } catch (const Json::exception&) {
    return std::nullopt;
  }
  return request;
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
    if (auto request = request_from_row(row)) requests.push_back(std::move(*request));
  }
}

Status delete_request(Database& database, std::string_view run, std::int64_t number) {
  return database.query("DELETE FROM requests WHERE run = $1 AND number = $2").bind(run).bind(number).run();
}

Status delete_requests(Database& database, std::string_view run) {
  return database.query("DELETE FROM requests WHERE run = $1").bind(run).run();
}

}  // namespace kist::catalog
