// Moments and calendars. The Gregorian calendar is taken as valid for all years, as Go does.
#include "expression/date.hpp"

#include <algorithm>
#include <limits>

namespace kist::expression {
namespace {

constexpr std::int64_t kDay = 86'400;

// Days from 1970-01-01 to a date; the month may be any number.
std::int64_t days_from_civil(std::int64_t year, std::int64_t month, std::int64_t day) {
  year += (month - 1) / 12;
  month = (month - 1) % 12;
  if (month < 0) {
    month += 12;
    --year;
  }
  ++month;
  if (month <= 2) --year;
  std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  std::int64_t year_of_era = year - era * 400;
  std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5;
  std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468 + day - 1;
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

std::int64_t local_seconds(const Date& date) {
  return date.seconds + date.zone->at(date.seconds).offset;
}

}  // namespace

Date make_date(const Civil& civil, ZonePointer zone) {
  constexpr std::int64_t kFarthest = 1'000'000'000;  // years: their seconds fit into 64 bits
  std::int64_t year = std::clamp(civil.year, -kFarthest, kFarthest);
  std::int64_t extra = floor_divide(civil.nanosecond, 1'000'000'000);
  std::int64_t local = days_from_civil(year, civil.month, civil.day) * kDay + civil.hour * 3600LL +
                       civil.minute * 60LL + civil.second + extra;
  // The offset before a change of the clock is tried, then the one behind it.
  std::int64_t seconds = local - zone->at(local).offset;
  int before = zone->at(seconds - kDay / 2).offset;
  int behind = zone->at(seconds + kDay / 2).offset;
  for (int offset : {before, behind})
    if (zone->at(local - offset).offset == offset) {
      seconds = local - offset;
      break;
    }
  return Date{seconds, static_cast<int>(civil.nanosecond - extra * 1'000'000'000), std::move(zone)};
}

Date make_date(Time time, ZonePointer zone) {
  std::int64_t count = time.time_since_epoch().count();
  std::int64_t seconds = floor_divide(count, 1'000'000'000);
  return Date{seconds, static_cast<int>(count - seconds * 1'000'000'000), std::move(zone)};
}

Civil civil(const Date& date) {
  std::int64_t local = local_seconds(date);
  std::int64_t days = floor_divide(local, kDay);
  auto rest = static_cast<int>(local - days * kDay);
  days += 719'468;
  std::int64_t era = floor_divide(days, 146'097);
  std::int64_t day_of_era = days - era * 146'097;
  std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  std::int64_t shifted = (5 * day_of_year + 2) / 153;
  Civil civil;
  civil.day = static_cast<int>(day_of_year - (153 * shifted + 2) / 5 + 1);
  civil.month = static_cast<int>(shifted < 10 ? shifted + 3 : shifted - 9);
  civil.year = year_of_era + era * 400 + (civil.month <= 2 ? 1 : 0);
  civil.hour = rest / 3600;
  civil.minute = rest / 60 % 60;
  civil.second = rest % 60;
  civil.nanosecond = date.nanoseconds;
  return civil;
}

int weekday(const Date& date) {
  std::int64_t days = floor_divide(local_seconds(date), kDay) + 4;  // 1970-01-01 was a Thursday
  return static_cast<int>(days - floor_divide(days, 7) * 7);
}

int year_day(const Date& date) {
  Civil now = civil(date);
  return static_cast<int>(days_from_civil(now.year, now.month, now.day) - days_from_civil(now.year, 1, 1)) + 1;
}

Date add(const Date& date, std::chrono::nanoseconds duration) {
  std::int64_t count = duration.count();
  std::int64_t seconds = floor_divide(count, 1'000'000'000);
  std::int64_t nanoseconds = date.nanoseconds + (count - seconds * 1'000'000'000);
  return Date{date.seconds + seconds + nanoseconds / 1'000'000'000, static_cast<int>(nanoseconds % 1'000'000'000),
              date.zone};
}

std::chrono::nanoseconds subtract(const Date& a, const Date& b) {
  std::int64_t count = 0;
  if (__builtin_mul_overflow(a.seconds - b.seconds, std::int64_t{1'000'000'000}, &count) ||
      __builtin_add_overflow(count, std::int64_t{a.nanoseconds} - b.nanoseconds, &count))
    return a < b ? std::chrono::nanoseconds::min() : std::chrono::nanoseconds::max();
  return std::chrono::nanoseconds(count);
}

bool operator==(const Date& a, const Date& b) {
  return a.seconds == b.seconds && a.nanoseconds == b.nanoseconds;
}

bool operator<(const Date& a, const Date& b) {
  return a.seconds < b.seconds || (a.seconds == b.seconds && a.nanoseconds < b.nanoseconds);
}

std::string_view month_name(int month) {
  constexpr std::string_view kNames[] = {"January", "February", "March",     "April",   "May",      "June",
                                         "July",    "August",   "September", "October", "November", "December"};
  return kNames[std::clamp(month, 1, 12) - 1];
}

std::string_view weekday_name(int weekday) {
  constexpr std::string_view kNames[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
  return kNames[std::clamp(weekday, 0, 6)];
}

}  // namespace kist::expression
