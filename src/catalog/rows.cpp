#include "catalog/rows.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace kist::catalog {
namespace {

constexpr std::size_t kLongestName = 200;  // it is a file name, with something behind it

}  // namespace

std::int64_t to_number(Time time) {
  return time.time_since_epoch().count();
}

Time to_time(std::int64_t number) {
  return Time(std::chrono::nanoseconds(number));
}

std::optional<std::int64_t> to_number(const std::optional<Time>& time) {
  return time ? std::optional(to_number(*time)) : std::nullopt;
}

std::optional<std::string> to_text_or_null(const std::optional<Digest>& digest) {
  return digest ? std::optional(digest->to_string()) : std::nullopt;
}

Result<std::optional<Digest>> to_digest(const Query& query, int column) {
  if (query.is_null(column)) return std::nullopt;
  KIST_TRY_ASSIGN(Digest digest, Digest::parse(query.text(column)));
  return digest;
}

std::unexpected<Error> no_run(std::string_view name) {
  return fail(ErrorKind::not_found, fmt::format("there is no run '{}'", name));
}

Status check_name(std::string_view what, std::string_view name) {
  bool printable = std::ranges::none_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (!name.empty() && name.size() <= kLongestName && printable && !name.contains('/') && !name.starts_with('.') &&
      !name.starts_with(':') && !name.starts_with('-'))
    return {};
  return fail(ErrorKind::invalid,
              fmt::format("'{}' cannot be the name of a {}: it has 1 to {} characters, no '/', and does not begin with "
                          "'.', ':' or '-'",
                          name, what, kLongestName));
}

Result<std::int64_t> count(Database& database, std::string_view counter) {
  auto query = database.query(
      "INSERT INTO counters (name, value) VALUES ($1, 1) "
      "ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value");
  KIST_TRY(query.bind(counter).step());
  std::int64_t value = query.number(0);
  KIST_TRY(query.step());
  return value;
}

Result<bool> run_exists(Database& database, std::string_view name) {
  return database.query("SELECT 1 FROM runs WHERE name = $1").bind(name).step();
}

}  // namespace kist::catalog
