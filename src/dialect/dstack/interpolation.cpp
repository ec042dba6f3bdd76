#include "dialect/dstack/interpolation.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

namespace kist::dialect::dstack {
namespace {

constexpr std::string_view kOpen = "${{";
constexpr std::string_view kClose = "}}";

std::string_view trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

bool is_word(std::string_view text) {
  if (text.empty() || std::isdigit(static_cast<unsigned char>(text.front()))) return false;
  return std::ranges::all_of(text, [](unsigned char c) { return c < 0x80 && (std::isalnum(c) || c == '_'); });
}

void append(Parts& parts, std::string_view text) {
  if (text.empty()) return;
  if (!parts.empty())
    if (auto* literal = std::get_if<std::string>(&parts.back().value)) {
      literal->append(text);
      return;
    }
  parts.push_back({std::string(text)});
}

}  // namespace

Parts interpolate(std::string_view text, std::string_view run_arguments, const model::Origin& origin,
                  model::Notices& notices) {
  Parts parts;
  while (true) {
    std::size_t open = text.find(kOpen);
    append(parts, text.substr(0, open));
    if (open == std::string_view::npos) return parts;
    text.remove_prefix(open);
    if (open > 0 && std::get<std::string>(parts.back().value).back() == '$') {  // $${{: the first $ was its escape
      text.remove_prefix(1);
      append(parts, text.substr(0, 2));
      text.remove_prefix(2);
      continue;
    }
    std::size_t close = text.find(kClose);
    if (close == std::string_view::npos) {
      notices.fail(origin, fmt::format("no '}}}}' closes '{}'", text.substr(0, text.find('\n'))));
      return parts;
    }
    std::string_view written = text.substr(0, close + kClose.size());
    std::string_view name = trim(text.substr(kOpen.size(), close - kOpen.size()));
    std::size_t dot = name.find('.');
    text.remove_prefix(written.size());
    if (dot == std::string_view::npos || !is_word(name.substr(0, dot)) || !is_word(name.substr(dot + 1)))
      notices.fail(origin,
                   fmt::format("illegal reference name '{}' in '{}': expected run.name or run.args", name, written));
    else if (name == "run.name")
      parts.push_back(expression::refer("workflow.name", std::string(written)));
    else if (name == "run.args")
      append(parts, run_arguments);
    else if (name.starts_with("secrets."))
      notices.unsupported(model::Notice::Level::error, origin, "secrets", fmt::format("'{}'", written));
    else
      notices.warn(origin, fmt::format("'{}' is not known: it is replaced by nothing", written));
  }
}

std::string join_arguments(const std::vector<std::string>& words) {
  std::string joined;
  for (const std::string& word : words) {
    if (!joined.empty()) joined += ' ';
    if (word.find(' ') == std::string::npos) {
      joined += word;
      continue;
    }
    joined += '"';
    for (char c : word) {
      if (c == '"') joined += '\\';
      joined += c;
    }
    joined += '"';
  }
  return joined;
}

bool is_late(const Parts& parts) {
  return std::ranges::any_of(parts, [](const expression::Part& part) { return part.value.index() == 1; });
}

std::string source(const Parts& parts) {
  std::string text;
  for (const expression::Part& part : parts) {
    if (const auto* literal = std::get_if<std::string>(&part.value))
      text += *literal;
    else
      text += std::get<expression::Reference>(part.value).source;
  }
  return text;
}

}  // namespace kist::dialect::dstack
