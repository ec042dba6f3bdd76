// The tree of a parsed expression.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "expression/value.hpp"

namespace kist::expression::syntax {

struct Node;
using NodePointer = std::unique_ptr<const Node>;

enum class Operator {
  or_,
  and_,
  equal,
  not_equal,
  less,
  greater,
  less_or_equal,
  greater_or_equal,
  in,
  matches,
  contains,
  starts_with,
  ends_with,
  range,
  add,
  subtract,
  multiply,
  divide,
  remainder,
  power,
  coalesce,
};

struct Literal {
  Value value;
};
// A variable of the scope, or one that `let` made.
struct Name {
  std::string name;
};
// `#`, `#acc`, `#index`.
struct Pointer {
  std::string name;
};
struct Not {
  NodePointer operand;
};
struct Sign {
  bool negative;
  NodePointer operand;
};
struct Binary {
  Operator op;
  NodePointer left, right;
};
struct Conditional {
  NodePointer condition, yes, no;
};
struct Let {
  std::string name;
  NodePointer value, body;
};
struct Sequence {
  std::vector<NodePointer> nodes;
};
struct Member {
  NodePointer base, key;
  bool optional;
};
struct Slice {
  NodePointer base, from, to;  // from and to may be null
};
// A chain of members in which one `?.` that meets nil makes the whole nil.
struct Chain {
  NodePointer inner;
};
struct Call {
  std::string name;  // "sprig.upper" for Sprig's
  std::vector<NodePointer> arguments;
};
// A method of a date, a duration …: `now().Year()`.
struct Method {
  NodePointer base;
  std::string name;
  std::vector<NodePointer> arguments;
  bool optional;
};
struct ListLiteral {
  std::vector<NodePointer> items;
};
struct MapLiteral {
  std::vector<std::pair<NodePointer, NodePointer>> items;
};

struct Node {
  std::variant<Literal, Name, Pointer, Not, Sign, Binary, Conditional, Let, Sequence, Member, Slice, Chain, Call,
               Method, ListLiteral, MapLiteral>
      is;
  std::size_t column = 0;  // bytes from the front, the first is 1
  int depth = 1;           // levels below, this one included
};

// The depth of the deepest of the nodes right below.
int levels_below(const Node& node);

// Functions whose second argument is a predicate, evaluated once an element.
bool takes_predicate(std::string_view function);

// Errors: invalid, "column N: …".
Result<NodePointer> parse(std::string_view source);

}  // namespace kist::expression::syntax
