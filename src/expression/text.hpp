// Texts with holes, parsed once. A dialect cuts a text into literal parts and references; the engine fills the
// references when a node is about to run. Nothing searches strings afterwards: a command that contains `{{` in a
// dialect without late references is one literal part and passes untouched.
//
// The late language is Argo's: `{{steps.a.outputs.result}}`, names may hold references themselves: `{{a.{{b}}}}`; and
// `{{=expression}}` (expression.hpp).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "expression/expression.hpp"
#include "expression/scope.hpp"

namespace kist::expression {

struct Part;

// One `{{name}}`.
struct Reference {
  std::vector<Part> name;  // the name between the braces, blanks trimmed; mostly one literal part
  std::string source;      // as written, braces included: what stays where the name is unknown
};

// One `{{=expression}}`.
struct Tag {
  Expression expression;
  std::string source;  // as written, braces included: what stays where it has no value
};

// An expression whose own text has holes, which are filled before it is parsed.
struct LateExpression {
  std::vector<Part> text;
  std::string source;  // as of a tag
};

// A piece of a text.
struct Part {
  std::variant<std::string, Reference, Tag, LateExpression> value;
};

// A hole that is to be filled with what `name` means then; `source` is how the dialect spells it.
inline Part refer(std::string name, std::string source) {
  return Part{Reference{.name = {Part{std::move(name)}}, .source = std::move(source)}};
}

// A text, immutable after parsing; may be read by any thread.
class Text {
 public:
  Text() = default;
  // A text without holes: nothing in it has a meaning.
  static Text literal(std::string text);
  // A text of given pieces: for dialects that have a spelling of their own for what is known late.
  static Text of(std::vector<Part> parts) {
    Text text;
    text.parts_ = std::move(parts);
    return text;
  }
  // A text that is one expression and nothing else, for fields that hold one without braces. What `{{…}}` in it stand
  // for is filled in as text before the expression is parsed, as Argo does. One that does not parse is an error when it
  // is evaluated.
  static Text of_expression(std::string_view source);
  // Argo's `{{…}}` and `{{=…}}`. An unclosed `{{` is literal. Errors: invalid for an expression that does not parse,
  // with its text and the column.
  static Result<Text> parse(std::string_view source);

  bool is_literal() const;
  // As written.
  std::string source() const;
  const std::vector<Part>& parts() const { return parts_; }

 private:
  std::vector<Part> parts_;
};

// The text with its references and expressions filled, inner ones first. What is filled in is not parsed again; what
// has no value (an unknown name, nil) stays as written.
Result<std::string> evaluate(const Text& text, const Scope& scope);

// The value of a text that is exactly one expression or one reference, blanks around it aside, as it is (what has no
// value is null); of any other text its evaluated text.
Result<Json> evaluate_value(const Text& text, const Scope& scope);

// Whether the text says true: an expression by its value, any other text by being "true" or "false" once evaluated.
// Errors: also what is neither.
Result<bool> evaluate_bool(const Text& text, const Scope& scope);

// The names a text refers to, as far as they are literal ("steps.a.outputs.result"), for checks before a run: those
// of its references, and those its expressions mention.
std::vector<std::string> references(const Text& text);

}  // namespace kist::expression
