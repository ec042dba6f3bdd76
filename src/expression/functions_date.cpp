// Dates, durations and zones: what makes them, and their methods.
#include <array>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include "expression/duration.hpp"
#include "expression/functions.hpp"

namespace kist::expression {
namespace {

Result<Value> now(const Call& call) {
  ZonePointer zone = utc();
  if (call.count() == 1) {
    if (call[0].zone() == nullptr)
      return fail(ErrorKind::invalid, fmt::format("argument 1 must be a time zone, not {}", call[0].type()));
    zone = *call[0].zone();
  }
  KIST_TRY_ASSIGN(Time time, call.work.now());
  return Value(make_date(time, std::move(zone)));
}

Result<Value> duration(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  return then(parse_go_duration(text), [](Duration duration) { return Value(duration); });
}

Result<Value> timezone(const Call& call) {
  KIST_TRY_ASSIGN(std::string name, call.text(0));
  return then(find_zone(name), [](ZonePointer zone) { return Value(std::move(zone)); });
}

constexpr std::string_view kRfc1123 = "Mon, 02 Jan 2006 15:04:05 MST";
constexpr auto kLayouts =
    std::to_array<std::string_view>({"2006-01-02", "15:04:05", "2006-01-02 15:04:05", kRfc3339, "02 Jan 06 15:04 MST",
                                     "Monday, 02-Jan-06 15:04:05 MST", kRfc1123});

// date([zone,] text[, layout[, zone name]])
Result<Value> date(const Call& outer) {
  ZonePointer zone = utc();
  std::span<const Value> arguments = outer.arguments;
  if (arguments[0].zone() != nullptr) {
    zone = *arguments[0].zone();
    arguments = arguments.subspan(1);
  }
  Call call{arguments, outer.work};
  if (call.count() == 0 || call.count() > 3)
    return fail(ErrorKind::invalid, "takes a text, and perhaps a layout and the name of a zone");
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  auto as_value = [](Date date) { return Value(std::move(date)); };
  if (call.count() > 1) {
    KIST_TRY_ASSIGN(std::string layout, call.text(1));
    if (call.count() == 3) {
      KIST_TRY_ASSIGN(std::string name, call.text(2));
      KIST_TRY_ASSIGN(zone, find_zone(name));
    }
    return then(parse_date(layout, text, zone), as_value);
  }
  for (std::string_view layout : kLayouts)
    if (auto date = parse_date(layout, text, zone)) return as_value(std::move(*date));
  return fail(ErrorKind::invalid, fmt::format("'{}' is not a date; say its layout", text));
}

struct Method {
  std::string_view name;
  std::size_t arguments;
  Result<Value> (*call)(const Call&);  // the date or duration is the first argument
};

Value number(std::int64_t value) {
  return Value(value);
}
template <typename Get>
Result<Value> of_civil(const Call& call, Get get) {
  return number(get(civil(*call[0].date())));
}

Result<Duration> duration_argument(const Call& call, std::size_t index) {
  if (const Duration* duration = call[index].duration()) return *duration;
  return fail(ErrorKind::invalid, fmt::format("argument {} must be a duration, not {}", index, call[index].type()));
}

Result<Value> add_date(const Call& call) {
  std::array<std::int64_t, 3> by{};
  for (std::size_t i = 0; i < by.size(); ++i) {
    KIST_TRY_ASSIGN(by[i], call.integer(i + 1));
    constexpr std::int64_t kMost = 1'000'000;
    if (std::abs(by[i]) > kMost) return fail(ErrorKind::invalid, fmt::format("{} is too much", by[i]));
  }
  const Date& date = *call[0].date();
  Civil moved = civil(date);
  moved.year += by[0];
  moved.month += static_cast<int>(by[1]);
  moved.day += static_cast<int>(by[2]);
  return Value(make_date(moved, date.zone));
}

// A multiple of a duration since the year 1, below the date or next to it.
Result<Value> to_multiple(const Call& call, bool nearest) {
  KIST_TRY_ASSIGN(Duration unit, duration_argument(call, 1));
  const Date& date = *call[0].date();
  if (unit.count() <= 0) return call[0];
  constexpr std::int64_t kYearOne = -62'135'596'800;
  __extension__ using Wide = __int128;
  Wide since = static_cast<Wide>(date.seconds - kYearOne) * 1'000'000'000 + date.nanoseconds;
  auto rest = static_cast<std::int64_t>(since % unit.count());
  if (rest < 0) rest += unit.count();
  bool up = nearest && rest >= unit.count() - rest;
  return Value(add(date, Duration(up ? unit.count() - rest : -rest)));
}

constexpr Method kDateMethods[] = {
    {"Year", 0, [](const Call& call) { return of_civil(call, [](const Civil& at) { return at.year; }); }},
    {"Month", 0, [](const Call& call) { return of_civil(call, [](const Civil& at) { return at.month; }); }},
    {"Day", 0, [](const Call& call) { return of_civil(call, [](const Civil& at) { return at.day; }); }},
    {"Hour", 0, [](const Call& call) { return of_civil(call, [](const Civil& at) { return at.hour; }); }},
    {"Minute", 0, [](const Call& call) { return of_civil(call, [](const Civil& at) { return at.minute; }); }},
    {"Second", 0, [](const Call& call) { return of_civil(call, [](const Civil& at) { return at.second; }); }},
    {"Nanosecond", 0, [](const Call& call) { return of_civil(call, [](const Civil& at) { return at.nanosecond; }); }},
    {"Weekday", 0, [](const Call& call) -> Result<Value> { return number(weekday(*call[0].date())); }},
    {"YearDay", 0, [](const Call& call) -> Result<Value> { return number(year_day(*call[0].date())); }},
    {"Unix", 0, [](const Call& call) -> Result<Value> { return number(call[0].date()->seconds); }},
    {"UnixMilli", 0,
     [](const Call& call) -> Result<Value> {
       return number(static_cast<std::int64_t>(static_cast<std::uint64_t>(call[0].date()->seconds) * 1000) +
                     call[0].date()->nanoseconds / 1'000'000);
     }},
    {"UnixNano", 0,
     [](const Call& call) -> Result<Value> {
       return number(static_cast<std::int64_t>(static_cast<std::uint64_t>(call[0].date()->seconds) * 1'000'000'000) +
                     call[0].date()->nanoseconds);
     }},
    {"IsZero", 0,
     [](const Call& call) -> Result<Value> { return Value(*call[0].date() == Date{-62'135'596'800, 0, utc()}); }},
    {"UTC", 0,
     [](const Call& call) -> Result<Value> {
       Date date = *call[0].date();
       date.zone = utc();
       return Value(std::move(date));
     }},
    {"In", 1,
     [](const Call& call) -> Result<Value> {
       if (call[1].zone() == nullptr)
         return fail(ErrorKind::invalid, fmt::format("argument 1 must be a time zone, not {}", call[1].type()));
       Date date = *call[0].date();
       date.zone = *call[1].zone();
       return Value(std::move(date));
     }},
    {"Location", 0, [](const Call& call) -> Result<Value> { return Value(call[0].date()->zone); }},
    {"Format", 1,
     [](const Call& call) -> Result<Value> {
       KIST_TRY_ASSIGN(std::string layout, call.text(1));
       KIST_TRY(call.work.spend(layout.size() * 8));
       return call.work.make(format(*call[0].date(), layout));
     }},
    {"String", 0, [](const Call& call) { return call.work.make(to_plain_text(call[0])); }},
    {"Add", 1,
     [](const Call& call) -> Result<Value> {
       KIST_TRY_ASSIGN(Duration by, duration_argument(call, 1));
       return Value(add(*call[0].date(), by));
     }},
    {"AddDate", 3, add_date},
    {"Sub", 1,
     [](const Call& call) -> Result<Value> {
       KIST_TRY_ASSIGN(Date other, call.date(1));
       return Value(subtract(*call[0].date(), other));
     }},
    {"Before", 1,
     [](const Call& call) -> Result<Value> {
       KIST_TRY_ASSIGN(Date other, call.date(1));
       return Value(*call[0].date() < other);
     }},
    {"After", 1,
     [](const Call& call) -> Result<Value> {
       KIST_TRY_ASSIGN(Date other, call.date(1));
       return Value(other < *call[0].date());
     }},
    {"Equal", 1,
     [](const Call& call) -> Result<Value> {
       KIST_TRY_ASSIGN(Date other, call.date(1));
       return Value(*call[0].date() == other);
     }},
    {"Truncate", 1, [](const Call& call) { return to_multiple(call, false); }},
    {"Round", 1, [](const Call& call) { return to_multiple(call, true); }},
};

double in_units(const Call& call, double unit) {
  return static_cast<double>(call[0].duration()->count()) / unit;
}

Result<Value> duration_to_multiple(const Call& call, bool nearest) {
  KIST_TRY_ASSIGN(Duration unit, duration_argument(call, 1));
  Duration duration = *call[0].duration();
  if (unit.count() <= 0) return call[0];
  Duration rest = duration % unit;
  Duration down = duration - rest;
  Duration size = rest < Duration(0) ? -rest : rest;
  if (!nearest || size < unit - size) return Value(down);
  std::int64_t result = 0;
  if (__builtin_add_overflow(down.count(), rest < Duration(0) ? -unit.count() : unit.count(), &result))
    return Value(duration);
  return Value(Duration(result));
}

constexpr Method kDurationMethods[] = {
    {"Hours", 0, [](const Call& call) -> Result<Value> { return Value(in_units(call, 3.6e12)); }},
    {"Minutes", 0, [](const Call& call) -> Result<Value> { return Value(in_units(call, 6e10)); }},
    {"Seconds", 0, [](const Call& call) -> Result<Value> { return Value(in_units(call, 1e9)); }},
    {"Milliseconds", 0,
     [](const Call& call) -> Result<Value> { return number(call[0].duration()->count() / 1'000'000); }},
    {"Microseconds", 0, [](const Call& call) -> Result<Value> { return number(call[0].duration()->count() / 1000); }},
    {"Nanoseconds", 0, [](const Call& call) -> Result<Value> { return number(call[0].duration()->count()); }},
    {"String", 0, [](const Call& call) { return call.work.make(to_plain_text(call[0])); }},
    {"Abs", 0,
     [](const Call& call) -> Result<Value> {
       Duration duration = *call[0].duration();
       return Value(duration == Duration::min() ? Duration::max() : std::chrono::abs(duration));
     }},
    {"Truncate", 1, [](const Call& call) { return duration_to_multiple(call, false); }},
    {"Round", 1, [](const Call& call) { return duration_to_multiple(call, true); }},
};

constexpr Method kZoneMethods[] = {
    {"String", 0, [](const Call& call) { return call.work.make(to_plain_text(call[0])); }},
};

constexpr Function kFunctions[] = {
    {"now", 0, 1, now},
    {"duration", 1, 1, duration},
    {"date", 1, 4, date},
    {"timezone", 1, 1, timezone},
};

}  // namespace

Result<Value> call_method(const Value& base, std::string_view name, std::span<const Value> arguments, Work& work) {
  std::span<const Method> methods;
  if (base.date() != nullptr) methods = kDateMethods;
  if (base.duration() != nullptr) methods = kDurationMethods;
  if (base.zone() != nullptr) methods = kZoneMethods;
  for (const Method& method : methods) {
    if (method.name != name) continue;
    if (method.arguments != arguments.size())
      return fail(ErrorKind::invalid,
                  fmt::format("{} takes {} arguments, not {}", name, method.arguments, arguments.size()));
    std::vector<Value> all{base};
    all.insert(all.end(), arguments.begin(), arguments.end());
    auto result = method.call(Call{all, work});
    if (!result) result.error().text = fmt::format("{}: {}", name, result.error().text);
    return result;
  }
  return fail(ErrorKind::invalid, fmt::format("{} has no method '{}'", base.type(), name));
}

std::span<const Function> date_functions() {
  return kFunctions;
}

}  // namespace kist::expression
