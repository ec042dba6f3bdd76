#include "expression/text.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/overloaded.hpp"

namespace kist::expression {
namespace {

// Names within names: deeper than any file goes, shallow enough for every function here to recurse.
constexpr std::size_t kMostReferences = 32;

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trim(std::string_view text) {
  std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// The braces of one reference or expression, by the places of `{{` and `}}`.
struct Braces {
  std::size_t open;
  std::size_t close;
};

constexpr std::string_view kExpression = "{{=";

// All closed references, ordered by where they open; inner ones after the one they stand in. A `{{` that no `}}`
// follows, and a `}}` that no `{{` precedes, are text.
std::vector<Braces> find_braces(std::string_view source) {
  std::vector<Braces> closed;
  std::vector<std::size_t> open;
  for (std::size_t at = 0; at + 1 < source.size();) {
    if (source.substr(at).starts_with(kExpression)) {
      std::string_view rest = source.substr(at + kExpression.size());
      if (std::size_t end = end_of_tag(rest); end != std::string_view::npos) {
        closed.push_back({at, at + kExpression.size() + end});
        at = closed.back().close + 2;
        continue;
      }
    }
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

class TextParser {
 public:
  explicit TextParser(std::string_view source) : source_(source), braces_(find_braces(source)) {}

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
      if (source_.substr(braces.open).starts_with(kExpression)) {
        KIST_TRY_ASSIGN(Tag tag, this->tag(braces));
        result.push_back(Part{std::move(tag)});
      } else {
        KIST_TRY_ASSIGN(Reference reference, this->reference(braces, depth));
        result.push_back(Part{std::move(reference)});
      }
      begin = braces.close + 2;
    }
    add_literal(end);
    return result;
  }

  Result<Reference> reference(Braces braces, std::size_t depth) {
    std::string_view source = source_.substr(braces.open, braces.close + 2 - braces.open);
    std::string_view inside = source.substr(2, source.size() - 4);
    if (depth == kMostReferences)
      return fail(ErrorKind::invalid, fmt::format("more than {} references inside each other: {}…", kMostReferences,
                                                  source.substr(0, 4 * kMostReferences)));
    std::string_view name = trim(inside);
    auto begin = name.empty() ? braces.open + 2 : static_cast<std::size_t>(name.data() - source_.data());
    KIST_TRY_ASSIGN(std::vector<Part> parts, this->parts(begin, begin + name.size(), depth + 1));
    return Reference{std::move(parts), std::string(source)};
  }

  Result<Tag> tag(Braces braces) const {
    std::string_view source = source_.substr(braces.open, braces.close + 2 - braces.open);
    std::string_view inside = source.substr(kExpression.size(), source.size() - kExpression.size() - 2);
    KIST_TRY_ASSIGN(Expression expression, Expression::parse(inside));
    return Tag{std::move(expression), std::string(source)};
  }

  std::string_view source_;
  std::vector<Braces> braces_;
  std::size_t next_ = 0;
};

const std::string& source_of(const Part& part) {
  return std::visit(Overloaded{[](const std::string& literal) -> const std::string& { return literal; },
                               [](const auto& hole) -> const std::string& { return hole.source; }},
                    part.value);
}

Status evaluate(const std::vector<Part>& parts, const Scope& scope, std::string& result);

// The expression of a part that is one, parsed into `late` where it has to be; nullptr for any other part.
Result<const Expression*> expression_of(const Part& part, const Scope& scope, std::optional<Expression>& late) {
  if (const auto* tag = std::get_if<Tag>(&part.value)) return &tag->expression;
  const auto* written = std::get_if<LateExpression>(&part.value);
  if (written == nullptr) return nullptr;
  std::string source;
  KIST_TRY(evaluate(written->text, scope, source));
  KIST_TRY_ASSIGN(late, Expression::parse(source));
  return &*late;
}

Status evaluate(const std::vector<Part>& parts, const Scope& scope, std::string& result) {
  for (const Part& part : parts) {
    if (const auto* literal = std::get_if<std::string>(&part.value)) {
      result += *literal;
      continue;
    }
    std::optional<Expression> late;
    KIST_TRY_ASSIGN(const Expression* expression, expression_of(part, scope, late));
    if (expression != nullptr) {
      KIST_TRY_ASSIGN(auto value, evaluate_tag(*expression, scope));
      result += value ? *value : source_of(part);
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
    if (const auto* tag = std::get_if<Tag>(&part.value))
      for (Mention& mention : tag->expression.mentions()) names.push_back(std::move(mention.name));
    if (const auto* late = std::get_if<LateExpression>(&part.value)) collect_references(late->text, names);
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

Text Text::of_expression(std::string_view written) {
  std::string source = fmt::format("{}{}}}}}", kExpression, written);
  auto text = parse(written);
  if (!text) text = literal(std::string(written));
  if (text->is_literal())
    if (auto expression = Expression::parse(written)) return of({Part{Tag{std::move(*expression), std::move(source)}}});
  return of({Part{LateExpression{std::move(text->parts_), std::move(source)}}});
}

Result<Text> Text::parse(std::string_view source) {
  Text result;
  KIST_TRY_ASSIGN(result.parts_, TextParser(source).parse());
  return result;
}

bool Text::is_literal() const {
  return std::ranges::all_of(parts_, [](const Part& part) { return std::holds_alternative<std::string>(part.value); });
}

std::string Text::source() const {
  std::string result;
  for (const Part& part : parts_) result += source_of(part);
  return result;
}

Result<std::string> evaluate(const Text& text, const Scope& scope) {
  std::string result;
  KIST_TRY(evaluate(text.parts(), scope, result));
  return result;
}

namespace {

// The only hole of a text that is nothing else.
const Part* only_hole(const Text& text) {
  const Part* hole = nullptr;
  for (const Part& part : text.parts()) {
    const auto* literal = std::get_if<std::string>(&part.value);
    bool blank = literal != nullptr && trim(*literal).empty();
    if (!blank && (literal != nullptr || hole != nullptr)) return nullptr;
    if (!blank) hole = &part;
  }
  return hole;
}

}  // namespace

Result<Json> evaluate_value(const Text& text, const Scope& scope) {
  const Part* hole = only_hole(text);
  if (hole != nullptr) {
    std::optional<Expression> late;
    KIST_TRY_ASSIGN(const Expression* expression, expression_of(*hole, scope, late));
    if (expression != nullptr) return evaluate_value(*expression, scope);
    std::string name;
    KIST_TRY(evaluate(std::get<Reference>(hole->value).name, scope, name));
    KIST_TRY_ASSIGN(auto value, scope.value(name));
    return value ? std::move(*value) : Json();
  }
  KIST_TRY_ASSIGN(std::string value, evaluate(text, scope));
  return Json(std::move(value));
}

Result<bool> evaluate_bool(const Text& text, const Scope& scope) {
  const Part* hole = only_hole(text);
  if (hole != nullptr) {
    std::optional<Expression> late;
    KIST_TRY_ASSIGN(const Expression* expression, expression_of(*hole, scope, late));
    if (expression != nullptr) return evaluate_bool(*expression, scope);
  }
  KIST_TRY_ASSIGN(std::string value, evaluate(text, scope));
  std::string_view word = trim(value);
  if (word == "true" || word == "false") return word == "true";
  return fail(ErrorKind::invalid, fmt::format("'{}' is neither true nor false", value));
}

std::vector<std::string> references(const Text& text) {
  std::vector<std::string> names;
  collect_references(text.parts(), names);
  return names;
}

}  // namespace kist::expression
