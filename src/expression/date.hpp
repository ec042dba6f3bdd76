// Dates with time zones, as Go's time package has them: layouts written as an example of the moment
// "Mon Jan 2 15:04:05 MST 2006", and the zones of the IANA database.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace kist::expression {

class Zone;
using ZonePointer = std::shared_ptr<const Zone>;

// The calendar and the clock of one place.
struct Civil {
  std::int64_t year = 1970;
  int month = 1;  // 1 … 12
  int day = 1;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int nanosecond = 0;
};

// A moment of any year, and the zone it is shown in (never null).
struct Date {
  std::int64_t seconds = 0;  // since 1970 UTC
  int nanoseconds = 0;       // 0 … 999 999 999
  ZonePointer zone;
};

// A zone: an offset from UTC that never changes, or a name of the IANA database. Immutable.
class Zone {
 public:
  virtual ~Zone() = default;
  struct Rule {
    int offset = 0;  // seconds east of UTC
    std::string abbreviation;
  };
  virtual const std::string& name() const = 0;
  // What holds at a moment (seconds since 1970 UTC).
  virtual Rule at(std::int64_t seconds) const = 0;
};

ZonePointer utc();
ZonePointer fixed_zone(std::string name, int offset);
// "UTC", "Local" (kist takes it as UTC, as Argo's controller has it), "Europe/Zurich". Errors: invalid.
Result<ZonePointer> find_zone(std::string_view name);

Date make_date(const Civil& civil, ZonePointer zone);  // fields beyond their range carry over
Date make_date(Time time, ZonePointer zone);
Civil civil(const Date& date);
// 0 (Sunday) … 6, and 1 … 366.
int weekday(const Date& date);
int year_day(const Date& date);
Date add(const Date& date, std::chrono::nanoseconds duration);
// Where the distance is too long for it, the longest duration.
std::chrono::nanoseconds subtract(const Date& a, const Date& b);
bool operator==(const Date& a, const Date& b);
bool operator<(const Date& a, const Date& b);

inline constexpr std::string_view kRfc3339 = "2006-01-02T15:04:05Z07:00";
inline constexpr std::string_view kRfc3339Nano = "2006-01-02T15:04:05.999999999Z07:00";

// Prints a date by a layout.
std::string format(const Date& date, std::string_view layout);
// Reads a date; `zone` is meant where the text names none. Errors: invalid.
Result<Date> parse_date(std::string_view layout, std::string_view text, const ZonePointer& zone);

std::string_view month_name(int month);
std::string_view weekday_name(int weekday);

}  // namespace kist::expression
