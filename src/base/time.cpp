#include "base/time.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>

namespace kist {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// The years that nanoseconds since 1970 in 64 bits hold entirely.
constexpr int kFirstYear = 1678;
constexpr int kLastYear = 2261;

std::string date_and_time(std::chrono::sys_seconds time) {
  auto day = std::chrono::floor<days>(time);
  std::chrono::year_month_day date(day);
  std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Takes fixed-width fields off the front of a text; once one is missing, all that follow fail too.
class Fields {
 public:
  explicit Fields(std::string_view text) : rest_(text) {}

  int digits(std::size_t width) {
    int value = 0;
    if (rest_.size() < width ||
        !std::all_of(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(width), is_digit))
      return give_up();
    for (char c : rest_.substr(0, width)) value = value * 10 + (c - '0');
    rest_.remove_prefix(width);
    return value;
  }
  char one_of(std::string_view choices) {
    if (rest_.empty() || !choices.contains(rest_.front())) return static_cast<char>(give_up());
    char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  // ".123456" in nanoseconds; what is finer is cut off. 0 where there is none.
  std::int64_t fraction() {
    if (rest_.empty() || rest_.front() != '.') return 0;
    rest_.remove_prefix(1);
    if (rest_.empty() || !is_digit(rest_.front())) return give_up();
    std::int64_t value = 0;
    std::int64_t unit = 1'000'000'000;
    for (; !rest_.empty() && is_digit(rest_.front()); rest_.remove_prefix(1)) {
      unit /= 10;
      value += unit * (rest_.front() - '0');
    }
    return value;
  }
  bool all_read() const { return good_ && rest_.empty(); }

 private:
  int give_up() {
    good_ = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace

Time now() {
  return std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
}

std::string to_rfc3339(Time time) {
  return date_and_time(std::chrono::floor<seconds>(time)) + "Z";
}

std::string to_rfc3339_micros(Time time) {
  auto whole = std::chrono::floor<seconds>(time);
  return fmt::format("{}.{:06}Z", date_and_time(whole),
                     std::chrono::duration_cast<std::chrono::microseconds>(time - whole).count());
}

Result<Time> parse_rfc3339(std::string_view text) {
  Fields fields(text);
  int year = fields.digits(4);
  fields.one_of("-");
  int month = fields.digits(2);
  fields.one_of("-");
  int day = fields.digits(2);
  fields.one_of("Tt ");
  int hour = fields.digits(2);
  fields.one_of(":");
  int minute = fields.digits(2);
  fields.one_of(":");
  int second = fields.digits(2);
  std::int64_t fraction = fields.fraction();
  minutes offset(0);
  if (char sign = fields.one_of("Zz+-"); sign == '+' || sign == '-') {
    int offset_hours = fields.digits(2);
    fields.one_of(":");
    int offset_minutes = fields.digits(2);
    if (offset_hours > 23 || offset_minutes > 59) fields.one_of("");
    offset = (sign == '-' ? -1 : 1) * (hours(offset_hours) + minutes(offset_minutes));
  }
  std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                   std::chrono::day(static_cast<unsigned>(day))};
  // A second 60 is a leap second: it becomes the first of the next minute.
  if (!fields.all_read() || !date.ok() || year < kFirstYear || year > kLastYear || hour > 23 || minute > 59 ||
      second > 60)
    return fail(ErrorKind::invalid, fmt::format("'{}' is not a time: expected one like 2026-11-21T03:16:28Z", text));
  return std::chrono::sys_days(date) + hours(hour) + minutes(minute) + seconds(second) + nanoseconds(fraction) - offset;
}

std::string how_long_ago(Time then, Time now) {
  if (then > now) return "";
  std::int64_t seconds_ago = std::chrono::floor<seconds>(now - then).count();
  std::int64_t days_ago = seconds_ago / 86400;
  // dstack rounds with Python's round(): halves go to the even neighbour, as std::lrint does.
  auto rounded = [](std::int64_t count, double unit) { return std::lrint(static_cast<double>(count) / unit); };
  if (seconds_ago < 10) return "now";
  if (seconds_ago < 60) return fmt::format("{} sec ago", seconds_ago);
  if (seconds_ago < 120) return "1 min ago";
  if (seconds_ago < 3600) return fmt::format("{} mins ago", rounded(seconds_ago, 60));
  if (seconds_ago < 7200) return "1 hour ago";
  if (days_ago < 1) return fmt::format("{} hours ago", rounded(seconds_ago, 3600));
  if (days_ago == 1) return "yesterday";
  if (days_ago < 7) return fmt::format("{} days ago", days_ago);
  if (days_ago < 31) return fmt::format("{} weeks ago", rounded(days_ago, 7));
  if (days_ago < 365) return fmt::format("{} months ago", rounded(days_ago, 30));
  return fmt::format("{} years ago", rounded(days_ago, 365));
}

std::string to_short_duration(nanoseconds duration) {
  std::int64_t milliseconds = std::chrono::round<std::chrono::milliseconds>(std::max(duration, nanoseconds(0))).count();
  if (milliseconds < 1000) return fmt::format("{}ms", milliseconds);
  if (std::int64_t tenths = (milliseconds + 50) / 100; tenths < 600)
    return fmt::format("{}.{}s", tenths / 10, tenths % 10);
  std::int64_t whole = (milliseconds + 500) / 1000;
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", (whole + 30) / 3600, (whole + 30) % 3600 / 60);
}

}  // namespace kist
