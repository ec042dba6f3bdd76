// The functions of expressions, by theme. Each is handed its evaluated arguments; functions with a predicate are the
// evaluator's own.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "expression/value.hpp"

namespace kist::expression {

// One call: its arguments, with the type the function wants of each.
struct Call {
  std::span<const Value> arguments;
  Work& work;

  std::size_t count() const { return arguments.size(); }
  const Value& operator[](std::size_t index) const { return arguments[index]; }
  // Errors: invalid, naming what was wanted and what was given.
  Result<std::string> text(std::size_t index) const;
  Result<std::int64_t> integer(std::size_t index) const;  // a float is cut off
  Result<double> real(std::size_t index) const;
  Result<const List*> list(std::size_t index) const;
  Result<const Map*> map(std::size_t index) const;
  Result<Date> date(std::size_t index) const;
};

struct Function {
  static constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();
  std::string_view name;
  std::size_t least;  // arguments
  std::size_t most;
  Result<Value> (*call)(const Call&);
};

// By name ("upper", "sprig.upper", "asInt"); nullptr: there is none.
const Function* find_function(std::string_view name);

// Calls it. Errors: invalid, beginning with the function's name.
Result<Value> call_function(const Function& function, std::span<const Value> arguments, Work& work);

// A method of a date, a duration or a zone: `now().Year()`.
Result<Value> call_method(const Value& base, std::string_view name, std::span<const Value> arguments, Work& work);

// base.key or base[key]; what a map does not have is nil. Errors: invalid.
Result<Value> member(const Value& base, const Value& key, Work& work);

// The themes.
std::span<const Function> text_functions();
std::span<const Function> list_functions();
std::span<const Function> number_functions();
std::span<const Function> conversion_functions();
std::span<const Function> date_functions();
std::span<const Function> sprig_text_functions();
std::span<const Function> sprig_case_functions();
std::span<const Function> sprig_list_functions();
std::span<const Function> sprig_map_functions();
std::span<const Function> sprig_number_functions();
std::span<const Function> sprig_value_functions();
std::span<const Function> sprig_date_functions();
std::span<const Function> sprig_encoding_functions();
std::span<const Function> sprig_regex_functions();
std::span<const Function> sprig_version_functions();
std::span<const Function> sprig_path_functions();
std::span<const Function> sprig_random_functions();

// Shared by several themes.
// Pays for what split() is about to make.
Status afford_split(std::string_view text, std::string_view separator, Work& work);
std::vector<std::string> split(std::string_view text, std::string_view separator, std::int64_t most, bool keep);
std::string trim(std::string_view text, std::string_view characters);  // characters: UTF-8, each one counts
std::string trim_blanks(std::string_view text);
std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
// Of equal values the first.
List without_repeats(const List& list);
// Whether it counts as not given: nil, false, 0, "", an empty list or map.
bool is_empty(const Value& value);
Result<std::string> replace_all(std::string_view text, std::string_view from, std::string_view to, std::int64_t most,
                                Work& work);
Result<Value> parse_json_value(const std::string& text, Work& work);  // numbers become floats, as Go reads them

}  // namespace kist::expression
