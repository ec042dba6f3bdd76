// The values of an expression, and what one evaluation may use up. Lists and maps are immutable and shared; how large
// and how deep each would be written out is known when it is made, so that nothing that walks through one needs a
// limit of its own.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "expression/date.hpp"
#include "expression/scope.hpp"

namespace kist::expression {

class Value;
using List = std::vector<Value>;
using Map = std::map<std::string, Value, std::less<>>;

// A length of time as a value of its own.
using Duration = std::chrono::nanoseconds;

template <typename Items>
struct Container {
  Items items;
  std::size_t weight = 0;  // bytes, everything inside counted as often as it is reached
  std::size_t depth = 0;
};

class Value {
 public:
  Value() = default;  // nil
  Value(bool truth) : held_(truth) {}
  Value(std::int64_t number) : held_(number) {}
  Value(double number) : held_(number) {}
  Value(Duration duration) : held_(duration) {}
  Value(Date date) : held_(std::move(date)) {}
  Value(ZonePointer zone) : held_(std::move(zone)) {}
  explicit Value(std::string text) : held_(std::make_shared<const std::string>(std::move(text))) {}
  explicit Value(std::shared_ptr<const Container<List>> list) : held_(std::move(list)) {}
  explicit Value(std::shared_ptr<const Container<Map>> map) : held_(std::move(map)) {}
  Value(const char*) = delete;

  bool is_nil() const { return std::holds_alternative<std::monostate>(held_); }
  const bool* truth() const { return std::get_if<bool>(&held_); }
  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&held_); }
  const double* real() const { return std::get_if<double>(&held_); }
  const std::string* text() const { return shared<std::string>(); }
  const List* list() const { return items<List>(); }
  const Map* map() const { return items<Map>(); }
  const Duration* duration() const { return std::get_if<Duration>(&held_); }
  const Date* date() const { return std::get_if<Date>(&held_); }
  const ZonePointer* zone() const { return std::get_if<ZonePointer>(&held_); }

  bool is_number() const { return integer() != nullptr || real() != nullptr; }
  double as_real() const { return integer() != nullptr ? static_cast<double>(*integer()) : *real(); }

  std::size_t weight() const;
  std::size_t depth() const;
  // "nil", "bool", "int", "float", "string", "array", "map", "time.Time", "time.Duration", "time.Location".
  std::string_view type() const;

 private:
  template <typename T>
  const T* shared() const {
    const auto* pointer = std::get_if<std::shared_ptr<const T>>(&held_);
    return pointer == nullptr ? nullptr : pointer->get();
  }
  template <typename T>
  const T* items() const {
    const auto* container = shared<Container<T>>();
    return container == nullptr ? nullptr : &container->items;
  }

  std::variant<std::monostate, bool, std::int64_t, double, std::shared_ptr<const std::string>,
               std::shared_ptr<const Container<List>>, std::shared_ptr<const Container<Map>>, Duration, Date,
               ZonePointer>
      held_;
};

// What one evaluation has used. Everything that can grow is made here.
class Work {
 public:
  static constexpr std::size_t kHeaviest = 16UL << 20;  // bytes of one value

  explicit Work(const Surroundings* surroundings) : surroundings_(surroundings) {}

  Status step();
  // Bytes about to be made, and bytes of values about to be looked through.
  Status spend(std::size_t bytes);
  Status walk(std::size_t bytes);
  Result<Value> make(std::string text);
  Result<Value> make(List items);
  Result<Value> make(Map items);
  Result<Value> make_texts(const std::vector<std::string>& texts);
  // Errors: invalid where there is no clock (no chance) here.
  Result<Time> now() const;
  Result<std::string> random(std::size_t bytes);

 private:
  const Surroundings* surroundings_;
  std::size_t steps_ = 0;
  std::size_t bytes_ = 0;
};

// The value made of a result, or its error.
template <typename T, typename Make>
Result<Value> then(Result<T> result, Make make) {
  if (!result) return std::unexpected(std::move(result).error());
  return make(std::move(*result));
}

// Equal as expr-lang has it: numbers by value, dates by moment, everything else only within its type.
bool equal(const Value& a, const Value& b);
// a before b: numbers, texts, dates, durations. Errors: invalid for what has no order.
Result<bool> less(const Value& a, const Value& b);

Result<Value> from_json(const Json& json, Work& work);
// Errors: invalid for what JSON cannot say (infinity, a time zone).
Result<Json> to_json(const Value& value);

// JSON text as Go's encoding/json writes it: sorted keys, `<`, `>` and `&` escaped unless `raw`; `indent` spaces a
// level, 0 for compact text.
Result<std::string> to_json_text(const Value& value, int indent = 0, bool raw = false);

// The text of a value as Go's `%v` prints it: "2.5", "true", "[1 2]", "map[a:1]", "<nil>", "1h0m0s".
std::string to_plain_text(const Value& value);
// A floating-point number as Go's `%v` and JSON print it: "2.5", "1e+21".
std::string real_to_text(double number);

}  // namespace kist::expression
