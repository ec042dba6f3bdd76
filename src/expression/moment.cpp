#include "expression/moment.hpp"

#include <cstdint>

#include <nlohmann/json.hpp>

namespace kist::expression {
namespace {

constexpr const char* kKey = "$moment";  // nanoseconds since 1970

}  // namespace

Json moment_value(Time time) {
  return {{kKey, static_cast<std::int64_t>(time.time_since_epoch().count())}};
}

std::optional<Time> moment_of(const Json& value) {
  if (!value.is_object() || value.size() != 1) return std::nullopt;
  const auto found = value.find(kKey);
  if (found == value.end() || !found->is_number_integer()) return std::nullopt;
  return Time(Time::duration(found->get<std::int64_t>()));
}

}  // namespace kist::expression
