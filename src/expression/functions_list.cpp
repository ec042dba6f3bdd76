#include <algorithm>
#include <string>
#include <unordered_set>

#include <fmt/format.h>

#include "expression/functions.hpp"
#include "expression/predicates.hpp"

namespace kist::expression {

List without_repeats(const List& list) {
  List result;
  std::unordered_set<std::string> seen;
  for (const Value& item : list) {
    // Equal values have the same text; the type tells 1 from "1".
    std::string_view type = item.is_number() ? "number" : item.type();
    std::string key = to_json_text(item).value_or(to_plain_text(item));
    if (seen.insert(fmt::format("{} {}", type, key)).second) result.push_back(item);
  }
  return result;
}

namespace {

Result<Value> first(const Call& call) {
  const List* list = call[0].list();
  return list == nullptr || list->empty() ? Value() : list->front();
}

Result<Value> last(const Call& call) {
  const List* list = call[0].list();
  return list == nullptr || list->empty() ? Value() : list->back();
}

// What is not there is nil, not an error.
Result<Value> get(const Call& call) {
  if (call[0].is_nil()) return Value();
  return member(call[0], call[1], call.work).value_or(Value());
}

Result<Value> take(const Call& call) {
  KIST_TRY_ASSIGN(const List* list, call.list(0));
  KIST_TRY_ASSIGN(std::int64_t count, call.integer(1));
  if (count < 0) return fail(ErrorKind::invalid, fmt::format("{} is less than 0", count));
  auto size = std::min(list->size(), static_cast<std::size_t>(count));
  return call.work.make(List(list->begin(), list->begin() + static_cast<std::ptrdiff_t>(size)));
}

Result<Value> keys(const Call& call) {
  KIST_TRY_ASSIGN(const Map* map, call.map(0));
  List list;
  for (const auto& [key, value] : *map) {
    KIST_TRY_ASSIGN(Value text, call.work.make(key));
    list.push_back(std::move(text));
  }
  return call.work.make(std::move(list));
}

Result<Value> values(const Call& call) {
  KIST_TRY_ASSIGN(const Map* map, call.map(0));
  List list;
  for (const auto& [key, value] : *map) list.push_back(value);
  return call.work.make(std::move(list));
}

Result<Value> to_pairs(const Call& call) {
  KIST_TRY_ASSIGN(const Map* map, call.map(0));
  List list;
  for (const auto& [key, value] : *map) {
    KIST_TRY_ASSIGN(Value text, call.work.make(key));
    KIST_TRY_ASSIGN(Value pair, call.work.make(List{std::move(text), value}));
    list.push_back(std::move(pair));
  }
  return call.work.make(std::move(list));
}

Result<Value> from_pairs(const Call& call) {
  KIST_TRY_ASSIGN(const List* list, call.list(0));
  Map map;
  for (const Value& item : *list) {
    const List* pair = item.list();
    if (pair == nullptr || pair->size() != 2)
      return fail(ErrorKind::invalid, "every element must be an array of a key and a value");
    const Value& key = pair->front();
    if (key.list() != nullptr || key.map() != nullptr)
      return fail(ErrorKind::invalid, fmt::format("{} cannot be a key", key.type()));
    map[to_plain_text(key)] = pair->back();
  }
  return call.work.make(std::move(map));
}

Result<Value> reverse(const Call& call) {
  KIST_TRY_ASSIGN(const List* list, call.list(0));
  return call.work.make(List(list->rbegin(), list->rend()));
}

Result<Value> uniq(const Call& call) {
  KIST_TRY_ASSIGN(const List* list, call.list(0));
  KIST_TRY(call.work.spend(call[0].weight()));
  return call.work.make(without_repeats(*list));
}

Result<Value> concat(const Call& call) {
  List result;
  for (std::size_t i = 0; i < call.count(); ++i) {
    KIST_TRY_ASSIGN(const List* list, call.list(i));
    result.insert(result.end(), list->begin(), list->end());
  }
  return call.work.make(std::move(result));
}

void flatten_into(const List& list, List& result) {
  for (const Value& item : list) {
    if (const List* inner = item.list())
      flatten_into(*inner, result);
    else
      result.push_back(item);
  }
}
Result<Value> flatten(const Call& call) {
  KIST_TRY_ASSIGN(const List* list, call.list(0));
  KIST_TRY(call.work.spend(call[0].weight()));
  List result;
  flatten_into(*list, result);
  return call.work.make(std::move(result));
}

Result<Value> sort(const Call& call) {
  KIST_TRY_ASSIGN(const List* list, call.list(0));
  bool descending = false;
  if (call.count() == 2) {
    KIST_TRY_ASSIGN(descending, is_descending(call[1]));
  }
  KIST_TRY(call.work.spend(call[0].weight()));
  KIST_TRY_ASSIGN(List sorted, sort_by(*list, *list, descending));
  return call.work.make(std::move(sorted));
}

constexpr Function kFunctions[] = {
    {"first", 1, 1, first},
    {"last", 1, 1, last},
    {"get", 2, 2, get},
    {"take", 2, 2, take},
    {"keys", 1, 1, keys},
    {"values", 1, 1, values},
    {"toPairs", 1, 1, to_pairs},
    {"fromPairs", 1, 1, from_pairs},
    {"reverse", 1, 1, reverse},
    {"uniq", 1, 1, uniq},
    {"concat", 1, Function::kAny, concat},
    {"flatten", 1, 1, flatten},
    {"sort", 1, 2, sort},
};

}  // namespace

std::span<const Function> list_functions() {
  return kFunctions;
}

}  // namespace kist::expression
