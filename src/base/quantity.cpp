#include "base/quantity.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace kist {
namespace {

using Wide = __int128;

constexpr Wide kBillion = 1'000'000'000;
constexpr Wide kMost = Wide{std::numeric_limits<std::int64_t>::max()} * kBillion;
constexpr int kLongestExponent = 3;

// What a number is multiplied with: 2^binary * 10^decimal.
struct Scale {
  int binary = 0;
  int decimal = 0;
};

std::optional<Scale> scale_of(std::string_view suffix) {
  using Named = std::pair<std::string_view, Scale>;
  constexpr auto kNamed = std::to_array<Named>({{"", {}},
                                                {"n", {0, -9}},
                                                {"u", {0, -6}},
                                                {"m", {0, -3}},
                                                {"k", {0, 3}},
                                                {"M", {0, 6}},
                                                {"G", {0, 9}},
                                                {"T", {0, 12}},
                                                {"P", {0, 15}},
                                                {"E", {0, 18}},
                                                {"Ki", {10, 0}},
                                                {"Mi", {20, 0}},
                                                {"Gi", {30, 0}},
                                                {"Ti", {40, 0}},
                                                {"Pi", {50, 0}},
                                                {"Ei", {60, 0}}});
  const auto* const named = std::ranges::find(kNamed, suffix, &Named::first);
  if (named != kNamed.end()) return named->second;
  if (!suffix.starts_with('e') && !suffix.starts_with('E')) return std::nullopt;
  suffix.remove_prefix(1);
  if (suffix.starts_with('+')) suffix.remove_prefix(1);
  int exponent = 0;
  const auto [end, error] = std::from_chars(suffix.data(), suffix.data() + suffix.size(), exponent);
  if (error != std::errc() || end != suffix.data() + suffix.size()) return std::nullopt;
  if (suffix.size() > kLongestExponent + 1) return std::nullopt;
  return Scale{0, exponent};
}

std::int64_t divided(Wide value, Wide by) {
  const Wide up = value < 0 ? -((-value + by - 1) / by) : (value + by - 1) / by;
  constexpr Wide kLargest = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::clamp(up, -kLargest, kLargest));
}

}  // namespace

Result<Quantity> Quantity::parse(std::string_view text) {
  const auto wrong = [&] {
    return fail(ErrorKind::invalid,
                fmt::format("'{}' is no quantity: it must be a number, and behind it nothing, one of n, u, m, k, M, G, "
                            "T, P, E, Ki, Mi, Gi, Ti, Pi and Ei, or a power of ten as in 1e3",
                            text));
  };
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  const std::size_t length = std::min(rest.find_first_not_of("0123456789."), rest.size());
  std::string_view number = rest.substr(0, length);
  const auto scale = scale_of(rest.substr(length));
  const auto digits = static_cast<std::size_t>(std::ranges::count_if(number, [](char c) { return c != '.'; }));
  if (!scale || digits == 0 || number.size() - digits > 1) return wrong();

  // Digits first as a whole number of 10^power; then each step of the scale, as long as it still makes a difference.
  Wide value = 0;
  int power = scale->decimal + 9;
  bool more = false;  // something was cut off below
  bool behind_point = false;
  for (const char digit : number) {
    if (digit == '.') {
      behind_point = true;
    } else if (value <= kMost) {
      value = value * 10 + (digit - '0');
      power -= behind_point ? 1 : 0;
    } else {
      more = more || digit != '0';
      power += behind_point ? 0 : 1;
    }
  }
  for (int step = 0; step < scale->binary && value <= kMost; ++step) value *= 2;
  for (; power > 0 && value != 0 && value <= kMost; --power) value *= 10;
  for (; power < 0 && value != 0; ++power) {
    more = more || value % 10 != 0;
    value /= 10;
  }
  if (more) ++value;
  value = std::min(value, kMost);
  return Quantity(negative ? -value : value);
}

std::int64_t Quantity::whole() const {
  return divided(billionths_, kBillion);
}

std::int64_t Quantity::thousandths() const {
  return divided(billionths_, kBillion / 1000);
}

}  // namespace kist
