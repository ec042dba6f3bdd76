// The tables of the grammar: which operators there are, how tight they bind, and which functions take a predicate.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "expression/lexer.hpp"
#include "expression/syntax.hpp"

namespace kist::expression::syntax {

struct BinaryRule {
  std::string_view symbol;
  Operator op;
  int precedence;
};

inline constexpr std::string_view kCoalesce = "??";
inline constexpr auto kBinary = std::to_array<BinaryRule>({
    {"or", Operator::or_, 10},
    {"||", Operator::or_, 10},
    {"and", Operator::and_, 15},
    {"&&", Operator::and_, 15},
    {"==", Operator::equal, 20},
    {"!=", Operator::not_equal, 20},
    {"<", Operator::less, 20},
    {">", Operator::greater, 20},
    {">=", Operator::greater_or_equal, 20},
    {"<=", Operator::less_or_equal, 20},
    {"in", Operator::in, 20},
    {"matches", Operator::matches, 20},
    {"contains", Operator::contains, 20},
    {"startsWith", Operator::starts_with, 20},
    {"endsWith", Operator::ends_with, 20},
    {"..", Operator::range, 25},
    {"+", Operator::add, 30},
    {"-", Operator::subtract, 30},
    {"*", Operator::multiply, 60},
    {"/", Operator::divide, 60},
    {"%", Operator::remainder, 60},
    {"**", Operator::power, 100},
    {"^", Operator::power, 100},
    {kCoalesce, Operator::coalesce, 500},
});
inline constexpr int kNotPrecedence = 50;
inline constexpr int kSignPrecedence = 90;

inline const BinaryRule* find_binary(const Token& token) {
  if (token.kind != Token::Kind::symbol) return nullptr;
  for (const BinaryRule& rule : kBinary)
    if (rule.symbol == token.value) return &rule;
  return nullptr;
}

inline bool is_comparison(Operator op) {
  return op == Operator::less || op == Operator::greater || op == Operator::less_or_equal ||
         op == Operator::greater_or_equal;
}
inline bool may_follow_not(const Token& token) {
  const BinaryRule* rule = find_binary(token);
  return rule != nullptr && rule->op >= Operator::in && rule->op <= Operator::ends_with;
}

struct PredicateRule {
  std::string_view name;
  std::size_t least;  // arguments; the second is the predicate
  std::size_t most;
};
inline constexpr auto kPredicates = std::to_array<PredicateRule>({
    {"all", 2, 2},
    {"none", 2, 2},
    {"any", 2, 2},
    {"one", 2, 2},
    {"filter", 2, 2},
    {"map", 2, 2},
    {"count", 1, 2},
    {"sum", 1, 2},
    {"find", 2, 2},
    {"findIndex", 2, 2},
    {"findLast", 2, 2},
    {"findLastIndex", 2, 2},
    {"groupBy", 2, 2},
    {"sortBy", 2, 3},
    {"reduce", 2, 3},
});
inline const PredicateRule* find_predicate(std::string_view name) {
  for (const PredicateRule& rule : kPredicates)
    if (rule.name == name) return &rule;
  return nullptr;
}

}  // namespace kist::expression::syntax
