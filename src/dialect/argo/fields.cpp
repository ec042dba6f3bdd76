// One pass over a mapping's entries settles the fate of every key; the accessors after it only give out values of the
// right type. Go's rules decide what is absent: null always, and the zero value where a key is refused or ignored
// (`daemon: false`, `volumes: []`), because then nothing is asked for.
#include "dialect/argo/fields.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <utility>

#include <fmt/format.h>

namespace kist::dialect::argo {
namespace {

// Who mistypes more keys of one mapping than this has another kind of file.
constexpr int kSuggestions = 5;

bool is_same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, {}, [](unsigned char c) { return std::tolower(c); }, [](unsigned char c) { return std::tolower(c); });
}

// Go reads a key in whatever case it is written, where none is written as the field is.
const Field* find_field(const Table& table, std::string_view name) {
  auto found = std::ranges::find(table.fields, name, &Field::name);
  if (found == table.fields.end())
    found = std::ranges::find_if(table.fields, [&](const Field& field) { return is_same_word(field.name, name); });
  return found == table.fields.end() ? nullptr : &*found;
}

const yaml::Node* find_value(const yaml::Node& node, std::string_view name) {
  if (const yaml::Node* value = node.find(name)) return value;
  for (const auto& [key, value] : node.entries)
    if (is_same_word(key.text, name)) return &value;
  return nullptr;
}

// How many letters have to be put in, left out or changed to make one word of the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t column = 0; column <= b.size(); ++column) row[column] = column;
  for (std::size_t line = 1; line <= a.size(); ++line) {
    std::size_t diagonal = std::exchange(row[0], line);
    for (std::size_t column = 1; column <= b.size(); ++column) {
      const std::size_t changed = diagonal + (a[line - 1] == b[column - 1] ? 0 : 1);
      diagonal = row[column];
      row[column] = std::min({row[column] + 1, row[column - 1] + 1, changed});
    }
  }
  return row[b.size()];
}

// "; did you mean 'entrypoint'?", or nothing where no key is near.
std::string suggestion(const Table& table, std::string_view key) {
  if (key.size() > 64) return "";
  auto nearest =
      std::ranges::min_element(table.fields, {}, [&](const Field& field) { return distance(field.name, key); });
  if (nearest == table.fields.end() || distance(nearest->name, key) > 1 + key.size() / 6) return "";
  return fmt::format("; did you mean '{}'?", nearest->name);
}

// Go leaves out what has its zero value: nothing is asked for by `daemon: false` or `sidecars: []`.
bool asks_for_nothing(const yaml::Node& value) {
  if (value.is_scalar()) return value.text.empty() || yaml::as_boolean(value) == false;
  return value.is_null() || (value.is_sequence() && value.items.empty());
}

// Numbers as Go prints a float64 without an exponent.
std::string print_number(double number) {
  std::array<char, 400> buffer;
  auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, std::chars_format::fixed);
  return error == std::errc() ? std::string(buffer.data(), end) : std::string();
}

}  // namespace

std::string_view kind_of(const yaml::Node& node) {
  switch (node.kind) {
    case yaml::Kind::null:
      return "nothing";
    case yaml::Kind::scalar:
      return "a text";
    case yaml::Kind::sequence:
      return "a list";
    case yaml::Kind::mapping:
      return "a mapping";
  }
  return "";
}

std::string any_string(const yaml::Node& scalar) {
  if (auto boolean = yaml::as_boolean(scalar, true)) return *boolean ? "true" : "false";
  if (auto integer = yaml::as_integer(scalar)) return std::to_string(*integer);
  if (auto number = yaml::as_number(scalar)) return print_number(*number);
  return scalar.text;
}

Fields::Fields(Report& report, const yaml::Node& node, const Table& table, std::string where)
    : report_(report), node_(node), table_(table), where_(std::move(where)) {
  if (!node.is_mapping()) {
    if (!node.is_null()) report.error(node.mark, fmt::format("{} must be a mapping, not {}", where_, kind_of(node)));
    return;
  }
  int unknown = 0;
  for (const auto& [key, value] : node.entries) {
    const Field* field = find_field(table, key.text);
    if (field == nullptr) {
      const std::string text = fmt::format("{}: unknown key '{}'{}", where_, key.text,
                                           ++unknown <= kSuggestions ? suggestion(table, key.text) : "");
      table.open ? report.warning(key.mark, text) : report.error(key.mark, text);
    } else if (!asks_for_nothing(value)) {
      // An empty mapping still asks for something where its presence counts (`suspend: {}`), but not of a cluster.
      const bool empty = value.is_mapping() && value.entries.empty();
      if (field->use == Use::refused) {
        report.unsupported(key.mark, key.text,
                           field->note.empty() ? where_ : fmt::format("{}; {}", where_, field->note));
      }
      if (field->use == Use::cluster && !empty) report.ignored(key.mark, key.text);
      if (field->use == Use::postponed && !empty) report.postponed(key.mark, key.text, field->note);
    }
  }
}

const yaml::Node* Fields::find(std::string_view key) const {
  const yaml::Node* value = node_.is_mapping() ? find_value(node_, key) : nullptr;
  return value == nullptr || value->is_null() ? nullptr : value;
}

bool Fields::gives(std::string_view key) const {
  const yaml::Node* value = find(key);
  return value != nullptr && !asks_for_nothing(*value);
}

void Fields::wrong_type(std::string_view key, const yaml::Node& value, std::string_view expected) {
  report_.error(value.mark, fmt::format("{}.{} must be {}, not {}", where_, key, expected, kind_of(value)));
}

std::optional<Scalar> Fields::scalar(const yaml::Node& value, const std::string& where) {
  if (!value.is_scalar()) {
    report_.error(value.mark, fmt::format("{} must be a text, not {}", where, kind_of(value)));
    return std::nullopt;
  }
  // Arguments, variables and paths end at a zero byte for the operating system.
  if (value.text.contains('\0')) {
    report_.error(value.mark, fmt::format("{} holds a zero byte", where));
    return std::nullopt;
  }
  return Scalar{value.text, value.mark};
}

std::optional<Scalar> Fields::text(std::string_view key) {
  const yaml::Node* value = find(key);
  if (value == nullptr) return std::nullopt;
  return scalar(*value, fmt::format("{}.{}", where_, key));
}

std::optional<Scalar> Fields::any_text(std::string_view key) {
  std::optional<Scalar> found = text(key);
  if (found) found->text = any_string(*find(key));
  return found;
}

bool Fields::boolean(std::string_view key, bool absent) {
  const yaml::Node* value = find(key);
  if (value == nullptr) return absent;
  if (auto boolean = yaml::as_boolean(*value, true)) return *boolean;
  wrong_type(key, *value, "true or false");
  return absent;
}

std::optional<std::int64_t> Fields::integer(std::string_view key) {
  const yaml::Node* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (auto integer = yaml::as_integer(*value)) return integer;
  wrong_type(key, *value, "a whole number");
  return std::nullopt;
}

std::optional<std::uint32_t> Fields::mode(std::string_view key) {
  const auto mode = integer(key);
  if (!mode) return std::nullopt;
  if (*mode >= 0 && *mode <= 0777) return static_cast<std::uint32_t>(*mode);
  report_.error(find(key)->mark, fmt::format("{}.{} must be from 0 to 0777 (511), not {}; octal numbers begin with 0",
                                             where_, key, *mode));
  return std::nullopt;
}

const std::vector<yaml::Node>& Fields::list(std::string_view key) {
  static const std::vector<yaml::Node> kNone;
  const yaml::Node* value = find(key);
  if (value == nullptr) return kNone;
  if (value->is_sequence()) return value->items;
  wrong_type(key, *value, "a list");
  return kNone;
}

std::vector<Scalar> Fields::texts(std::string_view key) {
  std::vector<Scalar> all;
  const std::vector<yaml::Node>& items = list(key);
  for (std::size_t index = 0; index < items.size(); ++index)
    if (auto item = scalar(items[index], fmt::format("{}.{}[{}]", where_, key, index))) all.push_back(std::move(*item));
  return all;
}

std::vector<Scalar> Fields::any_texts(std::string_view key) {
  std::vector<Scalar> all;
  const std::vector<yaml::Node>& items = list(key);
  for (std::size_t index = 0; index < items.size(); ++index)
    if (auto item = scalar(items[index], fmt::format("{}.{}[{}]", where_, key, index)))
      all.push_back({any_string(items[index]), item->mark});
  return all;
}

const yaml::Node* Fields::mapping(std::string_view key) {
  const yaml::Node* value = find(key);
  if (value == nullptr || value->is_mapping()) return value;
  wrong_type(key, *value, "a mapping");
  return nullptr;
}

}  // namespace kist::dialect::argo
