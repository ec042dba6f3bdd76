// What a node's text means: typed readings of scalars, and the way to JSON.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

#include "base/yaml.hpp"

namespace kist::yaml {
namespace {

// Whether a scalar may be read as the given core type: it is plain and has no tag, or is tagged as that very type.
bool may_be(const Node& node, std::string_view tag) {
  return node.is_scalar() && (node.tag.empty() ? !node.quoted : node.tag == tag);
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// An integer's sign, base and digits.
struct Digits {
  bool negative = false;
  int base = 10;
  std::string_view digits;
};

std::optional<Digits> integer_digits(std::string_view text) {
  Digits integer;
  if (text.starts_with('+') || text.starts_with('-')) {
    integer.negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text.starts_with("0x") || text.starts_with("0o")) {
    integer.base = text[1] == 'x' ? 16 : 8;
    text.remove_prefix(2);
  } else if (!all_digits(text)) {
    return std::nullopt;
  } else if (text.size() > 1 && text.front() == '0' && text.find_first_of("89") == std::string_view::npos) {
    integer.base = 8;  // YAML 1.1, and what everybody means by `mode: 0755`
  }
  integer.digits = text;
  return integer;
}

std::optional<std::uint64_t> magnitude(const Digits& integer) {
  std::uint64_t value = 0;
  const char* end = integer.digits.data() + integer.digits.size();
  auto [stopped, error] = std::from_chars(integer.digits.data(), end, value, integer.base);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return value;
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool is_decimal_fraction(std::string_view text) {
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  if (auto e = text.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view exponent = text.substr(e + 1);
    if (exponent.starts_with('+') || exponent.starts_with('-')) exponent.remove_prefix(1);
    if (!all_digits(exponent)) return false;
    text = text.substr(0, e);
  }
  auto dot = text.find('.');
  if (dot == std::string_view::npos) return all_digits(text);
  std::string_view whole = text.substr(0, dot);
  std::string_view fraction = text.substr(dot + 1);
  if (whole.empty()) return all_digits(fraction);
  return all_digits(whole) && (fraction.empty() || all_digits(fraction));
}

bool one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

}  // namespace

Node::Node() = default;

const Node* Node::find(std::string_view key) const {
  for (const auto& [name, value] : entries)
    if (name.text == key) return &value;
  return nullptr;
}

std::optional<bool> as_boolean(const Node& node, bool yaml11) {
  if (!may_be(node, "!!bool")) return std::nullopt;
  if (one_of(node.text, {"true", "True", "TRUE"})) return true;
  if (one_of(node.text, {"false", "False", "FALSE"})) return false;
  if (!yaml11) return std::nullopt;
  if (one_of(node.text, {"yes", "Yes", "YES", "on", "On", "ON"})) return true;
  if (one_of(node.text, {"no", "No", "NO", "off", "Off", "OFF"})) return false;
  return std::nullopt;
}

std::optional<std::int64_t> as_integer(const Node& node) {
  if (!may_be(node, "!!int")) return std::nullopt;
  auto integer = integer_digits(node.text);
  auto value = integer ? magnitude(*integer) : std::nullopt;
  if (!value) return std::nullopt;
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  if (integer->negative) {
    if (*value > most + 1) return std::nullopt;
    return static_cast<std::int64_t>(0 - *value);
  }
  if (*value > most) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

std::optional<double> as_number(const Node& node) {
  if (auto integer = as_integer(node)) return static_cast<double>(*integer);
  if (!may_be(node, "!!float") && !may_be(node, "!!int")) return std::nullopt;
  std::string_view text = node.text;
  if (one_of(text, {".nan", ".NaN", ".NAN"})) return std::numeric_limits<double>::quiet_NaN();
  bool negative = text.starts_with('-');
  std::string_view unsigned_text = negative || text.starts_with('+') ? text.substr(1) : text;
  if (one_of(unsigned_text, {".inf", ".Inf", ".INF"}))
    return (negative ? -1 : 1) * std::numeric_limits<double>::infinity();
  if (!is_decimal_fraction(text)) return std::nullopt;
  double value = 0;
  auto [stopped, error] = std::from_chars(unsigned_text.data(), unsigned_text.data() + unsigned_text.size(), value);
  if (error == std::errc::result_out_of_range) return std::nullopt;
  return negative ? -value : value;
}

Json to_json(const Node& node) {
  switch (node.kind) {
    case Kind::null:
      return nullptr;
    case Kind::sequence: {
      Json list = Json::array();
      for (const Node& item : node.items) list.push_back(to_json(item));
      return list;
    }
    case Kind::mapping: {
      // Keys are distinct already: straight into the vector, without ordered_json's linear search for each.
      Json::object_t object;
      object.reserve(node.entries.size());
      for (const auto& [key, value] : node.entries)
        object.Json::object_t::Container::emplace_back(key.text, to_json(value));
      return object;
    }
    case Kind::scalar:
      break;
  }
  if (auto boolean = as_boolean(node)) return *boolean;
  if (auto integer = as_integer(node)) return *integer;
  if (auto large = integer_digits(node.text); large && !large->negative && may_be(node, "!!int"))
    if (auto value = magnitude(*large)) return *value;
  if (auto number = as_number(node); number && std::isfinite(*number)) return *number;
  return node.text;
}

}  // namespace kist::yaml
