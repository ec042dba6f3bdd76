#include "expression/text.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace kist::expression {
namespace {

// Names within names: deeper than any file goes, shallow enough for every function here to recurse.
constexpr std::size_t kDeepest = 32;

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trim(std::string_view text) {
  std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// The braces of one reference, by the places of `{{` and `}}`.
struct Braces {
  std::size_t open;
  std::size_t close;
};

// All closed references, ordered by where they open; inner ones after the one they stand in. A `{{` that no `}}`
// follows, and a `}}` that no `{{` precedes, are text.
std::vector<Braces> find_braces(std::string_view source) {
  std::vector<Braces> closed;
  std::vector<std::size_t> open;
  for (std::size_t at = 0; at + 1 < source.size();) {
    bool opens = source[at] == '{' && source[at + 1] == '{';
    bool closes = source[at] == '}' && source[at + 1] == '}' && !open.empty();
    if (opens) open.push_back(at);
    if (closes) {
      closed.push_back({open.back(), at});
      open.pop_back();
    }
    at += opens || closes ? 2 : 1;
  }
  std::ranges::sort(closed, {}, &Braces::open);
  return closed;
}

class Parser {
 public:
  explicit Parser(std::string_view source) : source_(source), braces_(find_braces(source)) {}

  Result<std::vector<Part>> parse() { return parts(0, source_.size(), 0); }

 private:
  // The parts of source[begin, end); `next_` is the first of the braces at or behind `begin`.
  Result<std::vector<Part>> parts(std::size_t begin, std::size_t end, std::size_t depth) {
    std::vector<Part> result;
    auto add_literal = [&](std::size_t stop) {
      if (stop > begin) result.push_back(Part{std::string(source_.substr(begin, stop - begin))});
    };
    while (next_ < braces_.size() && braces_[next_].open < end) {
      Braces braces = braces_[next_++];
      add_literal(braces.open);
      KIST_TRY_ASSIGN(Reference reference, this->reference(braces, depth));
      result.push_back(Part{std::move(reference)});
      begin = braces.close + 2;
    }
    add_literal(end);
    return result;
  }

  Result<Reference> reference(Braces braces, std::size_t depth) {
    std::string_view source = source_.substr(braces.open, braces.close + 2 - braces.open);
    std::string_view inside = source.substr(2, source.size() - 4);
    if (inside.starts_with('=')) return fail(ErrorKind::unsupported, fmt::format("not supported yet: {}", source));
    if (depth == kDeepest)
      return fail(ErrorKind::invalid, fmt::format("more than {} references inside each other: {}…", kDeepest,
                                                  source.substr(0, 4 * kDeepest)));
    std::string_view name = trim(inside);
    auto begin = name.empty() ? braces.open + 2 : static_cast<std::size_t>(name.data() - source_.data());
    KIST_TRY_ASSIGN(std::vector<Part> parts, this->parts(begin, begin + name.size(), depth + 1));
    return Reference{std::move(parts), std::string(source)};
  }

  std::string_view source_;
  std::vector<Braces> braces_;
  std::size_t next_ = 0;
};

Status evaluate(const std::vector<Part>& parts, const Scope& scope, std::string& result) {
  for (const Part& part : parts) {
    if (const auto* literal = std::get_if<std::string>(&part.value)) {
      result += *literal;
      continue;
    }
    const auto& reference = std::get<Reference>(part.value);
    std::string name;
    KIST_TRY(evaluate(reference.name, scope, name));
    KIST_TRY_ASSIGN(auto value, scope.find(name));
    result += value ? *value : reference.source;
  }
  return {};
}

void collect_references(const std::vector<Part>& parts, std::vector<std::string>& names) {
  for (const Part& part : parts) {
    const auto* reference = std::get_if<Reference>(&part.value);
    if (reference == nullptr) continue;
    if (reference->name.size() == 1 && std::holds_alternative<std::string>(reference->name.front().value))
      names.push_back(std::get<std::string>(reference->name.front().value));
    else
      collect_references(reference->name, names);
  }
}

}  // namespace

Text Text::literal(std::string text) {
  Text result;
  if (!text.empty()) result.parts_.push_back(Part{std::move(text)});
  return result;
}

Result<Text> Text::parse(std::string_view source) {
  Text result;
  KIST_TRY_ASSIGN(result.parts_, Parser(source).parse());
  return result;
}

bool Text::is_literal() const {
  return std::ranges::all_of(parts_, [](const Part& part) { return std::holds_alternative<std::string>(part.value); });
}

std::string Text::source() const {
  std::string result;
  for (const Part& part : parts_) {
    const auto* reference = std::get_if<Reference>(&part.value);
    result += reference != nullptr ? reference->source : std::get<std::string>(part.value);
  }
  return result;
}

Result<std::string> evaluate(const Text& text, const Scope& scope) {
  std::string result;
  KIST_TRY(evaluate(text.parts(), scope, result));
  return result;
}

std::vector<std::string> references(const Text& text) {
  std::vector<std::string> names;
  collect_references(text.parts(), names);
  return names;
}

}  // namespace kist::expression
