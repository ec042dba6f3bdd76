// Sprig's functions of any value: defaults, JSON, types, and giving up.
#include <algorithm>

#include <fmt/format.h>

#include "expression/functions.hpp"

namespace kist::expression {

bool is_empty(const Value& value) {
  if (value.is_nil()) return true;
  if (const bool* truth = value.truth()) return !*truth;
  if (value.is_number()) return value.as_real() == 0;
  if (const std::string* text = value.text()) return text->empty();
  if (const List* list = value.list()) return list->empty();
  if (const Map* map = value.map()) return map->empty();
  if (const Duration* duration = value.duration()) return duration->count() == 0;
  return false;
}

namespace {

Result<Value> otherwise(const Call& call) {
  return call.count() < 2 || is_empty(call[1]) ? call[0] : call[1];
}
Result<Value> empty(const Call& call) {
  return Value(is_empty(call[0]));
}
Result<Value> coalesce(const Call& call) {
  auto found = std::ranges::find_if_not(call.arguments, is_empty);
  return found == call.arguments.end() ? Value() : *found;
}
Result<Value> all(const Call& call) {
  return Value(std::ranges::none_of(call.arguments, is_empty));
}
Result<Value> any(const Call& call) {
  return Value(!std::ranges::all_of(call.arguments, is_empty));
}
Result<Value> ternary(const Call& call) {
  if (const bool* truth = call[2].truth()) return call[*truth ? 0 : 1];
  return fail(ErrorKind::invalid, fmt::format("argument 3 must be a bool, not {}", call[2].type()));
}

// What is not JSON is nil; the `must` form says so instead.
Result<Value> from_json(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  return parse_json_value(text, call.work).value_or(Value());
}
Result<Value> must_from_json(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  return parse_json_value(text, call.work);
}

Result<Value> as_json(const Call& call, int indent, bool raw) {
  KIST_TRY(call.work.spend(call[0].weight()));
  KIST_TRY_ASSIGN(std::string text, to_json_text(call[0], indent, raw));
  return call.work.make(std::move(text));
}
Result<Value> to_json(const Call& call) {
  return as_json(call, 0, false);
}
Result<Value> to_pretty_json(const Call& call) {
  return as_json(call, 2, false);
}
Result<Value> to_raw_json(const Call& call) {
  return as_json(call, 0, true);
}

// Go's names of types and kinds.
std::string_view type_name(const Value& value) {
  std::string_view type = value.type();
  if (type == "nil") return "<nil>";
  if (type == "float") return "float64";
  if (type == "array") return "[]interface {}";
  if (type == "map") return "map[string]interface {}";
  return type;
}
std::string_view kind_name(const Value& value) {
  std::string_view type = value.type();
  if (type == "nil") return "invalid";
  if (type == "float") return "float64";
  if (type == "array") return "slice";
  if (value.duration() != nullptr) return "int64";
  if (value.date() != nullptr) return "struct";
  if (value.zone() != nullptr) return "ptr";
  return type;
}
Result<Value> type_of(const Call& call) {
  return Value(std::string(type_name(call[0])));
}
Result<Value> kind_of(const Call& call) {
  return Value(std::string(kind_name(call[0])));
}
Result<Value> type_is(const Call& call) {
  return then(call.text(0), [&](const std::string& type) { return Value(type == type_name(call[1])); });
}
Result<Value> type_is_like(const Call& call) {
  return then(call.text(0), [&](const std::string& type) {
    std::string_view is = type_name(call[1]);
    return Value(type == is || "*" + type == is);
  });
}
Result<Value> kind_is(const Call& call) {
  return then(call.text(0), [&](const std::string& kind) { return Value(kind == kind_name(call[1])); });
}
// Unlike ==, 1 and 1.0 differ.
Result<Value> deep_equal(const Call& call) {
  KIST_TRY(call.work.walk(std::min(call[0].weight(), call[1].weight())));
  return Value(call[0].type() == call[1].type() && equal(call[0], call[1]));
}

Result<Value> give_up(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  return fail(ErrorKind::invalid, std::move(text));
}

constexpr Function kFunctions[] = {
    {"sprig.default", 1, 2, otherwise},
    {"sprig.empty", 1, 1, empty},
    {"sprig.coalesce", 0, Function::kAny, coalesce},
    {"sprig.all", 0, Function::kAny, all},
    {"sprig.any", 0, Function::kAny, any},
    {"sprig.ternary", 3, 3, ternary},
    {"sprig.fromJson", 1, 1, from_json},
    {"sprig.mustFromJson", 1, 1, must_from_json},
    {"sprig.toJson", 1, 1, to_json},
    {"sprig.mustToJson", 1, 1, to_json},
    {"sprig.toPrettyJson", 1, 1, to_pretty_json},
    {"sprig.mustToPrettyJson", 1, 1, to_pretty_json},
    {"sprig.toRawJson", 1, 1, to_raw_json},
    {"sprig.mustToRawJson", 1, 1, to_raw_json},
    {"sprig.typeOf", 1, 1, type_of},
    {"sprig.typeIs", 2, 2, type_is},
    {"sprig.typeIsLike", 2, 2, type_is_like},
    {"sprig.kindOf", 1, 1, kind_of},
    {"sprig.kindIs", 2, 2, kind_is},
    {"sprig.deepEqual", 2, 2, deep_equal},
    {"sprig.fail", 1, 1, give_up},
};

}  // namespace

std::span<const Function> sprig_value_functions() {
  return kFunctions;
}

}  // namespace kist::expression
