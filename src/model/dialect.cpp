#include "model/dialect.hpp"

#include <fmt/format.h>

namespace kist::model {

std::string to_string(const Notice& notice) {
  if (notice.level == Notice::Level::information) return notice.text;
  std::string_view level = notice.level == Notice::Level::error ? "error" : "warning";
  std::string place = to_string(notice.origin);
  if (place.empty()) return fmt::format("{}: {}", level, notice.text);
  return fmt::format("{}: {}: {}", place, level, notice.text);
}

Result<std::string> Dialect::act_on_object(const ObjectRequest& request, Objects&) const {
  return fail(ErrorKind::unsupported,
              fmt::format("{} has no objects that could be acted on ({})", name(), request.action.source()));
}

}  // namespace kist::model
