// Expressions: `{{=…}}` in texts, and the bare ones of hooks, retries, HTTP conditions and outputs. The language is
// expr-lang 1.17, as Argo has it, with Argo's functions (asInt, asFloat, toJson, jsonpath) and Sprig's under `sprig.`.
//
// Not there, and refused as an unknown name: of Sprig what asks the machine or makes keys and certificates (env,
// expandenv, getHostByName, genPrivateKey, genCA…, genSelfSignedCert…, genSignedCert…, buildCustomCert,
// derivePassword, bcrypt, htpasswd); of expr-lang bytes literals (b"…").
//
// An evaluation takes a bounded number of steps, bytes and levels: what needs more ends with an error.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "expression/scope.hpp"

namespace kist::expression {

namespace syntax {
struct Node;
}

// A name an expression refers to.
struct Mention {
  std::string name;            // as far as it is written out: "steps.a-b.outputs.result"; "steps" of `steps[x].status`
  bool may_be_absent = false;  // inside the left side of `??`, or taken with `?.`
};

// An expression, parsed once. Immutable and cheap to copy; may be read by any thread.
class Expression {
 public:
  // Without braces: "lastRetry.status == 'Failed'". Errors: invalid, with the text and the column.
  static Result<Expression> parse(std::string_view source);

  const std::string& source() const { return source_; }
  // Every name it refers to, once, in the order written.
  std::vector<Mention> mentions() const;

  const syntax::Node& root() const { return *root_; }

 private:
  std::string source_;
  std::shared_ptr<const syntax::Node> root_;
};

// The value of an expression. Dates become RFC 3339 text, durations nanoseconds, maps have sorted keys.
// Errors: invalid, with the expression's text and the column; what the scope answered.
Result<Json> evaluate_value(const Expression& expression, const Scope& scope);

// The same where only true and false have a meaning. Errors: also what is neither.
Result<bool> evaluate_bool(const Expression& expression, const Scope& scope);

// What a text gets in place of `{{=expression}}`: texts as they are, all else as compact JSON. nullopt: it stays as
// written, because its value is nil, or a name it needs is not known to the scope.
Result<std::optional<std::string>> evaluate_tag(const Expression& expression, const Scope& scope);

// Where the expression ends that begins at the front of `text`, which is what follows `{{=`: the place of its `}}`,
// npos where there is none. Braces of the expression's own maps and strings do not end it.
std::size_t end_of_tag(std::string_view text);

}  // namespace kist::expression
