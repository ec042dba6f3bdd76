#include "dialect/argo/wording.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/time.hpp"
#include "dialect/argo/names.hpp"

namespace kist::dialect::argo {
namespace {

constexpr std::size_t kLongestLabel = 63;

}  // namespace

model::NodeNames ArgoWording::names(const model::NodePlace& place) const {
  return node_names(place);
}

std::string ArgoWording::process_failed(const model::ProcessEnd& end) const {
  if (end.overdue) return overdue();
  return fmt::format("{}: {} (exit code {})", end.container.empty() ? "main" : end.container,
                     end.out_of_memory ? "OOMKilled" : "Error", end.exit_code);
}

std::string ArgoWording::child_failed(const model::NodeNames& child) const {
  return fmt::format("child '{}' failed", child.id);
}

std::string ArgoWording::condition_false(std::string_view condition) const {
  return fmt::format("when '{}' evaluated false", condition);
}

std::string ArgoWording::omitted() const {
  return "omitted: depends condition not met";
}

std::string ArgoWording::stopped(bool abort) const {
  return fmt::format("Stopped with strategy '{}'", abort ? "Terminate" : "Stop");
}

std::string ArgoWording::state(model::State state) const {
  switch (state) {
    case model::State::pending:
      return "Pending";
    case model::State::running:
    case model::State::stopping:
    // Argo has no word for it: a workflow whose controller is gone shows as running until one takes it up again.
    case model::State::interrupted:
      return "Running";
    case model::State::succeeded:
      return "Succeeded";
    case model::State::failed:
    case model::State::stopped:
    case model::State::aborted:
      return "Failed";
    case model::State::error:
      return "Error";
    case model::State::skipped:
      return "Skipped";
    case model::State::omitted:
      return "Omitted";
  }
  return "";
}

std::string ArgoWording::log_prefix(const model::NodeNames& node) const {
  return node.host + ": ";
}

std::string ArgoWording::overdue() const {
  return "Step exceeded its deadline";
}

std::string ArgoWording::too_late() const {
  return "timeout";
}

std::string ArgoWording::broken_off() const {
  return "template has failed or errored children and failFast enabled";
}

std::string ArgoWording::no_items() const {
  return "Skipped, empty params";
}

std::string ArgoWording::undefined(std::string_view definition) const {
  return fmt::format("template name '{}' undefined", definition);
}

std::string ArgoWording::waiting_for_lock(std::string_view lock, std::size_t free, std::size_t limit) const {
  return fmt::format("Waiting for {} lock. Lock status: {}/{}", lock, free, limit);
}

std::string ArgoWording::waiting_to_retry(std::chrono::nanoseconds wait) const {
  using namespace std::chrono;
  auto part = [](std::int64_t count, std::string_view unit) {
    return fmt::format("{} {}{}", count, unit, count == 1 ? "" : "s");
  };
  const auto whole = ceil<seconds>(wait);
  const auto h = floor<hours>(whole);
  const auto m = floor<minutes>(whole - h);
  const auto s = whole - h - m;
  std::string text;
  if (h.count() > 0) text += part(h.count(), "hour");
  if (m.count() > 0) text += (text.empty() ? "" : " ") + part(m.count(), "minute");
  if (s.count() > 0 || text.empty()) text += (text.empty() ? "" : " ") + part(s.count(), "second");
  return "Backoff for " + text;
}

std::string ArgoWording::not_retried(model::RetryEnd why) const {
  switch (why) {
    case model::RetryEnd::limit:
      return "No more retries left";
    case model::RetryEnd::duration:
      return "Max duration limit exceeded";
    case model::RetryEnd::backoff:
      return "Backoff would exceed max duration limit";
    case model::RetryEnd::expression:
      break;
  }
  return "retryStrategy.expression evaluated to false";
}

// Kubernetes' rule, in its words.
std::string ArgoWording::wrong_in_label(std::string_view value) const {
  constexpr std::string_view kAlphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  if (value.size() > kLongestLabel) return "must be no more than 63 bytes";
  const bool ends_well =
      value.empty() || (kAlphanumeric.contains(value.front()) && kAlphanumeric.contains(value.back()));
  if (ends_well &&
      std::ranges::all_of(value, [&](char c) { return kAlphanumeric.contains(c) || c == '-' || c == '_' || c == '.'; }))
    return "";
  return "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
         "and end with an alphanumeric character";
}

Json ArgoWording::failure(const model::NodeRecord& node) const {
  return {{"displayName", node.names.display}, {"message", node.message},    {"templateName", node.definition},
          {"phase", state(node.state)},        {"podName", node.names.host}, {"finishedAt", to_rfc3339(node.finished)}};
}

}  // namespace kist::dialect::argo
