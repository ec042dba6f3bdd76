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

}  // namespace kist::model
