// Sprig's functions of lists.
#include <algorithm>

#include <fmt/format.h>

#include "expression/functions.hpp"

namespace kist::expression {
namespace {

Result<Value> list(const Call& call) {
  return call.work.make(List(call.arguments.begin(), call.arguments.end()));
}

Result<Value> first(const Call& call) {
  KIST_TRY_ASSIGN(const List* list, call.list(0));
  return list->empty() ? Value() : list->front();
}
Result<Value> last(const Call& call) {
  KIST_TRY_ASSIGN(const List* list, call.list(0));
  return list->empty() ? Value() : list->back();
}
Result<Value> rest(const Call& call) {
  KIST_TRY_ASSIGN(const List* list, call.list(0));
  if (list->empty()) return Value();
  return call.work.make(List(list->begin() + 1, list->end()));
}
Result<Value> initial(const Call& call) {
  KIST_TRY_ASSIGN(const List* list, call.list(0));
  if (list->empty()) return Value();
  return call.work.make(List(list->begin(), list->end() - 1));
}
Result<Value> append(const Call& call) {
  KIST_TRY_ASSIGN(const List* list, call.list(0));
  List result = *list;
  result.push_back(call[1]);
  return call.work.make(std::move(result));
}
Result<Value> prepend(const Call& call) {
  KIST_TRY_ASSIGN(const List* list, call.list(0));
  List result{call[1]};
  result.insert(result.end(), list->begin(), list->end());
  return call.work.make(std::move(result));
}
Result<Value> reverse(const Call& call) {
  KIST_TRY_ASSIGN(const List* list, call.list(0));
  return call.work.make(List(list->rbegin(), list->rend()));
}

Result<bool> holds(std::span<const Value> list, const Value& value, Work& work) {
  KIST_TRY(work.walk(value.weight() * (list.size() + 1)));
  return std::ranges::any_of(list, [&](const Value& item) { return equal(item, value); });
}
Result<Value> uniq(const Call& call) {
  KIST_TRY_ASSIGN(const List* list, call.list(0));
  KIST_TRY(call.work.spend(call[0].weight()));
  return call.work.make(without_repeats(*list));
}
Result<Value> without(const Call& call) {
  KIST_TRY_ASSIGN(const List* list, call.list(0));
  List result;
  for (const Value& item : *list) {
    KIST_TRY_ASSIGN(bool unwanted, holds(call.arguments.subspan(1), item, call.work));
    if (!unwanted) result.push_back(item);
  }
  return call.work.make(std::move(result));
}
Result<Value> has(const Call& call) {
  if (call[1].is_nil()) return Value(false);
  KIST_TRY_ASSIGN(const List* list, call.list(1));
  return then(holds(*list, call[0], call.work), [](bool found) { return Value(found); });
}
Result<Value> compact(const Call& call) {
  KIST_TRY_ASSIGN(const List* list, call.list(0));
  List result;
  std::ranges::copy_if(*list, std::back_inserter(result), [](const Value& item) { return !is_empty(item); });
  return call.work.make(std::move(result));
}

Result<Value> slice(const Call& call) {
  KIST_TRY_ASSIGN(const List* list, call.list(0));
  if (list->empty()) return Value();
  auto size = static_cast<std::int64_t>(list->size());
  std::int64_t from = 0;
  std::int64_t to = size;
  if (call.count() > 1) {
    KIST_TRY_ASSIGN(from, call.integer(1));
  }
  if (call.count() > 2) {
    KIST_TRY_ASSIGN(to, call.integer(2));
  }
  if (from < 0 || to > size || from > to)
    return fail(ErrorKind::invalid, fmt::format("the part {} to {} is not in a list of {}", from, to, size));
  return call.work.make(List(list->begin() + from, list->begin() + to));
}

Result<Value> concat(const Call& call) {
  List result;
  for (std::size_t i = 0; i < call.count(); ++i) {
    KIST_TRY_ASSIGN(const List* list, call.list(i));
    result.insert(result.end(), list->begin(), list->end());
  }
  return call.work.make(std::move(result));
}

Result<Value> chunk(const Call& call) {
  KIST_TRY_ASSIGN(std::int64_t size, call.integer(0));
  KIST_TRY_ASSIGN(const List* list, call.list(1));
  if (size < 1) return fail(ErrorKind::invalid, fmt::format("{} is less than 1", size));
  List result;
  for (std::size_t at = 0; at < list->size();) {
    std::size_t count = std::min(list->size() - at, static_cast<std::size_t>(size));
    auto begin = list->begin() + static_cast<std::ptrdiff_t>(at);
    KIST_TRY_ASSIGN(Value part, call.work.make(List(begin, begin + static_cast<std::ptrdiff_t>(count))));
    result.push_back(std::move(part));
    at += count;
  }
  return call.work.make(std::move(result));
}

// start, start + step … before stop.
Result<List> steps(std::int64_t start, std::int64_t stop, std::int64_t step, Work& work) {
  List result;
  if (step == 0 || (step > 0) != (stop > start) || start == stop) return result;
  for (std::int64_t at = start; step > 0 ? at < stop : at > stop;) {
    KIST_TRY(work.step());
    result.emplace_back(at);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  return result;
}
Result<Value> until(const Call& call) {
  KIST_TRY_ASSIGN(std::int64_t count, call.integer(0));
  KIST_TRY_ASSIGN(List list, steps(0, count, count < 0 ? -1 : 1, call.work));
  return call.work.make(std::move(list));
}
Result<Value> until_step(const Call& call) {
  KIST_TRY_ASSIGN(std::int64_t start, call.integer(0));
  KIST_TRY_ASSIGN(std::int64_t stop, call.integer(1));
  KIST_TRY_ASSIGN(std::int64_t step, call.integer(2));
  KIST_TRY_ASSIGN(List list, steps(start, stop, step, call.work));
  return call.work.make(std::move(list));
}

// As the program seq: the last number belongs to it, and the result is a text.
Result<Value> seq(const Call& call) {
  std::vector<std::int64_t> numbers;
  for (std::size_t i = 0; i < call.count(); ++i) {
    KIST_TRY_ASSIGN(std::int64_t number, call.integer(i));
    numbers.push_back(number);
  }
  if (numbers.empty() || numbers.size() > 3) return Value(std::string());
  std::int64_t start = numbers.size() == 1 ? 1 : numbers.front();
  std::int64_t end = numbers.back();
  std::int64_t direction = end < start ? -1 : 1;
  std::int64_t step = numbers.size() == 3 ? numbers[1] : direction;
  std::int64_t stop = 0;
  if (__builtin_add_overflow(end, direction, &stop)) stop = end;
  KIST_TRY_ASSIGN(List list, steps(start, stop, step, call.work));
  std::string text;
  for (const Value& number : list) {
    if (!text.empty()) text += ' ';
    text += to_plain_text(number);
  }
  return call.work.make(std::move(text));
}

constexpr Function kFunctions[] = {
    {"sprig.list", 0, Function::kAny, list},
    {"sprig.tuple", 0, Function::kAny, list},
    {"sprig.first", 1, 1, first},
    {"sprig.mustFirst", 1, 1, first},
    {"sprig.last", 1, 1, last},
    {"sprig.mustLast", 1, 1, last},
    {"sprig.rest", 1, 1, rest},
    {"sprig.mustRest", 1, 1, rest},
    {"sprig.initial", 1, 1, initial},
    {"sprig.mustInitial", 1, 1, initial},
    {"sprig.append", 2, 2, append},
    {"sprig.mustAppend", 2, 2, append},
    {"sprig.push", 2, 2, append},
    {"sprig.mustPush", 2, 2, append},
    {"sprig.prepend", 2, 2, prepend},
    {"sprig.mustPrepend", 2, 2, prepend},
    {"sprig.reverse", 1, 1, reverse},
    {"sprig.mustReverse", 1, 1, reverse},
    {"sprig.uniq", 1, 1, uniq},
    {"sprig.mustUniq", 1, 1, uniq},
    {"sprig.without", 1, Function::kAny, without},
    {"sprig.mustWithout", 1, Function::kAny, without},
    {"sprig.has", 2, 2, has},
    {"sprig.mustHas", 2, 2, has},
    {"sprig.compact", 1, 1, compact},
    {"sprig.mustCompact", 1, 1, compact},
    {"sprig.slice", 1, 3, slice},
    {"sprig.mustSlice", 1, 3, slice},
    {"sprig.concat", 0, Function::kAny, concat},
    {"sprig.chunk", 2, 2, chunk},
    {"sprig.mustChunk", 2, 2, chunk},
    {"sprig.until", 1, 1, until},
    {"sprig.untilStep", 3, 3, until_step},
    {"sprig.seq", 0, Function::kAny, seq},
};

}  // namespace

std::span<const Function> sprig_list_functions() {
  return kFunctions;
}

}  // namespace kist::expression
