// Sprig's functions of maps. Maps are values here: what changes one gives the changed map and leaves the old as it was.
#include <fmt/format.h>

#include "expression/functions.hpp"

namespace kist::expression {
namespace {

Result<Value> dict(const Call& call) {
  Map map;
  for (std::size_t i = 0; i < call.count(); i += 2) {
    KIST_TRY(call.work.spend(call[i].weight()));
    map[to_plain_text(call[i])] = i + 1 < call.count() ? call[i + 1] : Value(std::string());
  }
  return call.work.make(std::move(map));
}

Result<Value> get(const Call& call) {
  KIST_TRY_ASSIGN(const Map* map, call.map(0));
  KIST_TRY_ASSIGN(std::string key, call.text(1));
  auto found = map->find(key);
  return found == map->end() ? Value(std::string()) : found->second;
}
Result<Value> set(const Call& call) {
  KIST_TRY_ASSIGN(const Map* map, call.map(0));
  KIST_TRY_ASSIGN(std::string key, call.text(1));
  Map changed = *map;
  changed[key] = call[2];
  return call.work.make(std::move(changed));
}
Result<Value> unset(const Call& call) {
  KIST_TRY_ASSIGN(const Map* map, call.map(0));
  KIST_TRY_ASSIGN(std::string key, call.text(1));
  Map changed = *map;
  changed.erase(key);
  return call.work.make(std::move(changed));
}
Result<Value> has_key(const Call& call) {
  KIST_TRY_ASSIGN(const Map* map, call.map(0));
  KIST_TRY_ASSIGN(std::string key, call.text(1));
  return Value(map->contains(key));
}

Result<Value> pluck(const Call& call) {
  KIST_TRY_ASSIGN(std::string key, call.text(0));
  List result;
  for (std::size_t i = 1; i < call.count(); ++i) {
    KIST_TRY_ASSIGN(const Map* map, call.map(i));
    if (auto found = map->find(key); found != map->end()) result.push_back(found->second);
  }
  return call.work.make(std::move(result));
}
Result<Value> keys(const Call& call) {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < call.count(); ++i) {
    KIST_TRY_ASSIGN(const Map* map, call.map(i));
    for (const auto& [key, value] : *map) result.push_back(key);
  }
  return call.work.make_texts(result);
}
Result<Value> values(const Call& call) {
  KIST_TRY_ASSIGN(const Map* map, call.map(0));
  List result;
  for (const auto& [key, value] : *map) result.push_back(value);
  return call.work.make(std::move(result));
}

Result<Value> pick(const Call& call) {
  KIST_TRY_ASSIGN(const Map* map, call.map(0));
  Map result;
  for (std::size_t i = 1; i < call.count(); ++i) {
    KIST_TRY_ASSIGN(std::string key, call.text(i));
    if (auto found = map->find(key); found != map->end()) result.insert(*found);
  }
  return call.work.make(std::move(result));
}
Result<Value> omit(const Call& call) {
  KIST_TRY_ASSIGN(const Map* map, call.map(0));
  Map result = *map;
  for (std::size_t i = 1; i < call.count(); ++i) {
    KIST_TRY_ASSIGN(std::string key, call.text(i));
    result.erase(key);
  }
  return call.work.make(std::move(result));
}

// Maps within maps are merged, too. What counts as empty never hides what is there.
Result<Value> merged(const Map& into, const Map& from, bool overwrite, Work& work) {
  KIST_TRY(work.step());
  Map result = into;
  for (const auto& [key, value] : from) {
    Value& slot = result[key];
    if (slot.map() != nullptr && value.map() != nullptr) {
      KIST_TRY_ASSIGN(slot, merged(*slot.map(), *value.map(), overwrite, work));
    } else if (is_empty(slot) || (overwrite && !is_empty(value))) {
      slot = value;
    }
  }
  return work.make(std::move(result));
}
Result<Value> merge_all(const Call& call, bool overwrite) {
  KIST_TRY_ASSIGN(const Map* into, call.map(0));
  KIST_TRY_ASSIGN(Value result, call.work.make(*into));
  for (std::size_t i = 1; i < call.count(); ++i) {
    KIST_TRY_ASSIGN(const Map* from, call.map(i));
    KIST_TRY_ASSIGN(result, merged(*result.map(), *from, overwrite, call.work));
  }
  return result;
}
Result<Value> merge(const Call& call) {
  return merge_all(call, false);
}
Result<Value> merge_overwrite(const Call& call) {
  return merge_all(call, true);
}

// dig("a", "b", otherwise, map): map.a.b
Result<Value> dig(const Call& call) {
  const Value* at = &call[call.count() - 1];
  for (std::size_t i = 0; i + 2 < call.count(); ++i) {
    KIST_TRY_ASSIGN(std::string key, call.text(i));
    const Map* map = at->map();
    if (map == nullptr) return fail(ErrorKind::invalid, fmt::format("'{}' cannot be taken of {}", key, at->type()));
    auto found = map->find(key);
    if (found == map->end()) return call[call.count() - 2];
    at = &found->second;
  }
  return *at;
}

Result<Value> copy(const Call& call) {
  return call[0];
}

constexpr Function kFunctions[] = {
    {"sprig.dict", 0, Function::kAny, dict},
    {"sprig.get", 2, 2, get},
    {"sprig.set", 3, 3, set},
    {"sprig.unset", 2, 2, unset},
    {"sprig.hasKey", 2, 2, has_key},
    {"sprig.pluck", 1, Function::kAny, pluck},
    {"sprig.keys", 0, Function::kAny, keys},
    {"sprig.values", 1, 1, values},
    {"sprig.pick", 1, Function::kAny, pick},
    {"sprig.omit", 1, Function::kAny, omit},
    {"sprig.merge", 1, Function::kAny, merge},
    {"sprig.mustMerge", 1, Function::kAny, merge},
    {"sprig.mergeOverwrite", 1, Function::kAny, merge_overwrite},
    {"sprig.mustMergeOverwrite", 1, Function::kAny, merge_overwrite},
    {"sprig.dig", 3, Function::kAny, dig},
    {"sprig.deepCopy", 1, 1, copy},
    {"sprig.mustDeepCopy", 1, 1, copy},
};

}  // namespace

std::span<const Function> sprig_map_functions() {
  return kFunctions;
}

}  // namespace kist::expression
