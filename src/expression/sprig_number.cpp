// Sprig's arithmetic: whatever is given is taken as a number; what is none counts as 0.
#include <charconv>
#include <cmath>
#include <string>

#include <fmt/format.h>

#include "expression/functions.hpp"

namespace kist::expression {
namespace {

double real_of(const Value& value) {
  if (value.is_number()) return value.as_real();
  if (const bool* truth = value.truth()) return *truth ? 1 : 0;
  if (const Duration* duration = value.duration()) return static_cast<double>(duration->count());
  double number = 0;
  if (const std::string* text = value.text()) {
    auto read = std::from_chars(text->data(), text->data() + text->size(), number);
    if (read.ec != std::errc() || read.ptr != text->data() + text->size()) return 0;
  }
  return number;
}

// Texts may be "0x1f", "0b1", "017" (octal); a fraction of zeros is passed over.
std::int64_t integer_of_text(std::string_view text) {
  if (std::size_t dot = text.find('.');
      dot != std::string_view::npos && text.find_first_not_of('0', dot + 1) == std::string_view::npos)
    text = text.substr(0, dot);
  bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int base = 10;
  if (text.size() > 1 && text.front() == '0') {
    char mark = static_cast<char>(text[1] | 0x20);
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    text.remove_prefix(mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  std::int64_t number = 0;
  auto read = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return 0;
  return negative ? -number : number;
}

std::int64_t integer_of(const Value& value) {
  if (const auto* integer = value.integer()) return *integer;
  if (const std::string* text = value.text()) return integer_of_text(*text);
  double real = real_of(value);
  constexpr double kLimit = 9.2e18;
  return std::isfinite(real) && std::abs(real) < kLimit ? static_cast<std::int64_t>(real) : 0;
}

Result<Value> to_integer(const Call& call) {
  return Value(integer_of(call[0]));
}
Result<Value> to_real(const Call& call) {
  return Value(real_of(call[0]));
}
// Octal digits, as of file modes.
Result<Value> to_decimal(const Call& call) {
  std::string digits = to_plain_text(call[0]);
  std::int64_t number = 0;
  auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number, 8);
  bool whole = read.ec == std::errc() && read.ptr == digits.data() + digits.size();
  return Value(whole ? number : std::int64_t{0});
}
Result<Value> atoi(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  std::int64_t number = 0;
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  bool whole = read.ec == std::errc() && read.ptr == digits.data() + digits.size();
  return Value(whole ? number : std::int64_t{0});
}

using Bits = std::uint64_t;
Value wrapped(Bits bits) {
  return Value(static_cast<std::int64_t>(bits));
}

Result<Value> add(const Call& call) {
  Bits sum = 0;
  for (const Value& value : call.arguments) sum += static_cast<Bits>(integer_of(value));
  return wrapped(sum);
}
Result<Value> add1(const Call& call) {
  return wrapped(static_cast<Bits>(integer_of(call[0])) + 1);
}
Result<Value> sub(const Call& call) {
  return wrapped(static_cast<Bits>(integer_of(call[0])) - static_cast<Bits>(integer_of(call[1])));
}
Result<Value> mul(const Call& call) {
  Bits product = 1;
  for (const Value& value : call.arguments) product *= static_cast<Bits>(integer_of(value));
  return wrapped(product);
}
Result<Value> div(const Call& call) {
  std::int64_t by = integer_of(call[1]);
  if (by == 0) return fail(ErrorKind::invalid, "division by zero");
  if (by == -1) return wrapped(0 - static_cast<Bits>(integer_of(call[0])));
  return Value(integer_of(call[0]) / by);
}
Result<Value> mod(const Call& call) {
  std::int64_t by = integer_of(call[1]);
  if (by == 0) return fail(ErrorKind::invalid, "division by zero");
  return Value(by == -1 ? std::int64_t{0} : integer_of(call[0]) % by);
}

Result<Value> maximum(const Call& call) {
  std::int64_t found = integer_of(call[0]);
  for (const Value& value : call.arguments) found = std::max(found, integer_of(value));
  return Value(found);
}
Result<Value> minimum(const Call& call) {
  std::int64_t found = integer_of(call[0]);
  for (const Value& value : call.arguments) found = std::min(found, integer_of(value));
  return Value(found);
}
Result<Value> maximum_real(const Call& call) {
  double found = real_of(call[0]);
  for (const Value& value : call.arguments) found = std::max(found, real_of(value));
  return Value(found);
}
Result<Value> minimum_real(const Call& call) {
  double found = real_of(call[0]);
  for (const Value& value : call.arguments) found = std::min(found, real_of(value));
  return Value(found);
}

// Decimal digits are what counts (0.1 + 0.2 is 0.3): 17 digits are calculated with and the last ones rounded away.
double tidy(long double number) {
  std::string text = fmt::format("{:.15Lg}", number);
  return std::strtod(text.c_str(), nullptr);
}
template <typename Operation>
Result<Value> decimal(const Call& call, Operation operation) {
  long double result = real_of(call[0]);
  for (std::size_t i = 1; i < call.count(); ++i) result = operation(result, static_cast<long double>(real_of(call[i])));
  return Value(tidy(result));
}
Result<Value> add_real(const Call& call) {
  if (call.count() == 0) return Value(0.0);
  return decimal(call, [](long double a, long double b) { return a + b; });
}
Result<Value> add1_real(const Call& call) {
  return Value(tidy(static_cast<long double>(real_of(call[0])) + 1));
}
Result<Value> sub_real(const Call& call) {
  return decimal(call, [](long double a, long double b) { return a - b; });
}
Result<Value> mul_real(const Call& call) {
  return decimal(call, [](long double a, long double b) { return a * b; });
}
Result<Value> div_real(const Call& call) {
  for (std::size_t i = 1; i < call.count(); ++i)
    if (real_of(call[i]) == 0) return fail(ErrorKind::invalid, "division by zero");
  return decimal(call, [](long double a, long double b) { return a / b; });
}

Result<Value> floor_of(const Call& call) {
  return Value(std::floor(real_of(call[0])));
}
Result<Value> ceil_of(const Call& call) {
  return Value(std::ceil(real_of(call[0])));
}
// round(number, places[, up from which fraction])
Result<Value> round_to(const Call& call) {
  KIST_TRY_ASSIGN(std::int64_t places, call.integer(1));
  double up_from = 0.5;
  if (call.count() == 3) {
    KIST_TRY_ASSIGN(up_from, call.real(2));
  }
  double power = std::pow(10.0, static_cast<double>(places));
  double digit = power * real_of(call[0]);
  double whole = 0;
  double fraction = std::modf(digit, &whole);
  return Value((fraction >= up_from ? std::ceil(digit) : std::floor(digit)) / power);
}

constexpr Function kFunctions[] = {
    {"sprig.int", 1, 1, to_integer},
    {"sprig.int64", 1, 1, to_integer},
    {"sprig.float64", 1, 1, to_real},
    {"sprig.toDecimal", 1, 1, to_decimal},
    {"sprig.atoi", 1, 1, atoi},
    {"sprig.add", 0, Function::kAny, add},
    {"sprig.add1", 1, 1, add1},
    {"sprig.sub", 2, 2, sub},
    {"sprig.mul", 1, Function::kAny, mul},
    {"sprig.div", 2, 2, div},
    {"sprig.mod", 2, 2, mod},
    {"sprig.max", 1, Function::kAny, maximum},
    {"sprig.biggest", 1, Function::kAny, maximum},
    {"sprig.min", 1, Function::kAny, minimum},
    {"sprig.maxf", 1, Function::kAny, maximum_real},
    {"sprig.minf", 1, Function::kAny, minimum_real},
    {"sprig.addf", 0, Function::kAny, add_real},
    {"sprig.add1f", 1, 1, add1_real},
    {"sprig.subf", 1, Function::kAny, sub_real},
    {"sprig.mulf", 1, Function::kAny, mul_real},
    {"sprig.divf", 1, Function::kAny, div_real},
    {"sprig.floor", 1, 1, floor_of},
    {"sprig.ceil", 1, 1, ceil_of},
    {"sprig.round", 2, 3, round_to},
};

}  // namespace

std::span<const Function> sprig_number_functions() {
  return kFunctions;
}

}  // namespace kist::expression
