// How deep trees are. Kept with every node, so that nothing that walks through one needs a limit of its own.
#include "expression/syntax.hpp"

#include <algorithm>

#include "expression/grammar.hpp"

namespace kist::expression::syntax {
namespace {

int depth_of(const NodePointer& node) {
  return node == nullptr ? 0 : node->depth;
}
template <typename Nodes>
int deepest(const Nodes& nodes) {
  int depth = 0;
  for (const NodePointer& node : nodes) depth = std::max(depth, depth_of(node));
  return depth;
}

int depth_below(const auto&) {
  return 0;
}
int depth_below(const Not& is) {
  return depth_of(is.operand);
}
int depth_below(const Sign& is) {
  return depth_of(is.operand);
}
int depth_below(const Binary& is) {
  return std::max(depth_of(is.left), depth_of(is.right));
}
int depth_below(const Conditional& is) {
  return std::max({depth_of(is.condition), depth_of(is.yes), depth_of(is.no)});
}
int depth_below(const Let& is) {
  return std::max(depth_of(is.value), depth_of(is.body));
}
int depth_below(const Sequence& is) {
  return deepest(is.nodes);
}
int depth_below(const Member& is) {
  return std::max(depth_of(is.base), depth_of(is.key));
}
int depth_below(const Slice& is) {
  return std::max({depth_of(is.base), depth_of(is.from), depth_of(is.to)});
}
int depth_below(const Chain& is) {
  return depth_of(is.inner);
}
int depth_below(const Call& is) {
  return deepest(is.arguments);
}
int depth_below(const Method& is) {
  return std::max(depth_of(is.base), deepest(is.arguments));
}
int depth_below(const ListLiteral& is) {
  return deepest(is.items);
}
int depth_below(const MapLiteral& is) {
  int depth = 0;
  for (const auto& [key, value] : is.items) depth = std::max({depth, depth_of(key), depth_of(value)});
  return depth;
}

}  // namespace

int levels_below(const Node& node) {
  return std::visit([](const auto& is) { return depth_below(is); }, node.is);
}

bool takes_predicate(std::string_view function) {
  return find_predicate(function) != nullptr;
}

}  // namespace kist::expression::syntax
