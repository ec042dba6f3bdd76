#include "expression/value.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/utf8.hpp"
#include "expression/duration.hpp"

namespace kist::expression {
namespace {

constexpr std::size_t kMostSteps = 2'000'000;
constexpr std::size_t kMostBytes = 256UL << 20;
constexpr std::size_t kHeaviest = Work::kHeaviest;
constexpr std::size_t kDeepestValue = 100;

std::unexpected<Error> no_order(const Value& a, const Value& b) {
  return fail(ErrorKind::invalid, fmt::format("{} and {} cannot be ordered", a.type(), b.type()));
}

template <typename Items, typename Of>
Result<Value> contain(Items items, Work& work, const Of& value_of) {
  auto container = std::make_shared<Container<Items>>();
  container->weight = sizeof(Value);
  for (const auto& item : items) {
    const Value& value = value_of(item);
    container->weight += value.weight();
    container->depth = std::max(container->depth, value.depth());
    if constexpr (std::is_same_v<Items, Map>) container->weight += item.first.size() + sizeof(Value);
    if (container->weight > kHeaviest)
      return fail(ErrorKind::invalid, fmt::format("a value of more than {} bytes", kHeaviest));
  }
  if (++container->depth > kDeepestValue)
    return fail(ErrorKind::invalid, fmt::format("a value of more than {} levels", kDeepestValue));
  KIST_TRY(work.spend(items.size() * 2 * sizeof(Value)));
  container->items = std::move(items);
  return Value(std::shared_ptr<const Container<Items>>(std::move(container)));
}

// The fewest digits that give the number back: with an exponent of at least `digits` digits below `smallest` and from
// 1e21 on, without one in between.
std::string real_as_text(double number, double smallest, std::size_t digits) {
  double size = std::abs(number);
  bool exponent = size != 0 && (size < smallest || size >= 1e21);
  std::array<char, 400> buffer{};
  auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number,
                               exponent ? std::chars_format::scientific : std::chars_format::fixed);
  std::string text(buffer.data(), written.ptr);
  if (std::size_t e = text.find('e'); e != std::string::npos)
    while (text.size() > e + 2 + digits && text[e + 2] == '0') text.erase(e + 2, 1);
  return text;
}

void append_quoted(std::string& text, std::string_view value, bool raw) {
  text += '"';
  while (!value.empty()) {
    std::size_t length = utf8_length(value);
    char c = value.front();
    if (length == 0) {
      text += "\\ufffd";
      length = 1;
    } else if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (c == '\n') {
      text += "\\n";
    } else if (c == '\r') {
      text += "\\r";
    } else if (c == '\t') {
      text += "\\t";
    } else if (c == '\b') {
      text += "\\b";
    } else if (c == '\f') {
      text += "\\f";
    } else if (static_cast<unsigned char>(c) < 0x20 || (!raw && (c == '<' || c == '>' || c == '&'))) {
      text += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else if (value.starts_with("\u2028") || value.starts_with("\u2029")) {
      text += value[2] == '\xA8' ? "\\u2028" : "\\u2029";
    } else {
      text += value.substr(0, length);
    }
    value.remove_prefix(length);
  }
  text += '"';
}

class JsonWriter {
 public:
  JsonWriter(int indent, bool raw) : indent_(indent), raw_(raw) {}

  Status write(const Value& value) {
    if (value.is_nil()) {
      text += "null";
    } else if (const bool* truth = value.truth()) {
      text += *truth ? "true" : "false";
    } else if (const auto* integer = value.integer()) {
      text += fmt::format("{}", *integer);
    } else if (const auto* duration = value.duration()) {
      text += fmt::format("{}", duration->count());
    } else if (const double* real = value.real()) {
      if (!std::isfinite(*real)) return fail(ErrorKind::invalid, fmt::format("JSON has no {}", real_to_text(*real)));
      text += real_as_text(*real, 1e-6, 1);
    } else if (const auto* string = value.text()) {
      append_quoted(text, *string, raw_);
    } else if (const Date* date = value.date()) {
      append_quoted(text, format(*date, kRfc3339Nano), raw_);
    } else if (const List* list = value.list()) {
      return brackets('[', ']', *list, [&](const Value& item) { return write(item); });
    } else if (const Map* map = value.map()) {
      return brackets('{', '}', *map, [&](const auto& item) {
        append_quoted(text, item.first, raw_);
        text += indent_ > 0 ? ": " : ":";
        return write(item.second);
      });
    } else {
      return fail(ErrorKind::invalid, fmt::format("JSON has no {}", value.type()));
    }
    return {};
  }

  std::string text;

 private:
  template <typename Items>
  Status brackets(char open, char close, const Items& items, const auto& item) {
    text += open;
    ++level_;
    bool first = true;
    for (const auto& one : items) {
      if (!first) text += ',';
      first = false;
      line();
      KIST_TRY(item(one));
    }
    --level_;
    if (!items.empty()) line();
    text += close;
    return {};
  }
  void line() {
    if (indent_ == 0) return;
    text += '\n';
    text.append(static_cast<std::size_t>(indent_) * static_cast<std::size_t>(level_), ' ');
  }

  int indent_;
  bool raw_;
  int level_ = 0;
};

void append_plain(std::string& text, const Value& value) {
  if (value.is_nil()) {
    text += "<nil>";
  } else if (const bool* truth = value.truth()) {
    text += *truth ? "true" : "false";
  } else if (const auto* integer = value.integer()) {
    text += fmt::format("{}", *integer);
  } else if (const double* real = value.real()) {
    text += real_to_text(*real);
  } else if (const auto* string = value.text()) {
    text += *string;
  } else if (const auto* duration = value.duration()) {
    text += to_go_duration(*duration);
  } else if (const Date* date = value.date()) {
    text += format(*date, "2006-01-02 15:04:05.999999999 -0700 MST");
  } else if (const ZonePointer* zone = value.zone()) {
    text += (*zone)->name();
  } else if (const List* list = value.list()) {
    text += '[';
    for (const Value& item : *list) {
      if (&item != &list->front()) text += ' ';
      append_plain(text, item);
    }
    text += ']';
  } else if (const Map* map = value.map()) {
    text += "map[";
    bool first = true;
    for (const auto& [key, item] : *map) {
      if (!first) text += ' ';
      first = false;
      text += key + ":";
      append_plain(text, item);
    }
    text += ']';
  }
}

}  // namespace

std::size_t Value::weight() const {
  if (const auto* list = std::get_if<std::shared_ptr<const Container<List>>>(&held_)) return (*list)->weight;
  if (const auto* map = std::get_if<std::shared_ptr<const Container<Map>>>(&held_)) return (*map)->weight;
  if (const std::string* string = text()) return sizeof(Value) + string->size();
  return sizeof(Value);
}

std::size_t Value::depth() const {
  if (const auto* list = std::get_if<std::shared_ptr<const Container<List>>>(&held_)) return (*list)->depth;
  if (const auto* map = std::get_if<std::shared_ptr<const Container<Map>>>(&held_)) return (*map)->depth;
  return 0;
}

std::string_view Value::type() const {
  constexpr std::string_view kTypes[] = {"nil",   "bool", "int",           "float",     "string",
                                         "array", "map",  "time.Duration", "time.Time", "time.Location"};
  static_assert(std::variant_size_v<decltype(held_)> == std::size(kTypes));
  return kTypes[held_.index()];
}

Status Work::step() {
  if (++steps_ > kMostSteps) return fail(ErrorKind::invalid, fmt::format("takes more than {} steps", kMostSteps));
  return {};
}

Status Work::walk(std::size_t bytes) {
  constexpr std::size_t kBytesAStep = 256;
  steps_ += std::min(bytes / kBytesAStep, kMostSteps);
  return step();
}

Status Work::spend(std::size_t bytes) {
  if (bytes > kMostBytes - std::min(bytes_, kMostBytes))
    return fail(ErrorKind::invalid, fmt::format("makes more than {} bytes", kMostBytes));
  bytes_ += bytes;
  return {};
}

Result<Value> Work::make(std::string text) {
  if (text.size() > kHeaviest) return fail(ErrorKind::invalid, fmt::format("a text of more than {} bytes", kHeaviest));
  KIST_TRY(spend(text.size() + sizeof(Value)));
  return Value(std::move(text));
}

Result<Value> Work::make(List items) {
  return contain(std::move(items), *this, std::identity());
}

Result<Value> Work::make(Map items) {
  return contain(std::move(items), *this, [](const auto& item) -> const Value& { return item.second; });
}

Result<Value> Work::make_texts(const std::vector<std::string>& texts) {
  List list;
  list.reserve(texts.size());
  for (const std::string& text : texts) {
    KIST_TRY_ASSIGN(Value value, make(text));
    list.push_back(std::move(value));
  }
  return make(std::move(list));
}

Result<Time> Work::now() const {
  if (surroundings_ == nullptr || !surroundings_->now) return fail(ErrorKind::invalid, "there is no clock here");
  return surroundings_->now();
}

Result<std::string> Work::random(std::size_t bytes) {
  if (surroundings_ == nullptr || !surroundings_->random)
    return fail(ErrorKind::invalid, "there are no random numbers here");
  KIST_TRY(spend(bytes));
  std::string result(bytes, '\0');
  surroundings_->random(std::as_writable_bytes(std::span(result)));
  return result;
}

bool equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    if (a.integer() != nullptr && b.integer() != nullptr) return *a.integer() == *b.integer();
    return a.as_real() == b.as_real();
  }
  if (a.type() != b.type()) return false;
  if (a.is_nil()) return true;
  if (a.truth() != nullptr) return *a.truth() == *b.truth();
  if (a.text() != nullptr) return *a.text() == *b.text();
  if (a.duration() != nullptr) return *a.duration() == *b.duration();
  if (a.date() != nullptr) return *a.date() == *b.date();
  if (a.zone() != nullptr) return (*a.zone())->name() == (*b.zone())->name();
  if (a.list() != nullptr) return std::ranges::equal(*a.list(), *b.list(), equal);
  return std::ranges::equal(*a.map(), *b.map(), [](const auto& one, const auto& other) {
    return one.first == other.first && equal(one.second, other.second);
  });
}

Result<bool> less(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    if (a.integer() != nullptr && b.integer() != nullptr) return *a.integer() < *b.integer();
    return a.as_real() < b.as_real();
  }
  if (a.text() != nullptr && b.text() != nullptr) return *a.text() < *b.text();
  if (a.date() != nullptr && b.date() != nullptr) return *a.date() < *b.date();
  if (a.duration() != nullptr && b.duration() != nullptr) return *a.duration() < *b.duration();
  return no_order(a, b);
}

Result<Value> from_json(const Json& json, Work& work) {
  switch (json.type()) {
    case Json::value_t::boolean:
      return Value(json.get<bool>());
    case Json::value_t::number_integer:
      return Value(json.get<std::int64_t>());
    case Json::value_t::number_unsigned:
      if (auto number = json.get<std::uint64_t>(); number > INT64_MAX) return Value(static_cast<double>(number));
      return Value(json.get<std::int64_t>());
    case Json::value_t::number_float:
      return Value(json.get<double>());
    case Json::value_t::string:
      return work.make(json.get<std::string>());
    case Json::value_t::array: {
      List list;
      list.reserve(json.size());
      for (const Json& item : json) {
        KIST_TRY_ASSIGN(Value value, from_json(item, work));
        list.push_back(std::move(value));
      }
      return work.make(std::move(list));
    }
    case Json::value_t::object: {
      Map map;
      for (const auto& [key, item] : json.items()) {
        KIST_TRY_ASSIGN(map[key], from_json(item, work));
      }
      return work.make(std::move(map));
    }
    default:
      return Value();
  }
}

Result<Json> to_json(const Value& value) {
  KIST_TRY_ASSIGN(std::string text, to_json_text(value, 0, true));
  return parse_json(text);
}

Result<std::string> to_json_text(const Value& value, int indent, bool raw) {
  JsonWriter writer(indent, raw);
  KIST_TRY(writer.write(value));
  return std::move(writer.text);
}

std::string to_plain_text(const Value& value) {
  std::string text;
  append_plain(text, value);
  return text;
}

std::string real_to_text(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "+Inf" : "-Inf";
  return real_as_text(number, 1e-4, 2);
}

}  // namespace kist::expression
