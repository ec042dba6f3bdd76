// Sprig's dates. What is neither a date nor seconds since 1970 is taken for now.
#include <charconv>

#include <fmt/format.h>

#include "expression/duration.hpp"
#include "expression/functions.hpp"

namespace kist::expression {
namespace {

Result<Date> moment(const Value& value, Work& work) {
  if (const Date* date = value.date()) return *date;
  if (const auto* seconds = value.integer()) {
    constexpr std::int64_t kFarthest = 1'000'000'000'000'000;
    if (*seconds < -kFarthest || *seconds > kFarthest)
      return fail(ErrorKind::invalid, fmt::format("{} seconds are too far from 1970", *seconds));
    return Date{*seconds, 0, utc()};
  }
  KIST_TRY_ASSIGN(Time now, work.now());
  return make_date(now, utc());
}

Result<Value> print(const Value& value, std::string_view layout, std::string_view zone, Work& work) {
  KIST_TRY_ASSIGN(Date date, moment(value, work));
  date.zone = find_zone(zone).value_or(utc());
  KIST_TRY(work.spend(layout.size() * 8));
  return work.make(format(date, layout));
}

constexpr std::string_view kLocal = "Local";
constexpr std::string_view kDay = "2006-01-02";

Result<Value> now(const Call& call) {
  KIST_TRY_ASSIGN(Time now, call.work.now());
  return Value(make_date(now, utc()));
}
Result<Value> date(const Call& call) {
  KIST_TRY_ASSIGN(std::string layout, call.text(0));
  return print(call[1], layout, kLocal, call.work);
}
Result<Value> date_in_zone(const Call& call) {
  KIST_TRY_ASSIGN(std::string layout, call.text(0));
  KIST_TRY_ASSIGN(std::string zone, call.text(2));
  return print(call[1], layout, zone, call.work);
}
Result<Value> html_date(const Call& call) {
  return print(call[0], kDay, kLocal, call.work);
}
Result<Value> html_date_in_zone(const Call& call) {
  KIST_TRY_ASSIGN(std::string zone, call.text(1));
  return print(call[0], kDay, zone, call.work);
}

Result<Value> must_modify(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  KIST_TRY_ASSIGN(Date date, call.date(1));
  KIST_TRY_ASSIGN(Duration by, parse_go_duration(text));
  return Value(add(date, by));
}
// A duration that cannot be read changes nothing.
Result<Value> modify(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  KIST_TRY_ASSIGN(Date date, call.date(1));
  return Value(add(date, parse_go_duration(text).value_or(Duration(0))));
}

Result<Value> must_to_date(const Call& call) {
  KIST_TRY_ASSIGN(std::string layout, call.text(0));
  KIST_TRY_ASSIGN(std::string text, call.text(1));
  KIST_TRY_ASSIGN(Date date, parse_date(layout, text, utc()));
  return Value(std::move(date));
}
// What is no date is the first moment of the year 1.
Result<Value> to_date(const Call& call) {
  auto date = must_to_date(call);
  if (date || call[0].text() == nullptr || call[1].text() == nullptr) return date;
  return Value(make_date(Civil{.year = 1}, utc()));
}

Result<Value> unix_epoch(const Call& call) {
  KIST_TRY_ASSIGN(Date date, call.date(0));
  return call.work.make(fmt::format("{}", date.seconds));
}

// How long ago, in whole seconds.
Result<Value> ago(const Call& call) {
  KIST_TRY_ASSIGN(Date then, moment(call[0], call.work));
  KIST_TRY_ASSIGN(Time now, call.work.now());
  auto passed = subtract(make_date(now, utc()), then);
  constexpr Duration kSecond = std::chrono::seconds(1);
  Duration rest = passed % kSecond;
  passed -= rest;
  if (rest >= kSecond / 2 && passed < Duration::max() - kSecond) passed += kSecond;
  if (rest <= -kSecond / 2 && passed > Duration::min() + kSecond) passed -= kSecond;
  return call.work.make(to_go_duration(passed));
}

Result<Value> duration(const Call& call) {
  std::int64_t seconds = 0;
  if (const std::string* text = call[0].text())
    std::from_chars(text->data(), text->data() + text->size(), seconds);
  else if (const auto* integer = call[0].integer())
    seconds = *integer;
  std::int64_t count = 0;
  if (__builtin_mul_overflow(seconds, std::int64_t{1'000'000'000}, &count))
    return fail(ErrorKind::invalid, fmt::format("{} seconds are too long", seconds));
  return call.work.make(to_go_duration(Duration(count)));
}

// The largest unit alone: "2y", "3mo", "5d", "1h".
Result<Value> duration_round(const Call& call) {
  Duration duration(0);
  if (const std::string* text = call[0].text()) {
    duration = parse_go_duration(*text).value_or(Duration(0));
  } else if (call[0].integer() != nullptr) {
    duration = Duration(*call[0].integer());
  } else if (call[0].duration() != nullptr) {
    duration = *call[0].duration();
  } else if (call[0].date() != nullptr) {
    KIST_TRY_ASSIGN(Time now, call.work.now());
    duration = subtract(make_date(now, utc()), *call[0].date());
  }
  auto count = static_cast<std::uint64_t>(duration.count());
  if (duration < Duration(0)) count = 0 - count;
  struct Unit {
    std::string_view name;
    std::uint64_t hours;
  };
  constexpr std::uint64_t kHour = 3'600'000'000'000;
  for (Unit unit : {Unit{"y", 24 * 365}, Unit{"mo", 24 * 30}, Unit{"d", 24}, Unit{"h", 1}})
    if (count > unit.hours * kHour) return call.work.make(fmt::format("{}{}", count / (unit.hours * kHour), unit.name));
  if (count > kHour / 60) return call.work.make(fmt::format("{}m", count / (kHour / 60)));
  if (count > kHour / 3600) return call.work.make(fmt::format("{}s", count / (kHour / 3600)));
  return call.work.make(std::string("0s"));
}

constexpr Function kFunctions[] = {
    {"sprig.now", 0, 0, now},
    {"sprig.date", 2, 2, date},
    {"sprig.dateInZone", 3, 3, date_in_zone},
    {"sprig.date_in_zone", 3, 3, date_in_zone},
    {"sprig.htmlDate", 1, 1, html_date},
    {"sprig.htmlDateInZone", 2, 2, html_date_in_zone},
    {"sprig.dateModify", 2, 2, modify},
    {"sprig.date_modify", 2, 2, modify},
    {"sprig.mustDateModify", 2, 2, must_modify},
    {"sprig.must_date_modify", 2, 2, must_modify},
    {"sprig.toDate", 2, 2, to_date},
    {"sprig.mustToDate", 2, 2, must_to_date},
    {"sprig.unixEpoch", 1, 1, unix_epoch},
    {"sprig.ago", 1, 1, ago},
    {"sprig.duration", 1, 1, duration},
    {"sprig.durationRound", 1, 1, duration_round},
};

}  // namespace

std::span<const Function> sprig_date_functions() {
  return kFunctions;
}

}  // namespace kist::expression
