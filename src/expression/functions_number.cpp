#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "expression/functions.hpp"

namespace kist::expression {
namespace {

Result<Value> absolute(const Call& call) {
  if (const auto* integer = call[0].integer())
    return Value(*integer < 0 ? static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(*integer)) : *integer);
  KIST_TRY_ASSIGN(double number, call.real(0));
  return Value(std::abs(number));
}

template <double (*kRound)(double)>
Result<Value> rounded(const Call& call) {
  KIST_TRY_ASSIGN(double number, call.real(0));
  return Value(kRound(number));
}
double ceiling(double number) {
  return std::ceil(number);
}
double floor_of(double number) {
  return std::floor(number);
}
double half_away(double number) {
  return std::round(number);
}

// All numbers of the arguments, those in arrays (of arrays …) included.
Status collect(std::span<const Value> values, List& numbers, Work& work) {
  for (const Value& value : values) {
    KIST_TRY(work.step());
    if (const List* list = value.list()) {
      KIST_TRY(collect(*list, numbers, work));
    } else if (value.is_number()) {
      numbers.push_back(value);
    } else {
      return fail(ErrorKind::invalid, fmt::format("a number is needed, not {}", value.type()));
    }
  }
  return {};
}

Result<Value> extreme(const Call& call, bool largest) {
  List numbers;
  KIST_TRY(collect(call.arguments, numbers, call.work));
  Value found;
  for (const Value& number : numbers) {
    if (found.is_nil()) found = number;
    KIST_TRY_ASSIGN(bool better, largest ? less(found, number) : less(number, found));
    if (better) found = number;
  }
  return found;
}
Result<Value> maximum(const Call& call) {
  return extreme(call, true);
}
Result<Value> minimum(const Call& call) {
  return extreme(call, false);
}

Result<Value> mean(const Call& call) {
  List numbers;
  KIST_TRY(collect(call.arguments, numbers, call.work));
  double total = 0;
  for (const Value& number : numbers) total += number.as_real();
  return Value(numbers.empty() ? 0.0 : total / static_cast<double>(numbers.size()));
}

Result<Value> median(const Call& call) {
  List values;
  KIST_TRY(collect(call.arguments, values, call.work));
  std::vector<double> numbers;
  for (const Value& value : values) numbers.push_back(value.as_real());
  if (numbers.empty()) return Value(0.0);
  if (std::ranges::any_of(numbers, [](double number) { return std::isnan(number); })) return Value(std::nan(""));
  std::ranges::sort(numbers);
  std::size_t middle = numbers.size() / 2;
  return Value(numbers.size() % 2 == 1 ? numbers[middle] : (numbers[middle - 1] + numbers[middle]) / 2);
}

Result<std::pair<std::uint64_t, std::uint64_t>> two_integers(const Call& call) {
  for (std::size_t i = 0; i < 2; ++i)
    if (call[i].integer() == nullptr)
      return fail(ErrorKind::invalid, fmt::format("argument {} must be an integer, not {}", i + 1, call[i].type()));
  return std::pair(static_cast<std::uint64_t>(*call[0].integer()), static_cast<std::uint64_t>(*call[1].integer()));
}
Value integer(std::uint64_t bits) {
  return Value(static_cast<std::int64_t>(bits));
}
Result<Value> bit_and(const Call& call) {
  return then(two_integers(call), [](auto pair) { return integer(pair.first & pair.second); });
}
Result<Value> bit_or(const Call& call) {
  return then(two_integers(call), [](auto pair) { return integer(pair.first | pair.second); });
}
Result<Value> bit_xor(const Call& call) {
  return then(two_integers(call), [](auto pair) { return integer(pair.first ^ pair.second); });
}
Result<Value> bit_and_not(const Call& call) {
  return then(two_integers(call), [](auto pair) { return integer(pair.first & ~pair.second); });
}
Result<Value> bit_not(const Call& call) {
  KIST_TRY_ASSIGN(std::int64_t number, call.integer(0));
  return Value(~number);
}

Result<Value> shift(const Call& call, std::uint64_t (*by)(std::uint64_t, std::uint64_t)) {
  KIST_TRY_ASSIGN(auto pair, two_integers(call));
  if (*call[1].integer() < 0) return fail(ErrorKind::invalid, fmt::format("{} is less than 0", *call[1].integer()));
  return integer(by(pair.first, pair.second));
}
Result<Value> shift_left(const Call& call) {
  return shift(call, [](std::uint64_t bits, std::uint64_t by) { return by < 64 ? bits << by : 0; });
}
Result<Value> shift_right(const Call& call) {
  return shift(call, [](std::uint64_t bits, std::uint64_t by) {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(bits) >> std::min<std::uint64_t>(by, 63));
  });
}
Result<Value> shift_right_unsigned(const Call& call) {
  return shift(call, [](std::uint64_t bits, std::uint64_t by) { return by < 64 ? bits >> by : 0; });
}

constexpr Function kFunctions[] = {
    {"abs", 1, 1, absolute},
    {"ceil", 1, 1, rounded<ceiling>},
    {"floor", 1, 1, rounded<floor_of>},
    {"round", 1, 1, rounded<half_away>},
    {"max", 1, Function::kAny, maximum},
    {"min", 1, Function::kAny, minimum},
    {"mean", 1, Function::kAny, mean},
    {"median", 1, Function::kAny, median},
    {"bitand", 2, 2, bit_and},
    {"bitor", 2, 2, bit_or},
    {"bitxor", 2, 2, bit_xor},
    {"bitnand", 2, 2, bit_and_not},
    {"bitnot", 1, 1, bit_not},
    {"bitshl", 2, 2, shift_left},
    {"bitshr", 2, 2, shift_right},
    {"bitushr", 2, 2, shift_right_unsigned},
};

}  // namespace

std::span<const Function> number_functions() {
  return kFunctions;
}

}  // namespace kist::expression
