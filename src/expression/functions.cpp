#include "expression/functions.hpp"

#include <array>
#include <cmath>
#include <unordered_map>

#include <fmt/format.h>

namespace kist::expression {
namespace {

std::unexpected<Error> wanted(std::string_view what, std::size_t index, const Value& given) {
  return fail(ErrorKind::invalid, fmt::format("argument {} must be {}, not {}", index + 1, what, given.type()));
}

using Table = std::unordered_map<std::string_view, const Function*>;

Table make_table() {
  Table table;
  for (auto functions :
       {text_functions(), list_functions(), number_functions(), conversion_functions(), date_functions(),
        sprig_text_functions(), sprig_case_functions(), sprig_list_functions(), sprig_map_functions(),
        sprig_number_functions(), sprig_value_functions(), sprig_date_functions(), sprig_encoding_functions(),
        sprig_regex_functions(), sprig_version_functions(), sprig_path_functions(), sprig_random_functions()})
    for (const Function& function : functions) table.emplace(function.name, &function);
  return table;
}

}  // namespace

Result<std::string> Call::text(std::size_t index) const {
  if (const std::string* text = arguments[index].text()) {
    KIST_TRY(work.spend(text->size()));
    return *text;
  }
  return wanted("a string", index, arguments[index]);
}

Result<std::int64_t> Call::integer(std::size_t index) const {
  const Value& value = arguments[index];
  if (const auto* integer = value.integer()) return *integer;
  constexpr double kLimit = 9.2e18;
  if (const double* real = value.real(); real != nullptr && std::abs(*real) < kLimit)
    return static_cast<std::int64_t>(*real);
  return wanted("an integer", index, value);
}

Result<double> Call::real(std::size_t index) const {
  if (arguments[index].is_number()) return arguments[index].as_real();
  return wanted("a number", index, arguments[index]);
}

Result<const List*> Call::list(std::size_t index) const {
  if (const List* list = arguments[index].list()) return list;
  return wanted("an array", index, arguments[index]);
}

Result<const Map*> Call::map(std::size_t index) const {
  if (const Map* map = arguments[index].map()) return map;
  return wanted("a map", index, arguments[index]);
}

Result<Date> Call::date(std::size_t index) const {
  if (const Date* date = arguments[index].date()) return *date;
  return wanted("a date", index, arguments[index]);
}

const Function* find_function(std::string_view name) {
  static const Table table = make_table();
  auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}

Result<Value> call_function(const Function& function, std::span<const Value> arguments, Work& work) {
  if (arguments.size() < function.least || arguments.size() > function.most) {
    std::string many = function.least == function.most   ? fmt::format("{}", function.least)
                       : function.most == Function::kAny ? fmt::format("at least {}", function.least)
                                                         : fmt::format("{} to {}", function.least, function.most);
    return fail(ErrorKind::invalid,
                fmt::format("{} takes {} arguments, not {}", function.name, many, arguments.size()));
  }
  auto result = function.call(Call{arguments, work});
  if (!result) result.error().text = fmt::format("{}: {}", function.name, result.error().text);
  return result;
}

Result<Value> member(const Value& base, const Value& key, Work& work) {
  if (const Map* map = base.map()) {
    const std::string* name = key.text();
    auto found = map->find(name != nullptr ? *name : to_plain_text(key));
    return found == map->end() ? Value() : found->second;
  }
  const List* list = base.list();
  const std::string* text = base.text();
  if ((list != nullptr || text != nullptr) && key.is_number()) {
    std::array<Value, 1> place{key};
    KIST_TRY_ASSIGN(std::int64_t index, (Call{place, work}.integer(0)));
    auto length = static_cast<std::int64_t>(list != nullptr ? list->size() : text->size());
    std::int64_t at = index < 0 ? index + length : index;
    if (at < 0 || at >= length)
      return fail(ErrorKind::invalid, fmt::format("there is no element {}: the length is {}", index, length));
    if (list != nullptr) return (*list)[static_cast<std::size_t>(at)];
    return Value(static_cast<std::int64_t>(static_cast<unsigned char>((*text)[static_cast<std::size_t>(at)])));
  }
  std::string name = key.text() != nullptr ? *key.text() : to_plain_text(key);
  return fail(ErrorKind::invalid, fmt::format("'{}' cannot be taken of {}", name, base.type()));
}

}  // namespace kist::expression
