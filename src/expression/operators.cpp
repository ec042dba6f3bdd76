#include "expression/operators.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "expression/regex.hpp"

namespace kist::expression {
namespace {

using syntax::Operator;

std::string_view spelling(Operator op) {
  switch (op) {
    case Operator::add:
      return "+";
    case Operator::subtract:
      return "-";
    case Operator::multiply:
      return "*";
    case Operator::divide:
      return "/";
    case Operator::remainder:
      return "%";
    case Operator::power:
      return "**";
    case Operator::range:
      return "..";
    case Operator::in:
      return "in";
    case Operator::matches:
      return "matches";
    case Operator::contains:
      return "contains";
    case Operator::starts_with:
      return "startsWith";
    default:
      return "endsWith";
  }
}

std::unexpected<Error> no_such(Operator op, const Value& left, const Value& right) {
  return fail(ErrorKind::invalid,
              fmt::format("'{}' does not go with {} and {}", spelling(op), left.type(), right.type()));
}

// Integers wrap around, as Go's do.
std::int64_t wrap(Operator op, std::int64_t a, std::int64_t b) {
  auto x = static_cast<std::uint64_t>(a);
  auto y = static_cast<std::uint64_t>(b);
  if (op == Operator::add) return static_cast<std::int64_t>(x + y);
  if (op == Operator::subtract) return static_cast<std::int64_t>(x - y);
  return static_cast<std::int64_t>(x * y);
}

Result<Value> calculate(Operator op, const Value& left, const Value& right) {
  if (op == Operator::divide) return Value(left.as_real() / right.as_real());
  if (op == Operator::power) return Value(std::pow(left.as_real(), right.as_real()));
  if (left.integer() != nullptr && right.integer() != nullptr) {
    if (op != Operator::remainder) return Value(wrap(op, *left.integer(), *right.integer()));
    if (*right.integer() == 0) return fail(ErrorKind::invalid, "division by zero");
    return Value(*right.integer() == -1 ? std::int64_t{0} : *left.integer() % *right.integer());
  }
  if (op == Operator::add) return Value(left.as_real() + right.as_real());
  if (op == Operator::subtract) return Value(left.as_real() - right.as_real());
  if (op == Operator::multiply) return Value(left.as_real() * right.as_real());
  return no_such(op, left, right);
}

Duration wrap(Operator op, Duration a, Duration b) {
  return Duration(wrap(op, a.count(), b.count()));
}

Result<Value> with_time(Operator op, const Value& left, const Value& right) {
  const auto* left_duration = left.duration();
  const auto* right_duration = right.duration();
  if (op == Operator::add) {
    if (left.date() != nullptr && right_duration != nullptr) return Value(add(*left.date(), *right_duration));
    if (left_duration != nullptr && right.date() != nullptr) return Value(add(*right.date(), *left_duration));
  }
  if (op == Operator::subtract && left.date() != nullptr) {
    if (right.date() != nullptr) return Value(subtract(*left.date(), *right.date()));
    if (right_duration != nullptr)
      return Value(add(*left.date(), wrap(Operator::subtract, Duration(0), *right_duration)));
  }
  bool sum = op == Operator::add || op == Operator::subtract;
  if (sum && left_duration != nullptr && right_duration != nullptr)
    return Value(wrap(op, *left_duration, *right_duration));
  if (op == Operator::multiply) {
    const auto* duration = left_duration != nullptr ? left_duration : right_duration;
    const Value& factor = left_duration != nullptr ? right : left;
    if (duration != nullptr && factor.integer() != nullptr)
      return Value(wrap(op, *duration, Duration(*factor.integer())));
    if (duration != nullptr && factor.real() != nullptr)
      return Value(static_cast<double>(duration->count()) * *factor.real());
    if (left_duration != nullptr && right_duration != nullptr) return Value(wrap(op, *left_duration, *right_duration));
  }
  return no_such(op, left, right);
}

Result<Value> range(const Value& left, const Value& right, Work& work) {
  if (!left.is_number() || !right.is_number()) return no_such(Operator::range, left, right);
  auto bound = [](const Value& value) {
    constexpr double kLimit = 9e18;
    return value.integer() != nullptr ? *value.integer()
                                      : static_cast<std::int64_t>(std::clamp(*value.real(), -kLimit, kLimit));
  };
  std::int64_t first = bound(left);
  std::int64_t last = bound(right);
  List list;
  if (last >= first) {
    std::uint64_t size = static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first);
    KIST_TRY(work.spend(std::min<std::uint64_t>(size, 1UL << 40) * sizeof(Value)));
    list.reserve(size + 1);
    for (std::uint64_t i = 0; i <= size; ++i)
      list.emplace_back(static_cast<std::int64_t>(static_cast<std::uint64_t>(first) + i));
  }
  return work.make(std::move(list));
}

Result<Value> is_in(const Value& left, const Value& right, Work& work) {
  if (right.is_nil()) return Value(false);
  if (const Map* map = right.map()) return Value(left.text() != nullptr && map->contains(*left.text()));
  const List* list = right.list();
  if (list == nullptr) return no_such(Operator::in, left, right);
  KIST_TRY(work.walk(std::min(right.weight(), left.weight() * list->size())));
  return Value(std::ranges::any_of(*list, [&](const Value& item) { return equal(item, left); }));
}

Result<Value> search(Operator op, const Value& left, const Value& right, Work& work) {
  if (left.is_nil() || right.is_nil()) return Value(false);
  const std::string* text = left.text();
  const std::string* wanted = right.text();
  if (text == nullptr || wanted == nullptr) return no_such(op, left, right);
  KIST_TRY(work.walk(text->size() + wanted->size()));
  if (op == Operator::contains) return Value(text->contains(*wanted));
  if (op == Operator::starts_with) return Value(text->starts_with(*wanted));
  if (op == Operator::ends_with) return Value(text->ends_with(*wanted));
  KIST_TRY_ASSIGN(Regex pattern, Regex::compile(*wanted));
  return Value(pattern.matches(*text));
}

}  // namespace

Result<Value> operate(Operator op, const Value& left, const Value& right, Work& work) {
  switch (op) {
    case Operator::equal:
    case Operator::not_equal:
      KIST_TRY(work.walk(std::min(left.weight(), right.weight())));
      return Value(equal(left, right) == (op == Operator::equal));
    case Operator::less:
      return then(less(left, right), [](bool holds) { return Value(holds); });
    case Operator::greater:
      return then(less(right, left), [](bool holds) { return Value(holds); });
    case Operator::less_or_equal:
      if (left.real() != nullptr && right.is_number()) return Value(*left.real() <= right.as_real());
      if (right.real() != nullptr && left.is_number()) return Value(left.as_real() <= *right.real());
      return then(less(right, left), [](bool holds) { return Value(!holds); });
    case Operator::greater_or_equal:
      if (left.real() != nullptr && right.is_number()) return Value(*left.real() >= right.as_real());
      if (right.real() != nullptr && left.is_number()) return Value(left.as_real() >= *right.real());
      return then(less(left, right), [](bool holds) { return Value(!holds); });
    case Operator::in:
      return is_in(left, right, work);
    case Operator::matches:
    case Operator::contains:
    case Operator::starts_with:
    case Operator::ends_with:
      return search(op, left, right, work);
    case Operator::range:
      return range(left, right, work);
    default:
      break;
  }
  if (op == Operator::add && left.text() != nullptr && right.text() != nullptr) {
    KIST_TRY(work.spend(left.text()->size() + right.text()->size()));
    return work.make(*left.text() + *right.text());
  }
  if (left.is_number() && right.is_number()) return calculate(op, left, right);
  return with_time(op, left, right);
}

Result<Value> negate(const Value& value) {
  if (const auto* integer = value.integer()) return Value(wrap(Operator::subtract, 0, *integer));
  if (const auto* real = value.real()) return Value(-*real);
  return fail(ErrorKind::invalid, fmt::format("'-' does not go with {}", value.type()));
}

Result<Value> slice(const Value& base, const Value& from, const Value& to, Work& work) {
  const std::string* text = base.text();
  const List* list = base.list();
  if (text == nullptr && list == nullptr)
    return fail(ErrorKind::invalid, fmt::format("a part of {} cannot be taken", base.type()));
  auto length = static_cast<std::int64_t>(text != nullptr ? text->size() : list->size());
  auto place = [&](const Value& value, std::int64_t otherwise) -> Result<std::int64_t> {
    if (value.is_nil()) return otherwise;
    if (value.integer() == nullptr)
      return fail(ErrorKind::invalid, fmt::format("{} is no place in a list or text", value.type()));
    std::int64_t at = *value.integer();
    return std::clamp<std::int64_t>(at < 0 ? at + length : at, 0, length);
  };
  KIST_TRY_ASSIGN(std::int64_t first, place(from, 0));
  KIST_TRY_ASSIGN(std::int64_t last, place(to, length));
  first = std::min(first, last);
  if (text != nullptr)
    return work.make(text->substr(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first)));
  return work.make(List(list->begin() + first, list->begin() + last));
}

}  // namespace kist::expression
