// Times, cron lines, base64, shell words, names of files and JSON, as files, servers and people write them: read or
// refused, and what was read can be written and read again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/cron.hpp"
#include "base/json.hpp"
#include "base/time.hpp"
#include "base/utf8.hpp"
#include "base/words.hpp"

namespace {

void require(bool holds) {
  if (!holds) __builtin_trap();
}

void times(std::string_view text) {
  if (const auto time = kist::parse_rfc3339(text)) {
    (void)kist::how_long_ago(*time, {});
    (void)kist::to_short_duration(time->time_since_epoch());
    const auto again = kist::parse_rfc3339(kist::to_rfc3339_micros(*time));
    require(again && *again <= *time && *time - *again < std::chrono::microseconds(1));
  }
  // Not with a zone: it would be looked for among this machine's files.
  if (const auto line = kist::CronLine::parse(text); line && line->zone().empty()) {
    const auto next = kist::next_times({*line}, "UTC", {}, 2);
    require(std::ranges::is_sorted(next));
  }
}

void words(std::string_view text) {
  if (const auto bytes = kist::from_base64(text)) {
    const auto again = kist::from_base64(kist::to_base64(*bytes));
    require(again && *again == *bytes);
  }
  if (const auto split = kist::split_words(text)) {
    std::string line;
    for (const std::string& word : *split) line += kist::quote_word(word) + " ";
    const auto again = kist::split_words(line);
    require(again && *again == *split);
  }
  const std::string shown = kist::printable(text);
  require(kist::is_utf8(shown) && std::ranges::none_of(shown, [](unsigned char c) { return c < 0x20 || c == 0x7f; }));
  (void)kist::display_width(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  times(text);
  words(text);
  if (const auto json = kist::parse_json(text)) {
    const auto again = kist::parse_json(kist::to_text(*json));
    require(again && *again == *json);
  }
  return 0;
}
