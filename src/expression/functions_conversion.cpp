#include <charconv>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "expression/characters.hpp"
#include "expression/functions.hpp"
#include "expression/jsonpath.hpp"

namespace kist::expression {

namespace {

// JSON numbers are floats.
Json with_floats(Json json) {
  if (json.is_number()) return json.get<double>();
  if (json.is_structured())
    for (Json& item : json) item = with_floats(std::move(item));
  return json;
}

}  // namespace

Result<Value> parse_json_value(const std::string& text, Work& work) {
  KIST_TRY(work.spend(text.size() * 4));
  KIST_TRY_ASSIGN(Json json, parse_json(text));
  return from_json(with_floats(std::move(json)), work);
}

namespace {

Result<Value> length(const Call& call) {
  auto size = [](std::size_t count) { return Value(static_cast<std::int64_t>(count)); };
  if (const List* list = call[0].list()) return size(list->size());
  if (const Map* map = call[0].map()) return size(map->size());
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  return size(decode(text).size());
}

Result<Value> type(const Call& call) {
  return Value(std::string(call[0].type()));
}

Result<Value> to_int(const Call& call) {
  if (const std::string* text = call[0].text()) {
    std::int64_t number = 0;
    std::string_view digits = *text;
    if (digits.starts_with('+') && digits.size() > 1 && digits[1] != '-') digits.remove_prefix(1);
    auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (read.ec != std::errc() || read.ptr != digits.data() + digits.size())
      return fail(ErrorKind::invalid, fmt::format("'{}' is not an integer", *text));
    return Value(number);
  }
  if (const Duration* duration = call[0].duration()) return Value(duration->count());
  return then(call.integer(0), [](std::int64_t number) { return Value(number); });
}

Result<Value> to_float(const Call& call) {
  if (const std::string* text = call[0].text()) {
    double number = 0;
    std::string_view digits = *text;
    if (digits.starts_with('+') && digits.size() > 1 && digits[1] != '-') digits.remove_prefix(1);
    auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (digits.empty() || read.ec != std::errc() || read.ptr != digits.data() + digits.size())
      return fail(ErrorKind::invalid, fmt::format("'{}' is not a number", *text));
    return Value(number);
  }
  return then(call.real(0), [](double number) { return Value(number); });
}

Result<Value> to_string(const Call& call) {
  KIST_TRY(call.work.spend(call[0].weight()));
  return call.work.make(to_plain_text(call[0]));
}

Result<Value> as_json(const Call& call, int indent) {
  KIST_TRY(call.work.spend(call[0].weight()));
  KIST_TRY_ASSIGN(std::string text, to_json_text(call[0], indent));
  return call.work.make(std::move(text));
}
Result<Value> to_pretty_json(const Call& call) {
  return as_json(call, 2);
}
Result<Value> to_compact_json(const Call& call) {
  return as_json(call, 0);
}

Result<Value> call_from_json(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  return parse_json_value(text, call.work);
}

Result<Value> call_to_base64(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  return call.work.make(to_base64(text));
}

Result<Value> call_from_base64(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  KIST_TRY_ASSIGN(std::string bytes, from_base64(text));
  return call.work.make(std::move(bytes));
}

Result<Value> call_jsonpath(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  KIST_TRY_ASSIGN(std::string path, call.text(1));
  KIST_TRY_ASSIGN(Value value, parse_json_value(text, call.work));
  return jsonpath(value, path, call.work);
}

constexpr Function kFunctions[] = {
    {"len", 1, 1, length},
    {"type", 1, 1, type},
    {"int", 1, 1, to_int},
    {"float", 1, 1, to_float},
    {"asInt", 1, 1, to_int},
    {"asFloat", 1, 1, to_float},
    {"string", 1, 1, to_string},
    {"toJSON", 1, 1, to_pretty_json},
    {"toJson", 1, 1, to_compact_json},
    {"fromJSON", 1, 1, call_from_json},
    {"toBase64", 1, 1, call_to_base64},
    {"fromBase64", 1, 1, call_from_base64},
    {"jsonpath", 2, 2, call_jsonpath},
};

}  // namespace

std::span<const Function> conversion_functions() {
  return kFunctions;
}

}  // namespace kist::expression
