// Texts with holes, parsed once. A dialect cuts a text into literal parts and references; the engine fills the
// references when a node is about to run. Nothing searches strings afterwards: a command that contains `{{` in a
// dialect without late references is one literal part and passes untouched.
//
// The late language is Argo's: `{{steps.a.outputs.result}}`, names may hold references themselves: `{{a.{{b}}}}`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace kist::expression {

struct Part;

// One `{{name}}`.
struct Reference {
  std::vector<Part> name;  // the name between the braces, blanks trimmed; mostly one literal part
  std::string source;      // as written, braces included: what stays where the name is unknown
};

// A piece of a text.
struct Part {
  std::variant<std::string, Reference> value;
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
  // Argo's `{{…}}`. An unclosed `{{` is literal. Errors: unsupported for `{{=…}}`, naming it.
  static Result<Text> parse(std::string_view source);

  bool is_literal() const;
  // As written.
  std::string source() const;
  const std::vector<Part>& parts() const { return parts_; }

 private:
  std::vector<Part> parts_;
};

// What names mean at one moment.
class Scope {
 public:
  virtual ~Scope() = default;
  // The text of a name; nullopt: unknown, the reference stays as written; an error: unknown, and that must not be.
  virtual Result<std::optional<std::string>> find(std::string_view name) const = 0;
};

// The text with its references filled, inner ones first. What is filled in is not parsed again.
Result<std::string> evaluate(const Text& text, const Scope& scope);

// The names a text refers to, as far as they are literal ("steps.a.outputs.result"), for checks before a run.
std::vector<std::string> references(const Text& text);

}  // namespace kist::expression
