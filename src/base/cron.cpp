#include "base/cron.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <optional>

#include <fmt/format.h>

namespace kist {
namespace {

constexpr auto kMonths = std::to_array<std::string_view>(
    {"", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"});
constexpr auto kWeekdays = std::to_array<std::string_view>({"sun", "mon", "tue", "wed", "thu", "fri", "sat"});
constexpr std::int64_t kHorizon = 5LL * 366 * 24 * 3600;

struct Shorthand {
  std::string_view name;
  std::string_view line;
};
constexpr auto kShorthands = std::to_array<Shorthand>({
    {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
    {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"},
    {"@daily", "0 0 * * *"},
    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
});

struct Field {
  std::string_view name;
  int least;
  int most;
  const std::string_view* names = nullptr;
  std::size_t name_count = 0;
};

std::string_view take_word(std::string_view& rest, std::string_view blanks) {
  rest.remove_prefix(std::min(rest.find_first_not_of(blanks), rest.size()));
  const std::string_view word = rest.substr(0, rest.find_first_of(blanks));
  rest.remove_prefix(word.size());
  return word;
}

std::optional<int> number_of(const Field& field, std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (std::size_t index = 0; index < field.name_count; ++index)
    if (!field.names[index].empty() && lower == field.names[index]) return static_cast<int>(index);
  int number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// One item of a list: "*", "5", "1-5", "*/15", "10-40/10", "5/10".
template <std::size_t Size>
Status add_item(const Field& field, std::string_view item, std::bitset<Size>& set) {
  auto wrong = [&] {
    return fail(ErrorKind::invalid, fmt::format("'{}' is no {} (a number from {} to {}, a range, `*` or a step)", item,
                                                field.name, field.least, field.most));
  };
  const std::size_t slash = item.find('/');
  const std::string_view range = item.substr(0, slash);
  int step = 1;
  if (slash != std::string_view::npos) {
    const auto number = number_of({"step", 1, field.most}, item.substr(slash + 1));
    if (!number || *number < 1) return wrong();
    step = std::min(*number, field.most + 1);  // a longer one leads out of the field as well
  }
  int first = field.least;
  int last = field.most;
  if (range != "*" && range != "?") {
    const std::size_t dash = range.find('-');
    const auto begin = number_of(field, range.substr(0, dash));
    if (!begin) return wrong();
    first = *begin;
    if (dash != std::string_view::npos) {
      const auto end = number_of(field, range.substr(dash + 1));
      if (!end) return wrong();
      last = *end;
    } else if (slash == std::string_view::npos) {
      last = first;
    }
  }
  if (first < field.least || last > field.most || first > last) return wrong();
  for (int value = first; value <= last; value += step) set.set(static_cast<std::size_t>(value));
  return {};
}

template <std::size_t Size>
Status read_field(const Field& field, std::string_view text, std::bitset<Size>& set) {
  while (true) {
    const std::size_t comma = text.find(',');
    KIST_TRY(add_item(field, text.substr(0, comma), set));
    if (comma == std::string_view::npos) return {};
    text.remove_prefix(comma + 1);
  }
}

bool is_any(std::string_view text) {
  return text.starts_with('*') || text.starts_with('?');
}

// TZ as it was is set again when this goes.
class Zone {
 public:
  explicit Zone(const std::string& name) {
    if (name.empty()) return;
    const char* before = std::getenv("TZ");
    if (before != nullptr) before_ = before;
    changed_ = true;
    ::setenv("TZ", name.c_str(), 1);
    ::tzset();
  }
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;
  ~Zone() {
    if (!changed_) return;
    before_ ? ::setenv("TZ", before_->c_str(), 1) : ::unsetenv("TZ");
    ::tzset();
  }

 private:
  std::optional<std::string> before_;
  bool changed_ = false;
};

}  // namespace

Result<CronLine> CronLine::parse(std::string_view line) {
  constexpr std::string_view kBlanks = " \t";
  CronLine cron;
  std::string_view rest = line;
  std::string_view word = take_word(rest, kBlanks);
  for (const std::string_view prefix : {"CRON_TZ=", "TZ="}) {
    if (!word.starts_with(prefix)) continue;
    cron.zone_ = word.substr(prefix.size());
    word = take_word(rest, kBlanks);
    break;
  }
  for (const Shorthand& shorthand : kShorthands) {
    if (word != shorthand.name) continue;
    rest = shorthand.line;
    word = take_word(rest, kBlanks);
    break;
  }
  std::array<std::string_view, 5> words;
  for (std::string_view& each : words) {
    each = word;
    word = take_word(rest, kBlanks);
  }
  if (words.back().empty() || !word.empty())
    return fail(ErrorKind::invalid,
                fmt::format("'{}': expected five fields: minute, hour, day, month and weekday", line));
  KIST_TRY(read_field({"minute", 0, 59}, words[0], cron.minutes_));
  KIST_TRY(read_field({"hour", 0, 23}, words[1], cron.hours_));
  KIST_TRY(read_field({"day", 1, 31}, words[2], cron.days_));
  KIST_TRY(read_field({"month", 1, 12, kMonths.data(), kMonths.size()}, words[3], cron.months_));
  KIST_TRY(read_field({"weekday", 0, 7, kWeekdays.data(), kWeekdays.size()}, words[4], cron.weekdays_));
  if (cron.weekdays_.test(7)) cron.weekdays_.set(0);
  cron.any_day_ = is_any(words[2]);
  cron.any_weekday_ = is_any(words[4]);
  return cron;
}

bool CronLine::fits(int minute, int hour, int day, int month, int weekday) const {
  auto has = [](const auto& set, int value) { return set.test(static_cast<std::size_t>(value)); };
  if (!has(minutes_, minute) || !has(hours_, hour) || !has(months_, month)) return false;
  // Where both days are given, one of them is enough.
  const bool by_day = has(days_, day);
  const bool by_weekday = has(weekdays_, weekday);
  return any_day_ || any_weekday_ ? by_day && by_weekday : by_day || by_weekday;
}

std::vector<Time> next_times(const std::vector<CronLine>& lines, const std::string& zone, Time from,
                             std::size_t count) {
  const std::int64_t begin = std::chrono::duration_cast<std::chrono::seconds>(from.time_since_epoch()).count();
  std::vector<std::int64_t> found;
  for (const CronLine& line : lines) {
    const Zone here(line.zone().empty() ? zone : line.zone());
    std::size_t of_line = 0;
    for (std::int64_t at = (begin / 60 + 1) * 60; at < begin + kHorizon && of_line < count;) {
      const std::time_t seconds = at;
      std::tm local{};
      ::localtime_r(&seconds, &local);
      if (line.fits(local.tm_min, local.tm_hour, local.tm_mday, local.tm_mon + 1, local.tm_wday)) {
        found.push_back(at);
        ++of_line;
      }
      // Hours that do not fit are passed over as a whole.
      const bool hour = line.hours_.test(static_cast<std::size_t>(local.tm_hour)) &&
                        line.months_.test(static_cast<std::size_t>(local.tm_mon) + 1);
      at += hour ? 60 : 60 * (60 - local.tm_min);
    }
  }
  std::ranges::sort(found);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  if (found.size() > count) found.resize(count);
  std::vector<Time> times;
  for (const std::int64_t at : found) times.emplace_back(std::chrono::seconds(at));
  return times;
}

}  // namespace kist
