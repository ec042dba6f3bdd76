#include "model/dialect.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/time.hpp"

namespace kist::model {

std::string to_string(const Notice& notice) {
  if (notice.level == Notice::Level::information) return notice.text;
  std::string_view level = notice.level == Notice::Level::error ? "error" : "warning";
  std::string place = to_string(notice.origin);
  if (place.empty()) return fmt::format("{}: {}", level, notice.text);
  return fmt::format("{}: {}: {}", place, level, notice.text);
}

std::string Wording::overdue() const {
  return "its time is over";
}

std::string Wording::too_late() const {
  return "it has waited too long to begin";
}

std::string Wording::broken_off() const {
  return "not finished: another one has failed";
}

std::string Wording::no_items() const {
  return "there are no items";
}

std::string Wording::undefined(std::string_view definition) const {
  return fmt::format("there is no '{}'", definition);
}

std::string Wording::waiting_for_lock(std::string_view lock, std::size_t free, std::size_t limit) const {
  return fmt::format("waits for {}: {} of {} free", lock, free, limit);
}

std::string Wording::waiting_to_retry(std::chrono::nanoseconds wait) const {
  return fmt::format("waits {} before it is tried again", to_short_duration(wait));
}

std::string Wording::not_retried(RetryEnd why) const {
  switch (why) {
    case RetryEnd::limit:
      return "not tried again: often enough";
    case RetryEnd::duration:
      return "not tried again: for long enough";
    case RetryEnd::backoff:
      return "not tried again: it would be too late";
    case RetryEnd::expression:
      break;
  }
  return "not tried again: its condition is false";
}

std::string Wording::wrong_in_label(std::string_view) const {
  return "";
}

Json Wording::failure(const NodeRecord& node) const {
  return {{"name", node.names.name}, {"state", state(node.state)}, {"message", node.message}};
}

Result<std::string> Dialect::act_on_object(const ObjectRequest& request, Objects&) const {
  return fail(ErrorKind::unsupported,
              fmt::format("{} has no objects that could be acted on ({})", name(), request.action.source()));
}

}  // namespace kist::model
