// A precedence climber over the words of an expression. The grammar is expr-lang's, its oddities included: `not` binds
// tighter than a comparison, `??` tighter than all, and what follows `??` unbracketed must be another `??`.
#include <array>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "expression/grammar.hpp"
#include "expression/lexer.hpp"
#include "expression/syntax.hpp"

namespace kist::expression::syntax {
namespace {

constexpr int kMostLevels = 200;
constexpr std::size_t kMostNodes = 10'000;
constexpr std::size_t kLongest = 64 * 1024;

class Parser {
 public:
  explicit Parser(std::string_view source) : lexer_(source) {}

  Result<NodePointer> parse() {
    KIST_TRY(advance());
    KIST_TRY_ASSIGN(NodePointer node, sequence());
    if (token_.kind != Token::Kind::end) return unexpected();
    return node;
  }

 private:
  Status advance() {
    if (stash_) {
      token_ = std::move(*stash_);
      stash_.reset();
      return {};
    }
    KIST_TRY_ASSIGN(token_, lexer_.next());
    return {};
  }
  Status expect(std::string_view symbol) {
    if (!token_.is(symbol))
      return token_.kind == Token::Kind::end
                 ? error(token_, fmt::format("the expression ends where '{}' is missing", symbol))
                 : error(token_, fmt::format("'{}' is missing before '{}'", symbol, token_.value));
    return advance();
  }
  static std::unexpected<Error> error(const Token& token, std::string_view what) {
    return fail(ErrorKind::invalid, fmt::format("column {}: {}", token.begin + 1, what));
  }
  std::unexpected<Error> unexpected() const {
    if (token_.kind == Token::Kind::end) return error(token_, "something is missing at the end");
    return error(token_, fmt::format("'{}' was not expected", token_.value));
  }

  template <typename Is>
  Result<NodePointer> make(Is is, std::size_t begin) {
    Node node{std::move(is), begin + 1};
    node.depth = levels_below(node) + 1;
    if (node.depth > kMostLevels)
      return fail(ErrorKind::invalid, fmt::format("column {}: more than {} levels", begin + 1, kMostLevels));
    if (++nodes_ > kMostNodes) return fail(ErrorKind::invalid, fmt::format("more than {} parts", kMostNodes));
    return std::make_unique<const Node>(std::move(node));
  }

  // expression (';' expression)*
  Result<NodePointer> sequence() {
    std::size_t begin = token_.begin;
    std::vector<NodePointer> nodes;
    KIST_TRY_ASSIGN(NodePointer first, expression(0));
    nodes.push_back(std::move(first));
    while (token_.is(";")) {
      KIST_TRY(advance());
      if (token_.kind == Token::Kind::end) break;
      KIST_TRY_ASSIGN(NodePointer next, expression(0));
      nodes.push_back(std::move(next));
    }
    if (nodes.size() == 1) return std::move(nodes.front());
    return make(Sequence{std::move(nodes)}, begin);
  }

  Result<NodePointer> expression(int precedence) {
    if (++level_ > kMostLevels) return error(token_, fmt::format("more than {} levels", kMostLevels));
    auto node = expression_here(precedence);
    --level_;
    return node;
  }

  Result<NodePointer> expression_here(int precedence) {
    if (precedence == 0 && token_.is("let")) return let();
    if (precedence == 0 && token_.is("if")) return if_else();
    KIST_TRY_ASSIGN(NodePointer left, primary());
    KIST_TRY_ASSIGN(left, operators(std::move(left), precedence));
    while (precedence == 0 && token_.is("?")) {
      KIST_TRY_ASSIGN(left, ternary(std::move(left)));
    }
    return left;
  }

  Result<NodePointer> operators(NodePointer left, int precedence) {
    bool behind_coalesce = false;
    while (token_.kind == Token::Kind::symbol) {
      if (token_.is("|")) {
        if (precedence > 0) break;
        KIST_TRY_ASSIGN(left, pipe(std::move(left)));
        behind_coalesce = false;
        continue;
      }
      bool negated = token_.is("not");
      Token before = token_;
      if (negated) {
        KIST_TRY(advance());
        if (!may_follow_not(token_)) return unexpected();
      }
      const BinaryRule* rule = find_binary(token_);
      if (rule == nullptr || rule->precedence < precedence) {
        if (negated) {
          stash_ = std::move(token_);
          token_ = std::move(before);
        }
        break;
      }
      if (behind_coalesce && rule->op != Operator::coalesce)
        return error(token_, fmt::format("'{}' behind '{}' needs brackets around either", token_.value,
                                         "?"
                                         "?"));
      behind_coalesce = rule->op == Operator::coalesce;
      std::size_t begin = token_.begin;
      KIST_TRY(advance());
      if (is_comparison(rule->op)) {
        KIST_TRY_ASSIGN(left, comparisons(std::move(left), rule, begin));
        continue;
      }
      KIST_TRY_ASSIGN(NodePointer right,
                      expression(rule->op == Operator::power ? rule->precedence : rule->precedence + 1));
      KIST_TRY_ASSIGN(left, make(Binary{rule->op, std::move(left), std::move(right)}, begin));
      if (negated) {
        KIST_TRY_ASSIGN(left, make(Not{std::move(left)}, before.begin));
      }
    }
    return left;
  }

  // `1 < x < 5` is `1 < x and x < 5`: the middle is named, so that it is evaluated once.
  Result<NodePointer> comparisons(NodePointer left, const BinaryRule* rule, std::size_t begin) {
    KIST_TRY_ASSIGN(NodePointer right, expression(rule->precedence + 1));
    const BinaryRule* next = find_binary(token_);
    if (next == nullptr || !is_comparison(next->op))
      return make(Binary{rule->op, std::move(left), std::move(right)}, begin);
    std::string middle = fmt::format("{} ", begin);  // no name that can be written
    KIST_TRY_ASSIGN(NodePointer first_use, make(Name{middle}, begin));
    KIST_TRY_ASSIGN(NodePointer second_use, make(Name{middle}, begin));
    KIST_TRY_ASSIGN(NodePointer first, make(Binary{rule->op, std::move(left), std::move(first_use)}, begin));
    std::size_t next_begin = token_.begin;
    KIST_TRY(advance());
    if (++level_ > kMostLevels) return error(token_, fmt::format("more than {} levels", kMostLevels));
    auto rest = comparisons(std::move(second_use), next, next_begin);
    --level_;
    if (!rest) return rest;
    KIST_TRY_ASSIGN(NodePointer both, make(Binary{Operator::and_, std::move(first), std::move(*rest)}, begin));
    return make(Let{std::move(middle), std::move(right), std::move(both)}, begin);
  }

  Result<NodePointer> pipe(NodePointer left) {
    KIST_TRY(advance());
    if (token_.kind != Token::Kind::name) return unexpected();
    Token name = token_;
    KIST_TRY(advance());
    std::vector<NodePointer> arguments;
    arguments.push_back(std::move(left));
    // Sprig's functions are reached through a name of their own: `x | sprig.upper()`.
    if (name.value == "sprig" && token_.is(".")) {
      KIST_TRY(advance());
      name.value += "." + token_.value;
      KIST_TRY(advance());
    }
    KIST_TRY_ASSIGN(NodePointer node, call(name, std::move(arguments)));
    return postfix(std::move(node), name.begin);
  }

  Result<NodePointer> let() {
    std::size_t begin = token_.begin;
    KIST_TRY(advance());
    if (token_.kind != Token::Kind::name) return unexpected();
    std::string name = token_.value;
    KIST_TRY(advance());
    KIST_TRY(expect("="));
    KIST_TRY_ASSIGN(NodePointer value, expression(0));
    KIST_TRY(expect(";"));
    KIST_TRY_ASSIGN(NodePointer body, sequence());
    return make(Let{std::move(name), std::move(value), std::move(body)}, begin);
  }

  Result<NodePointer> block() {
    KIST_TRY(expect("{"));
    KIST_TRY_ASSIGN(NodePointer node, sequence());
    KIST_TRY(expect("}"));
    return node;
  }

  Result<NodePointer> if_else() {
    if (++level_ > kMostLevels) return error(token_, fmt::format("more than {} levels", kMostLevels));
    std::size_t begin = token_.begin;
    KIST_TRY(advance());
    KIST_TRY_ASSIGN(NodePointer condition, expression(0));
    KIST_TRY_ASSIGN(NodePointer yes, block());
    KIST_TRY(expect("else"));
    auto no = token_.is("if") ? if_else() : block();
    --level_;
    if (!no) return no;
    return make(Conditional{std::move(condition), std::move(yes), std::move(*no)}, begin);
  }

  Result<NodePointer> ternary(NodePointer condition) {
    std::size_t begin = token_.begin;
    KIST_TRY(advance());
    if (token_.is(":")) {  // `a ?: b`: a where it is true
      KIST_TRY(advance());
      KIST_TRY_ASSIGN(NodePointer no, expression(0));
      std::string value = fmt::format("{} ", begin);
      KIST_TRY_ASSIGN(NodePointer test, make(Name{value}, begin));
      KIST_TRY_ASSIGN(NodePointer yes, make(Name{value}, begin));
      KIST_TRY_ASSIGN(NodePointer choice, make(Conditional{std::move(test), std::move(yes), std::move(no)}, begin));
      return make(Let{std::move(value), std::move(condition), std::move(choice)}, begin);
    }
    KIST_TRY_ASSIGN(NodePointer yes, expression(0));
    KIST_TRY(expect(":"));
    KIST_TRY_ASSIGN(NodePointer no, expression(0));
    return make(Conditional{std::move(condition), std::move(yes), std::move(no)}, begin);
  }

  Result<NodePointer> primary() {
    Token token = token_;
    std::size_t begin = token.begin;
    if (token.is("not") || token.is("!")) {
      KIST_TRY(advance());
      KIST_TRY_ASSIGN(NodePointer operand, expression(kNotPrecedence));
      KIST_TRY_ASSIGN(NodePointer node, make(Not{std::move(operand)}, begin));
      return postfix(std::move(node), begin);
    }
    if (token.is("-") || token.is("+")) {
      KIST_TRY(advance());
      KIST_TRY_ASSIGN(NodePointer operand, expression(kSignPrecedence));
      KIST_TRY_ASSIGN(NodePointer node, make(Sign{token.is("-"), std::move(operand)}, begin));
      return postfix(std::move(node), begin);
    }
    if (token.is("(")) {
      KIST_TRY(advance());
      KIST_TRY_ASSIGN(NodePointer node, sequence());
      KIST_TRY(expect(")"));
      return postfix(std::move(node), begin);
    }
    if (predicates_ > 0 && (token.is("#") || token.is("."))) {
      std::string name;
      if (token.is("#")) {
        KIST_TRY(advance());
        if (token_.kind == Token::Kind::name && token_.begin == token.end) {
          name = token_.value;
          KIST_TRY(advance());
        }
        if (!name.empty() && name != "acc" && name != "index")
          return error(token, fmt::format("'#{}' is none of #, #acc and #index", name));
      }
      KIST_TRY_ASSIGN(NodePointer node, make(Pointer{std::move(name)}, begin));
      return postfix(std::move(node), begin);
    }
    if (token.is("::")) {
      KIST_TRY(advance());
      if (token_.kind != Token::Kind::name) return unexpected();
      Token name = token_;
      KIST_TRY(advance());
      KIST_TRY_ASSIGN(NodePointer node, call(name, {}));
      return postfix(std::move(node), begin);
    }
    return operand();
  }

  Result<NodePointer> operand() {
    Token token = token_;
    std::size_t begin = token.begin;
    if (token.kind == Token::Kind::number) {
      KIST_TRY(advance());
      KIST_TRY_ASSIGN(Value value, number(token));
      return make(Literal{std::move(value)}, begin);
    }
    if (token.kind == Token::Kind::name) {
      KIST_TRY(advance());
      if (token.value == "true" || token.value == "false") return make(Literal{Value(token.value == "true")}, begin);
      if (token.value == "nil") return make(Literal{Value()}, begin);
      auto node = token_.is("(") ? call(token, {}) : make(Name{token.value}, begin);
      if (!node) return node;
      return postfix(std::move(*node), begin);
    }
    Result<NodePointer> node;
    if (token.kind == Token::Kind::text) {
      KIST_TRY(advance());
      node = make(Literal{Value(token.value)}, begin);
    } else if (token.is("[")) {
      node = list();
    } else if (token.is("{")) {
      node = map();
    } else {
      return unexpected();
    }
    if (!node) return node;
    return postfix(std::move(*node), begin);
  }

  static Result<Value> number(const Token& token) {
    std::string digits;
    for (char c : token.value)
      if (c != '_') digits += c;
    auto starts = [&](std::string_view lower, std::string_view upper) {
      return digits.starts_with(lower) || digits.starts_with(upper);
    };
    int base = starts("0x", "0X") ? 16 : starts("0o", "0O") ? 8 : starts("0b", "0B") ? 2 : 10;
    const char* begin = digits.data() + (base == 10 ? 0 : 2);
    const char* end = digits.data() + digits.size();
    std::from_chars_result read{};
    Value value;
    if (base == 10 && digits.find_first_of(".eE") != std::string::npos) {
      double real = 0;
      read = std::from_chars(begin, end, real);
      value = Value(real);
    } else {
      std::int64_t integer = 0;
      read = std::from_chars(begin, end, integer, base);
      value = Value(integer);
    }
    if (read.ec == std::errc::result_out_of_range)
      return error(token, fmt::format("'{}' is too large a number", token.value));
    if (read.ec != std::errc() || read.ptr != end)
      return error(token, fmt::format("'{}' is not a number", token.value));
    return value;
  }

  // name '(' … ')', where `arguments` are what a pipe gave.
  Result<NodePointer> call(const Token& name, std::vector<NodePointer> arguments) {
    const PredicateRule* rule = find_predicate(name.value);
    bool piped = !arguments.empty();
    KIST_TRY_ASSIGN(arguments, brackets(std::move(arguments), rule != nullptr));
    if (rule != nullptr && (arguments.size() < rule->least || arguments.size() > rule->most))
      return error(name, fmt::format("{} takes {} arguments{}, not {}", name.value,
                                     rule->least == rule->most ? fmt::format("{}", rule->least)
                                                               : fmt::format("{} to {}", rule->least, rule->most),
                                     piped ? ", the one before '|' included" : "", arguments.size()));
    return make(Call{name.value, std::move(arguments)}, name.begin);
  }

  Result<std::vector<NodePointer>> brackets(std::vector<NodePointer> arguments, bool predicates) {
    std::size_t first = arguments.size();
    KIST_TRY(expect("("));
    while (!token_.is(")")) {
      if (arguments.size() > first) {
        KIST_TRY(expect(","));
        if (token_.is(")")) break;
      }
      auto argument = predicates && arguments.size() == 1 ? predicate() : expression(0);
      if (!argument) return std::unexpected(std::move(argument).error());
      arguments.push_back(std::move(*argument));
    }
    KIST_TRY(advance());
    return arguments;
  }

  Result<NodePointer> predicate() {
    bool braces = token_.is("{");
    if (braces) KIST_TRY(advance());
    ++predicates_;
    auto node = braces ? sequence() : expression(0);
    --predicates_;
    if (!node) return node;
    if (braces) KIST_TRY(expect("}"));
    if (!braces && token_.is(";")) return error(token_, "a predicate of several parts needs '{' and '}' around it");
    return node;
  }

  Result<NodePointer> list() {
    std::size_t begin = token_.begin;
    KIST_TRY(advance());
    std::vector<NodePointer> items;
    while (!token_.is("]")) {
      if (!items.empty()) {
        KIST_TRY(expect(","));
        if (token_.is("]")) break;
      }
      KIST_TRY_ASSIGN(NodePointer item, expression(0));
      items.push_back(std::move(item));
    }
    KIST_TRY(advance());
    return make(ListLiteral{std::move(items)}, begin);
  }

  Result<NodePointer> map() {
    std::size_t begin = token_.begin;
    KIST_TRY(advance());
    MapLiteral map;
    while (!token_.is("}")) {
      if (!map.items.empty()) {
        KIST_TRY(expect(","));
        if (token_.is("}")) break;
      }
      Result<NodePointer> key;
      if (token_.is("(")) {
        key = expression(0);
      } else if (token_.kind == Token::Kind::name || token_.kind == Token::Kind::number ||
                 token_.kind == Token::Kind::text) {
        key = make(Literal{Value(token_.value)}, token_.begin);
        KIST_TRY(advance());
      } else {
        return error(token_, "the key of a map is a name, a number, a text, or an expression in brackets");
      }
      if (!key) return key;
      KIST_TRY(expect(":"));
      KIST_TRY_ASSIGN(NodePointer value, expression(0));
      map.items.emplace_back(std::move(*key), std::move(value));
    }
    KIST_TRY(advance());
    return make(std::move(map), begin);
  }

  Result<NodePointer> postfix(NodePointer node, std::size_t begin) {
    bool chain = false;
    while (token_.is(".") || token_.is("?.") || token_.is("[")) {
      bool optional = token_.is("?.");
      chain = chain || optional;
      if (!token_.is("[")) {
        KIST_TRY(advance());
        if (!optional || !token_.is("[")) {
          KIST_TRY_ASSIGN(node, member(std::move(node), optional));
          continue;
        }
      }
      KIST_TRY_ASSIGN(node, index(std::move(node), optional));
    }
    return chain ? make(Chain{std::move(node)}, begin) : Result<NodePointer>(std::move(node));
  }

  Result<NodePointer> member(NodePointer node, bool optional) {
    Token name = token_;
    bool word = name.kind == Token::Kind::name || (name.kind == Token::Kind::symbol && name_character(name.value) > 0);
    if (!word) return unexpected();
    KIST_TRY(advance());
    if (token_.is("(")) {
      const auto* base = std::get_if<Name>(&node->is);
      KIST_TRY_ASSIGN(std::vector<NodePointer> arguments, brackets({}, false));
      if (base != nullptr && base->name == "sprig")
        return make(Call{"sprig." + name.value, std::move(arguments)}, name.begin);
      return make(Method{std::move(node), name.value, std::move(arguments), optional}, name.begin);
    }
    KIST_TRY_ASSIGN(NodePointer key, make(Literal{Value(name.value)}, name.begin));
    return make(Member{std::move(node), std::move(key), optional}, name.begin);
  }

  Result<NodePointer> index(NodePointer node, bool optional) {
    std::size_t begin = token_.begin;
    KIST_TRY(advance());
    NodePointer from;
    if (!token_.is(":")) {
      KIST_TRY_ASSIGN(from, expression(0));
      if (!token_.is(":")) {
        KIST_TRY(expect("]"));
        return make(Member{std::move(node), std::move(from), optional}, begin);
      }
    }
    KIST_TRY(advance());
    NodePointer to;
    if (!token_.is("]")) {
      KIST_TRY_ASSIGN(to, expression(0));
    }
    KIST_TRY(expect("]"));
    return make(Slice{std::move(node), std::move(from), std::move(to)}, begin);
  }

  Lexer lexer_;
  Token token_;
  std::optional<Token> stash_;
  std::size_t nodes_ = 0;
  int level_ = 0;
  int predicates_ = 0;
};

}  // namespace

Result<NodePointer> parse(std::string_view source) {
  if (source.size() > kLongest) return fail(ErrorKind::invalid, fmt::format("longer than {} bytes", kLongest));
  return Parser(source).parse();
}

}  // namespace kist::expression::syntax
