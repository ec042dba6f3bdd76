// A path is read into steps, which are then taken one after the other on all values found so far. The expressions in
// `[?( … )]` and `[( … )]` are of the language of this floor, with `@` for the value at hand.
#include "expression/jsonpath.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <variant>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "expression/expression.hpp"

namespace kist::expression {
namespace {

struct Key {
  std::string name;
};
struct Index {
  std::int64_t at;
};
struct Range {
  std::optional<std::int64_t> from, to;
  std::int64_t step = 1;
};
struct Every {};
struct Filter {
  Expression test;
};
struct Computed {
  Expression key;
};
using Selector = std::variant<Key, Index, Range, Every, Filter, Computed>;

struct Step {
  std::vector<Selector> selectors;
  bool descendants = false;  // `..`: of everything below, too

  bool is_one() const {
    return !descendants && selectors.size() == 1 &&
           (std::holds_alternative<Key>(selectors[0]) || std::holds_alternative<Index>(selectors[0]) ||
            std::holds_alternative<Computed>(selectors[0]));
  }
};

constexpr std::size_t kLongestPath = 100;

std::string_view trim_ends(std::string_view text) {
  std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// `@.age` of a filter is the name "current.age" to the expressions of this floor; `@.length` is its length.
std::string with_names(std::string_view expression) {
  std::string text;
  char quote = '\0';
  for (char c : expression) {
    if (quote == '\0' && (c == '\'' || c == '"')) {
      quote = c;
    } else if (quote == c) {
      quote = '\0';
    }
    if (quote == '\0' && c == '@')
      text += "current";
    else if (quote == '\0' && c == '$')
      text += "whole";
    else
      text += c;
  }
  return text;
}

class PathReader {
 public:
  explicit PathReader(std::string_view path) : whole_(path), rest_(trim_ends(path)) {}

  Result<std::vector<Step>> read() {
    if (!take("$")) return bad("it begins with '$'");
    std::vector<Step> steps;
    while (!rest_.empty()) {
      if (steps.size() == kLongestPath) return bad("it is too long");
      Step step;
      if (take("..")) {
        step.descendants = true;
        if (!rest_.starts_with('[')) {
          KIST_TRY(name(step));
        }
      } else if (take(".")) {
        KIST_TRY(name(step));
      }
      if (step.selectors.empty()) {
        if (!take("[")) return bad(fmt::format("'{}' was not expected", rest_));
        KIST_TRY(brackets(step));
      }
      steps.push_back(std::move(step));
    }
    return steps;
  }

 private:
  std::unexpected<Error> bad(std::string_view why) const {
    return fail(ErrorKind::invalid, fmt::format("'{}' is not a path: {}", whole_, why));
  }
  bool take(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  Status name(Step& step) {
    std::string_view name = rest_.substr(0, rest_.find_first_of(".["));
    rest_.remove_prefix(name.size());
    if (name.empty()) return bad("a name is missing behind '.'");
    if (name == "*")
      step.selectors.emplace_back(Every());
    else
      step.selectors.emplace_back(Key{std::string(name)});
    return {};
  }

  // Everything up to the `]` of the `[` that was just taken.
  Result<std::string_view> inside() {
    int depth = 1;
    char quote = '\0';
    for (std::size_t at = 0; at < rest_.size(); ++at) {
      char c = rest_[at];
      if (quote != '\0') {
        if (c == '\\')
          ++at;
        else if (c == quote)
          quote = '\0';
      } else if (c == '\'' || c == '"') {
        quote = c;
      } else if (c == '[' || c == '(') {
        ++depth;
      } else if ((c == ']' || c == ')') && --depth == 0) {
        std::string_view content = rest_.substr(0, at);
        rest_.remove_prefix(at + 1);
        return trim_ends(content);
      }
    }
    return bad("a bracket is not closed");
  }

  Status brackets(Step& step) {
    KIST_TRY_ASSIGN(std::string_view content, inside());
    if (content == "*") {
      step.selectors.emplace_back(Every());
      return {};
    }
    bool filter = content.starts_with("?(") && content.ends_with(')');
    if (filter || (content.starts_with('(') && content.ends_with(')'))) {
      std::size_t front = filter ? 2 : 1;
      KIST_TRY_ASSIGN(Expression expression,
                      Expression::parse(with_names(content.substr(front, content.size() - front - 1))));
      if (filter)
        step.selectors.emplace_back(Filter{std::move(expression)});
      else
        step.selectors.emplace_back(Computed{std::move(expression)});
      return {};
    }
    for (std::size_t begin = 0; begin <= content.size();) {
      std::size_t end = end_of_item(content, begin);
      KIST_TRY_ASSIGN(Selector selector, this->selector(trim_ends(content.substr(begin, end - begin))));
      step.selectors.push_back(std::move(selector));
      begin = end + 1;
    }
    return {};
  }

  static std::size_t end_of_item(std::string_view content, std::size_t at) {
    char quote = '\0';
    for (; at < content.size(); ++at) {
      char c = content[at];
      if (quote != '\0' && c == quote)
        quote = '\0';
      else if (quote == '\0' && (c == '\'' || c == '"'))
        quote = c;
      else if (quote == '\0' && c == ',')
        break;
    }
    return at;
  }

  Result<Selector> selector(std::string_view text) const {
    if (text.size() >= 2 && (text.front() == '\'' || text.front() == '"') && text.back() == text.front())
      return Key{std::string(text.substr(1, text.size() - 2))};
    if (!text.contains(':')) {
      if (auto index = number(text)) return Index{*index};
      return bad(fmt::format("'{}' is neither a quoted name nor a number", text));
    }
    Range range;
    std::optional<std::int64_t> step;
    std::optional<std::int64_t>* parts[] = {&range.from, &range.to, &step};
    for (auto* part : parts) {
      std::string_view one = trim_ends(text.substr(0, text.find(':')));
      text.remove_prefix(std::min(text.find(':'), text.size()));
      if (text.starts_with(':')) text.remove_prefix(1);
      *part = number(one);
      if (!one.empty() && !*part) return bad(fmt::format("'{}' is not a number", one));
    }
    if (!text.empty() || step == 0) return bad("a range is [from:to:step]");
    range.step = step.value_or(1);
    return range;
  }

  static std::optional<std::int64_t> number(std::string_view text) {
    std::int64_t value = 0;
    auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
    return value;
  }

  std::string_view whole_;
  std::string_view rest_;
};

// What `@` and `$` mean in a filter.
class PathScope : public Scope {
 public:
  PathScope(const Value& current, const Value& whole) : current_(current), whole_(whole) {}

  Result<std::optional<std::string>> find(std::string_view) const override { return std::nullopt; }
  Result<std::optional<Json>> value(std::string_view name) const override {
    if (name == "current.length") {
      if (const List* list = current_.list()) return Json(list->size());
      if (const std::string* text = current_.text()) return Json(text->size());
    }
    const Value* value = name == "current" ? &current_ : name == "whole" ? &whole_ : nullptr;
    if (value == nullptr) return std::nullopt;
    KIST_TRY_ASSIGN(Json json, to_json(*value));
    return json;
  }

 private:
  const Value& current_;
  const Value& whole_;
};

bool is_true(const Json& value) {
  if (value.is_null()) return false;
  return !value.is_boolean() || value.get<bool>();
}

class Walk {
 public:
  Walk(const Value& whole, Work& work) : whole_(whole), work_(work) {}

  // `strict`: what is not there is an error.
  Status take(const Step& step, const Value& value, bool strict, List& found) {
    for (const Selector& selector : step.selectors) {
      KIST_TRY(work_.step());
      KIST_TRY(std::visit([&](const auto& is) { return select(is, value, strict && step.is_one(), found); }, selector));
    }
    if (!step.descendants) return {};
    if (const List* list = value.list())
      for (const Value& item : *list) KIST_TRY(take(step, item, false, found));
    if (const Map* map = value.map())
      for (const auto& [key, item] : *map) KIST_TRY(take(step, item, false, found));
    return {};
  }

 private:
  static Status select(const Key& is, const Value& value, bool strict, List& found) {
    if (const Map* map = value.map())
      if (auto item = map->find(is.name); item != map->end()) {
        found.push_back(item->second);
        return {};
      }
    if (is.name == "length" && value.list() != nullptr) {
      found.emplace_back(static_cast<std::int64_t>(value.list()->size()));
      return {};
    }
    if (!strict) return {};
    return fail(ErrorKind::invalid, fmt::format("there is no '{}'", is.name));
  }

  static Status select(const Index& is, const Value& value, bool strict, List& found) {
    if (const List* list = value.list()) {
      auto size = static_cast<std::int64_t>(list->size());
      std::int64_t at = is.at < 0 ? is.at + size : is.at;
      if (at >= 0 && at < size) {
        found.push_back((*list)[static_cast<std::size_t>(at)]);
        return {};
      }
    }
    if (!strict) return {};
    return fail(ErrorKind::invalid, fmt::format("there is no element {}", is.at));
  }

  Status select(const Range& is, const Value& value, bool, List& found) {
    const List* list = value.list();
    if (list == nullptr) return {};
    auto size = static_cast<std::int64_t>(list->size());
    bool forward = is.step > 0;
    auto bound = [&](const std::optional<std::int64_t>& at, std::int64_t otherwise) {
      if (!at) return otherwise;
      std::int64_t place = *at < 0 ? *at + size : *at;
      return std::clamp<std::int64_t>(place, forward ? 0 : -1, forward ? size : size - 1);
    };
    std::int64_t from = bound(is.from, forward ? 0 : size - 1);
    std::int64_t to = bound(is.to, forward ? size : -1);
    std::int64_t step = std::clamp<std::int64_t>(is.step, -size - 1, size + 1);
    for (std::int64_t at = from; forward ? at < to : at > to; at += step)
      found.push_back((*list)[static_cast<std::size_t>(at)]);
    return {};
  }

  static Status select(const Every&, const Value& value, bool, List& found) {
    if (const List* list = value.list()) found.insert(found.end(), list->begin(), list->end());
    if (const Map* map = value.map())
      for (const auto& [key, item] : *map) found.push_back(item);
    return {};
  }

  Status select(const Filter& is, const Value& value, bool, List& found) {
    auto test = [&](const Value& item) -> Status {
      KIST_TRY(work_.spend(item.weight() + 1000));
      // What cannot be compared does not match.
      auto result = evaluate_value(is.test, PathScope(item, whole_));
      if (result && is_true(*result)) found.push_back(item);
      return {};
    };
    if (const List* list = value.list())
      for (const Value& item : *list) KIST_TRY(test(item));
    if (const Map* map = value.map())
      for (const auto& [key, item] : *map) KIST_TRY(test(item));
    return {};
  }

  Status select(const Computed& is, const Value& value, bool strict, List& found) {
    KIST_TRY(work_.spend(value.weight() + 1000));
    KIST_TRY_ASSIGN(Json key, evaluate_value(is.key, PathScope(value, whole_)));
    if (key.is_number()) return select(Index{key.get<std::int64_t>()}, value, strict, found);
    if (key.is_string()) return select(Key{key.get<std::string>()}, value, strict, found);
    return fail(ErrorKind::invalid, "the expression in brackets gives neither a number nor a name");
  }

  const Value& whole_;
  Work& work_;
};

}  // namespace

Result<Value> jsonpath(const Value& root, std::string_view path, Work& work) {
  KIST_TRY_ASSIGN(std::vector<Step> steps, PathReader(path).read());
  Walk walk(root, work);
  List values{root};
  bool one = true;
  for (const Step& step : steps) {
    List found;
    for (const Value& value : values) {
      KIST_TRY(work.step());
      auto taken = walk.take(step, value, one, found);
      if (!taken) return fail(ErrorKind::invalid, fmt::format("'{}': {}", path, taken.error().text));
      KIST_TRY(work.spend(found.size() * sizeof(Value)));
    }
    one = one && step.is_one();
    values = std::move(found);
  }
  if (one) return values.front();
  return work.make(std::move(values));
}

}  // namespace kist::expression
