#include "expression/duration.hpp"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

#include "expression/characters.hpp"

namespace kist::expression {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};
// Longer names before what they begin with.
constexpr Unit kUnits[] = {{"ns", 1},         {"us", 1'000},        {"µs", 1'000},         {"μs", 1'000},
                           {"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000}};

// The longest run of digits that still is exact; more are no length of time.
constexpr std::size_t kMostDigits = 18;

std::string_view take_digits(std::string_view& text) {
  auto count = static_cast<std::size_t>(std::ranges::find_if_not(text, is_ascii_digit) - text.begin());
  std::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

std::int64_t to_number(std::string_view digits) {
  std::int64_t number = 0;
  for (char c : digits) number = number * 10 + (c - '0');
  return number;
}

}  // namespace

Result<std::chrono::nanoseconds> parse_go_duration(std::string_view text) {
  auto bad = [&] {
    return fail(ErrorKind::invalid, fmt::format("'{}' is not a duration; write it like 1h30m, 90s or 300ms", text));
  };
  std::string_view rest = text;
  bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest == "0") return std::chrono::nanoseconds(0);
  if (rest.empty()) return bad();
  std::int64_t total = 0;
  while (!rest.empty()) {
    std::string_view whole = take_digits(rest);
    std::string_view fraction;
    if (rest.starts_with('.')) {
      rest.remove_prefix(1);
      fraction = take_digits(rest);
    }
    const auto* unit = std::ranges::find_if(kUnits, [&](const Unit& one) { return rest.starts_with(one.name); });
    if (unit == std::end(kUnits) || (whole.empty() && fraction.empty()) || whole.size() > kMostDigits) return bad();
    rest.remove_prefix(unit->name.size());
    std::int64_t part = 0;
    if (__builtin_mul_overflow(to_number(whole), unit->nanoseconds, &part)) return bad();
    std::int64_t scale = unit->nanoseconds;
    for (char c : fraction) {
      scale /= 10;
      if (__builtin_add_overflow(part, (c - '0') * scale, &part)) return bad();
    }
    if (__builtin_add_overflow(total, part, &total)) return bad();
  }
  return std::chrono::nanoseconds(negative ? -total : total);
}

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  bool bare = !text.empty() && text.size() <= kMostDigits && std::ranges::all_of(text, is_ascii_digit);
  if (!bare) return parse_go_duration(text);
  constexpr auto kMost = std::chrono::nanoseconds::max();
  const std::chrono::seconds seconds(to_number(text));
  return seconds > std::chrono::floor<std::chrono::seconds>(kMost) ? kMost : std::chrono::nanoseconds(seconds);
}

std::string to_go_duration(std::chrono::nanoseconds duration) {
  std::int64_t count = duration.count();
  if (count == 0) return "0s";
  bool negative = count < 0;
  std::uint64_t rest = negative ? 0 - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
  auto with_fraction = [](std::uint64_t number, std::uint64_t unit, int digits) {
    std::string text = fmt::format("{}", number / unit);
    if (number % unit != 0) {
      text += fmt::format(".{:0{}}", number % unit, digits);
      text.erase(text.find_last_not_of('0') + 1);
    }
    return text;
  };
  std::string text = negative ? "-" : "";
  if (rest < 1'000) return fmt::format("{}{}ns", text, rest);
  if (rest < 1'000'000) return text + with_fraction(rest, 1'000, 3) + "µs";
  if (rest < 1'000'000'000) return text + with_fraction(rest, 1'000'000, 6) + "ms";
  constexpr std::uint64_t kMinute = 60'000'000'000;
  std::uint64_t minutes = rest / kMinute;
  if (minutes >= 60) text += fmt::format("{}h", minutes / 60);
  if (minutes > 0) text += fmt::format("{}m", minutes % 60);
  return text + with_fraction(rest % kMinute, 1'000'000'000, 9) + "s";
}

}  // namespace kist::expression
