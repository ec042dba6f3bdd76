#include "model/reader.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace kist::model {
namespace {

constexpr std::size_t kShownText = 60;  // of a value, in a message

const Field* find(std::span<const Field> fields, std::string_view key) {
  auto field = std::ranges::find(fields, key, &Field::key);
  return field == fields.end() ? nullptr : &*field;
}

}  // namespace

void Notices::warn(Origin origin, std::string text) {
  add({Notice::Level::warning, std::move(origin), std::move(text)});
}

void Notices::fail(Origin origin, std::string text) {
  ++errors_;
  ++mistakes_;
  add({Notice::Level::error, std::move(origin), std::move(text)});
}

void Notices::unsupported(Notice::Level level, Origin origin, std::string_view key, std::string_view remark) {
  if (!unsupported_.emplace(level, origin.file, key).second) return;
  if (level == Notice::Level::error) ++errors_;
  std::string text = fmt::format("not supported yet: {}", key);
  if (!remark.empty()) text += fmt::format(" ({})", remark);
  add({level, std::move(origin), std::move(text)});
}

void Notices::add(Notice notice) {
  if (said_.insert(to_string(notice)).second) notices_.push_back(std::move(notice));
}

std::vector<Notice> Notices::sorted(Notice::Level level) const {
  std::vector<Notice> found;
  std::ranges::copy_if(notices_, std::back_inserter(found), [&](const Notice& n) { return n.level == level; });
  std::ranges::stable_sort(found, {}, [](const Notice& notice) {
    return std::tie(notice.origin.file, notice.origin.line, notice.origin.column);
  });
  return found;
}

std::vector<Notice> Notices::warnings() const {
  return sorted(Notice::Level::warning);
}

Error Notices::error() const {
  std::string text;
  for (const Notice& notice : sorted(Notice::Level::error)) {
    if (!text.empty()) text += '\n';
    std::string place = to_string(notice.origin);
    text += place.empty() ? notice.text : fmt::format("{}: {}", place, notice.text);
  }
  return {mistakes_ > 0 ? ErrorKind::invalid : ErrorKind::unsupported, std::move(text)};
}

void Reader::later(const yaml::Node& node, std::string_view key, std::string_view remark) const {
  notices_.unsupported(Notice::Level::warning, at(node), key, remark);
}

void Reader::refuse(const yaml::Node& node, std::string_view key, std::string_view remark) const {
  notices_.unsupported(Notice::Level::error, at(node), key, remark);
}

bool Reader::mapping(const yaml::Node& node, std::string_view what, std::span<const Field> fields,
                     const std::function<void(const yaml::Node& key, const yaml::Node& value)>& other) const {
  if (!node.is_mapping()) {
    fail(node, fmt::format("expected {} (keys and values), not {}", what, describe(node)));
    return false;
  }
  for (const auto& [key, value] : node.entries) {
    if (!key.is_scalar()) {
      fail(key, fmt::format("expected the name of a key in {}, not {}", what, describe(key)));
      continue;
    }
    const Field* field = find(fields, key.text);
    if (field == nullptr) {
      if (other)
        other(key, value);
      else
        warn(key, fmt::format("unknown key '{}' in {}: it is ignored", key.text, what));
      continue;
    }
    switch (field->kind) {
      case Field::Kind::read:
        if (value.is_null() && !field->null)
          warn(key, fmt::format("'{}' has no value: it is ignored", key.text));
        else
          field->read(value);
        break;
      case Field::Kind::accepted:
        break;
      case Field::Kind::later:
        later(key, key.text, field->remark);
        break;
      case Field::Kind::refused:
        refuse(key, key.text, field->remark);
        break;
    }
  }
  return true;
}

std::optional<std::string> Reader::text(const yaml::Node& node, std::string_view name, std::string_view what) const {
  if (!node.is_scalar())
    fail(node, fmt::format("{}: expected {}, not {}", name, what, describe(node)));
  else if (node.text.find('\0') != std::string::npos)
    fail(node, fmt::format("{}: expected {}, without a NUL byte in it", name, what));
  else
    return node.text;
  return std::nullopt;
}

std::optional<bool> Reader::boolean(const yaml::Node& node, std::string_view name) const {
  if (std::optional<bool> value = yaml::as_boolean(node, true)) return value;
  fail(node, fmt::format("{}: expected true or false, not {}", name, describe(node)));
  return std::nullopt;
}

std::string describe(const yaml::Node& node) {
  switch (node.kind) {
    case yaml::Kind::null:
      return "nothing";
    case yaml::Kind::sequence:
      return "a list";
    case yaml::Kind::mapping:
      return "a mapping";
    case yaml::Kind::scalar:
      break;
  }
  std::string shown = node.text.substr(0, node.text.find('\n'));
  if (shown.size() > kShownText) {
    std::size_t end = kShownText;
    while (end > 0 && (static_cast<unsigned char>(shown[end]) & 0xC0) == 0x80) --end;  // never inside a character
    shown.resize(end);
  }
  return shown.size() == node.text.size() ? fmt::format("'{}'", shown) : fmt::format("'{}…'", shown);
}

}  // namespace kist::model
