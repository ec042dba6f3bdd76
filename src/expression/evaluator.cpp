// Walks the tree of an expression. What a dotted name means is asked of the scope as a whole first
// ("steps.a.outputs.result"), then by ever shorter fronts, whose value is then asked for the rest.
#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "expression/date.hpp"
#include "expression/expression.hpp"
#include "expression/functions.hpp"
#include "expression/moment.hpp"
#include "expression/operators.hpp"
#include "expression/predicates.hpp"
#include "expression/syntax.hpp"

namespace kist::expression {
namespace {

using syntax::Node;
using syntax::NodePointer;
using syntax::Operator;

constexpr std::string_view kEverything = "$env";

// What is known only later: an expression that needs one of them stays as written until then.
constexpr auto kLateNames =
    std::to_array<std::string_view>({"item", "retries", "lastRetry.exitCode", "lastRetry.status", "lastRetry.duration",
                                     "lastRetry.message", "workflow.status", "workflow.failures"});

bool is_front(std::string_view front, std::string_view name) {
  return name.starts_with(front) && (name.size() == front.size() || name[front.size()] == '.');
}

std::string joined(std::string_view root, const std::vector<std::string>& keys, std::size_t count) {
  std::string name(root);
  for (std::size_t i = 0; i < count; ++i) {
    if (!name.empty()) name += '.';
    name += keys[i];
  }
  return name;
}

class Evaluator {
 public:
  explicit Evaluator(const Scope& scope) : scope_(scope), work_(scope.surroundings()) {}

  Result<Value> evaluate(const Node& node) {
    KIST_TRY(work_.step());
    auto value = std::visit([&](const auto& is) { return visit(node, is); }, node.is);
    // The innermost place is the one to look at.
    if (!value && !placed_) {
      placed_ = true;
      value.error().text = fmt::format("column {}: {}", node.column, value.error().text);
    }
    return value;
  }

  // A name was asked for that only later has a meaning.
  bool is_early() const { return early_; }
  // A name was asked for that the scope does not know, and it was no error of the scope.
  bool is_unknown() const { return unknown_ && !refused_; }
  Work& work() { return work_; }

 private:
  struct Element {
    const List* list;
    std::size_t index;
    Value accumulator;
  };

  Result<Value> visit(const Node&, const syntax::Literal& is) { return is.value; }

  Result<Value> visit(const Node&, const syntax::Name& is) {
    if (const Value* local = find_local(is.name)) return *local;
    return from_scope(is.name == kEverything ? "" : is.name, {}, {});
  }

  Result<Value> visit(const Node&, const syntax::Pointer& is) {
    if (elements_.empty()) return fail(ErrorKind::invalid, "there is no element here");
    const Element& element = elements_.back();
    if (is.name == "acc") return element.accumulator;
    if (is.name == "index") return Value(static_cast<std::int64_t>(element.index));
    return (*element.list)[element.index];
  }

  Result<Value> visit(const Node&, const syntax::Not& is) {
    KIST_TRY_ASSIGN(bool truth, this->truth(*is.operand, "not"));
    return Value(!truth);
  }

  Result<Value> visit(const Node&, const syntax::Sign& is) {
    KIST_TRY_ASSIGN(Value value, evaluate(*is.operand));
    if (is.negative) return negate(value);
    if (!value.is_number()) return fail(ErrorKind::invalid, fmt::format("'+' does not go with {}", value.type()));
    return value;
  }

  Result<Value> visit(const Node&, const syntax::Binary& is) {
    if (is.op == Operator::and_ || is.op == Operator::or_) {
      std::string_view word = is.op == Operator::and_ ? "and" : "or";
      KIST_TRY_ASSIGN(bool left, truth(*is.left, word));
      if (left == (is.op == Operator::or_)) return Value(left);
      KIST_TRY_ASSIGN(bool right, truth(*is.right, word));
      return Value(right);
    }
    if (is.op == Operator::coalesce) {
      ++guarded_;
      auto left = evaluate(*is.left);
      --guarded_;
      if (!left || !left->is_nil()) return left;
      return evaluate(*is.right);
    }
    KIST_TRY_ASSIGN(Value left, evaluate(*is.left));
    KIST_TRY_ASSIGN(Value right, evaluate(*is.right));
    return operate(is.op, left, right, work_);
  }

  Result<Value> visit(const Node&, const syntax::Conditional& is) {
    KIST_TRY_ASSIGN(bool truth, this->truth(*is.condition, "?"));
    return evaluate(truth ? *is.yes : *is.no);
  }

  Result<Value> visit(const Node&, const syntax::Let& is) {
    KIST_TRY_ASSIGN(Value value, evaluate(*is.value));
    locals_.emplace_back(is.name, std::move(value));
    auto result = evaluate(*is.body);
    locals_.pop_back();
    return result;
  }

  Result<Value> visit(const Node&, const syntax::Sequence& is) {
    Result<Value> value;
    for (const NodePointer& node : is.nodes) {
      value = evaluate(*node);
      if (!value) break;
    }
    return value;
  }

  Result<Value> visit(const Node&, const syntax::Slice& is) {
    KIST_TRY_ASSIGN(Value base, evaluate(*is.base));
    if (broken_) return Value();
    Value from;
    Value to;
    if (is.from != nullptr) {
      KIST_TRY_ASSIGN(from, evaluate(*is.from));
    }
    if (is.to != nullptr) {
      KIST_TRY_ASSIGN(to, evaluate(*is.to));
    }
    return slice(base, from, to, work_);
  }

  // Everything in the chain may be absent: `a.b?.c`.
  Result<Value> visit(const Node&, const syntax::Chain& is) {
    bool outer = std::exchange(broken_, false);
    ++guarded_;
    auto value = evaluate(*is.inner);
    --guarded_;
    broken_ = outer;
    return value;
  }

  Result<Value> visit(const Node&, const syntax::Member& is) {
    if (auto root = root_of(*is.base)) return dotted(*root, is);
    KIST_TRY_ASSIGN(Value base, evaluate(*is.base));
    return fetch(base, is);
  }

  Result<Value> fetch(const Value& base, const syntax::Member& is) {
    if (broken_) return Value();
    if (is.optional && base.is_nil()) {
      broken_ = true;
      return Value();
    }
    KIST_TRY_ASSIGN(Value key, outside_chain(*is.key));
    return member_of(base, key);
  }

  Result<Value> member_of(const Value& base, const Value& key) {
    if (base.is_nil() && guarded_ > 0) return Value();
    return member(base, key, work_);
  }

  // What stands in brackets is no part of the chain around it.
  Result<Value> outside_chain(const Node& node) {
    bool broken = std::exchange(broken_, false);
    auto value = evaluate(node);
    broken_ = broken;
    return value;
  }

  // The name of the scope at the front of a chain of members, where there is one.
  std::optional<std::string_view> root_of(const Node& node) const {
    const Node* at = &node;
    while (const auto* inner = std::get_if<syntax::Member>(&at->is)) at = inner->base.get();
    const auto* name = std::get_if<syntax::Name>(&at->is);
    if (name == nullptr || find_local(name->name) != nullptr) return std::nullopt;
    return name->name;
  }

  // root.a['b'][0]: the keys that are texts are the name, the rest is taken of its value.
  Result<Value> dotted(std::string_view root, const syntax::Member& last) {
    std::vector<const syntax::Member*> members;
    for (const auto* at = &last; at != nullptr; at = std::get_if<syntax::Member>(&at->base->is)) members.push_back(at);
    std::ranges::reverse(members);
    std::vector<std::string> keys;
    std::vector<Value> rest;
    std::vector<bool> optional;
    for (const auto* one : members) {
      KIST_TRY_ASSIGN(Value key, outside_chain(*one->key));
      optional.push_back(one->optional);
      if (rest.empty() && key.text() != nullptr) {
        keys.push_back(*key.text());
      } else {
        rest.push_back(std::move(key));
      }
    }
    std::string first;
    if (root == kEverything) {
      if (keys.empty()) return fail(ErrorKind::invalid, "$env has only texts for keys");
      first = keys.front();
      keys.erase(keys.begin());
      optional.erase(optional.begin());
      root = first;
    }
    KIST_TRY_ASSIGN(Value value, from_scope(root, keys, optional));
    for (std::size_t i = 0; i < rest.size(); ++i) {
      if (broken_) return Value();
      if (optional[keys.size() + i] && value.is_nil()) {
        broken_ = true;
        return Value();
      }
      KIST_TRY_ASSIGN(value, member_of(value, rest[i]));
    }
    return value;
  }

  Result<Value> from_scope(std::string_view root, const std::vector<std::string>& keys,
                           const std::vector<bool>& optional) {
    KIST_TRY(work_.spend(root.size() + 64 * (keys.size() + 1)));
    std::optional<Error> problem;
    for (std::size_t count = keys.size() + 1; count-- > 0;) {
      std::string name = joined(root, keys, count);
      KIST_TRY(work_.step());
      auto found = name.empty() ? Result<std::optional<Json>>() : scope_.value(name);
      if (!found) {
        if (!problem) problem = std::move(found).error();
        continue;
      }
      bool whole = count == keys.size();
      bool plain = *found && !(*found)->is_structured();
      // A text that has names below it (workflow.parameters) is seen as their map.
      if (plain || !*found) {
        std::vector<std::string> below = scope_.names(name);
        if (!below.empty()) {
          if (whole) return below_as_map(name, below);
          if (problem) break;
          note_unknown(joined(root, keys, keys.size()));
          return absent_from(keys, optional, count + 1);
        }
      }
      if (!*found) continue;
      if (problem && plain && !whole) continue;
      if (const auto moment = moment_of(**found))
        return rest_of(Value(make_date(*moment, utc())), keys, optional, count);
      KIST_TRY_ASSIGN(Value value, from_json(**found, work_));
      return rest_of(std::move(value), keys, optional, count);
    }
    std::string name = joined(root, keys, keys.size());
    if (problem) {
      if (problem->kind == ErrorKind::not_found && guarded_ > 0) return Value();
      placed_ = refused_ = true;
      return std::unexpected(std::move(*problem));
    }
    note_unknown(name);
    if (guarded_ > 0 && !keys.empty()) return Value();
    if (name.empty()) return work_.make(Map());
    return fail(ErrorKind::invalid, fmt::format("unknown name '{}'", name));
  }

  // keys[count…] of a value that is known.
  Result<Value> rest_of(Value value, const std::vector<std::string>& keys, const std::vector<bool>& optional,
                        std::size_t count) {
    for (; count < keys.size(); ++count) {
      if (optional[count] && value.is_nil()) {
        broken_ = true;
        return Value();
      }
      KIST_TRY_ASSIGN(value, member_of(value, Value(keys[count])));
    }
    return value;
  }

  // The first `known` keys lead to nothing; what would be asked of nothing is an error, unless it is optional.
  Result<Value> absent_from(const std::vector<std::string>& keys, const std::vector<bool>& optional,
                            std::size_t known) {
    return rest_of(Value(), keys, optional, known);
  }

  void note_unknown(std::string_view name) {
    unknown_ = true;
    early_ = early_ || std::ranges::any_of(kLateNames, [&](std::string_view late) { return is_front(late, name); });
  }

  // "inputs.parameters.a", "inputs.parameters.b" → {a, b}.
  Result<Value> below_as_map(std::string_view prefix, const std::vector<std::string>& names) {
    Json map = Json::object();
    for (const std::string& name : names) {
      KIST_TRY(work_.spend(256 + name.size()));
      auto value = scope_.value(name);
      if (!value && value.error().kind != ErrorKind::not_found) return std::unexpected(std::move(value).error());
      if (!value || !*value) continue;
      std::string_view rest = name;
      if (!prefix.empty()) rest.remove_prefix(std::min(prefix.size() + 1, rest.size()));
      Json* at = &map;
      for (std::size_t dot; (dot = rest.find('.')) != std::string_view::npos; rest.remove_prefix(dot + 1)) {
        Json& inner = (*at)[std::string(rest.substr(0, dot))];
        if (!inner.is_object()) inner = Json::object();
        at = &inner;
      }
      Json& leaf = (*at)[std::string(rest)];
      if (!leaf.is_object()) leaf = std::move(**value);
    }
    return from_json(map, work_);
  }

  Result<Value> visit(const Node&, const syntax::Call& is) {
    if (syntax::takes_predicate(is.name)) return predicate_call(is);
    std::vector<Value> arguments;
    KIST_TRY_ASSIGN(arguments, evaluate_all(is.arguments));
    const Function* function = find_function(is.name);
    if (function == nullptr) return fail(ErrorKind::invalid, fmt::format("unknown name '{}'", is.name));
    return call_function(*function, arguments, work_);
  }

  Result<Value> visit(const Node&, const syntax::Method& is) {
    KIST_TRY_ASSIGN(Value base, evaluate(*is.base));
    if (broken_) return Value();
    if (is.optional && base.is_nil()) {
      broken_ = true;
      return Value();
    }
    KIST_TRY_ASSIGN(std::vector<Value> arguments, evaluate_all(is.arguments));
    return call_method(base, is.name, arguments, work_);
  }

  Result<std::vector<Value>> evaluate_all(const std::vector<NodePointer>& nodes) {
    std::vector<Value> values;
    values.reserve(nodes.size());
    for (const NodePointer& node : nodes) {
      KIST_TRY_ASSIGN(Value value, outside_chain(*node));
      values.push_back(std::move(value));
    }
    return values;
  }

  Result<Value> visit(const Node&, const syntax::ListLiteral& is) {
    KIST_TRY_ASSIGN(List list, evaluate_all(is.items));
    return work_.make(std::move(list));
  }

  Result<Value> visit(const Node&, const syntax::MapLiteral& is) {
    Map map;
    for (const auto& [key_node, value_node] : is.items) {
      KIST_TRY_ASSIGN(Value key, evaluate(*key_node));
      if (key.text() == nullptr)
        return fail(ErrorKind::invalid, fmt::format("the key of a map is a text, not {}", key.type()));
      KIST_TRY_ASSIGN(map[*key.text()], evaluate(*value_node));
    }
    return work_.make(std::move(map));
  }

  Result<bool> truth(const Node& node, std::string_view word) {
    KIST_TRY_ASSIGN(Value value, evaluate(node));
    if (const bool* truth = value.truth()) return *truth;
    return fail(ErrorKind::invalid, fmt::format("'{}' needs true or false, not {}", word, value.type()));
  }

  const Value* find_local(std::string_view name) const {
    auto found = std::find_if(locals_.rbegin(), locals_.rend(), [&](const auto& local) { return local.first == name; });
    return found == locals_.rend() ? nullptr : &found->second;
  }

  // The functions with a predicate.
  Result<Value> predicate_call(const syntax::Call& is) {
    KIST_TRY_ASSIGN(Value base, outside_chain(*is.arguments[0]));
    Value third;
    if (is.arguments.size() == 3) {
      KIST_TRY_ASSIGN(third, outside_chain(*is.arguments[2]));
    }
    const List* list = base.list();
    if (list == nullptr)
      return fail(ErrorKind::invalid, fmt::format("{} needs an array, not {}", is.name, base.type()));
    const Node* predicate = is.arguments.size() > 1 ? is.arguments[1].get() : nullptr;
    auto of = [&](std::size_t index, const Value& accumulator) -> Result<Value> {
      if (predicate == nullptr) return (*list)[index];
      elements_.push_back({list, index, accumulator});
      auto value = outside_chain(*predicate);
      elements_.pop_back();
      return value;
    };
    return call_with_predicate(is.name, *list, of, is.arguments.size() == 3 ? &third : nullptr, work_);
  }

  const Scope& scope_;
  Work work_;
  std::vector<std::pair<std::string, Value>> locals_;
  std::vector<Element> elements_;
  int guarded_ = 0;      // above 0: inside what may be absent
  bool broken_ = false;  // a `?.` met nil: the rest of its chain is nil
  bool placed_ = false;
  bool unknown_ = false;
  bool refused_ = false;  // the scope said that a name must be known
  bool early_ = false;
};

std::unexpected<Error> in_expression(const Expression& expression, Error error) {
  if (error.kind == ErrorKind::invalid) error.text = fmt::format("'{}': {}", expression.source(), error.text);
  return std::unexpected(std::move(error));
}

}  // namespace

Result<Json> evaluate_value(const Expression& expression, const Scope& scope) {
  Evaluator evaluator(scope);
  auto value = evaluator.evaluate(expression.root());
  if (!value) return in_expression(expression, std::move(value).error());
  auto json = to_json(*value);
  if (!json) return in_expression(expression, std::move(json).error());
  return json;
}

Result<bool> evaluate_bool(const Expression& expression, const Scope& scope) {
  Evaluator evaluator(scope);
  auto value = evaluator.evaluate(expression.root());
  if (!value) return in_expression(expression, std::move(value).error());
  if (const bool* truth = value->truth()) return *truth;
  return in_expression(expression, {ErrorKind::invalid, fmt::format("gives {}, not true or false", value->type())});
}

Result<std::optional<std::string>> evaluate_tag(const Expression& expression, const Scope& scope) {
  Evaluator evaluator(scope);
  auto value = evaluator.evaluate(expression.root());
  if (!value && evaluator.is_unknown()) return std::nullopt;
  if (!value) return in_expression(expression, std::move(value).error());
  if (value->is_nil() || evaluator.is_early()) return std::nullopt;
  if (const std::string* text = value->text()) return *text;
  if (value->date() != nullptr) return format(*value->date(), kRfc3339Nano);
  auto text = to_json_text(*value);
  if (!text) return in_expression(expression, std::move(text).error());
  return std::move(*text);
}

}  // namespace kist::expression
