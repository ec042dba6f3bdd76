#include "expression/expression.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "expression/lexer.hpp"
#include "expression/syntax.hpp"

namespace kist::expression {
namespace {

using syntax::Node;
using syntax::NodePointer;

// More `}}` than any expression has inside.
constexpr int kMostEnds = 64;

// Collects the names in the order written. A chain of members is one name, as far as its keys are written out.
class Collector {
 public:
  void walk(const Node* node) {
    if (node != nullptr) std::visit([&](const auto& is) { visit(*node, is); }, node->is);
  }
  void walk(const std::vector<NodePointer>& nodes) {
    for (const NodePointer& node : nodes) walk(node.get());
  }

  std::vector<Mention> mentions;

 private:
  void visit(const Node&, const syntax::Literal&) {}
  void visit(const Node&, const syntax::Pointer&) {}
  void visit(const Node&, const syntax::Name& is) {
    if (is.name != "$env") add(is.name);
  }
  void visit(const Node&, const syntax::Not& is) { walk(is.operand.get()); }
  void visit(const Node&, const syntax::Sign& is) { walk(is.operand.get()); }
  void visit(const Node&, const syntax::Binary& is) {
    guarded_ += is.op == syntax::Operator::coalesce ? 1 : 0;
    walk(is.left.get());
    guarded_ -= is.op == syntax::Operator::coalesce ? 1 : 0;
    walk(is.right.get());
  }
  void visit(const Node&, const syntax::Conditional& is) {
    walk(is.condition.get());
    walk(is.yes.get());
    walk(is.no.get());
  }
  void visit(const Node&, const syntax::Let& is) {
    walk(is.value.get());
    locals_.push_back(is.name);
    walk(is.body.get());
    locals_.pop_back();
  }
  void visit(const Node&, const syntax::Sequence& is) { walk(is.nodes); }
  void visit(const Node&, const syntax::Slice& is) {
    walk(is.base.get());
    walk(is.from.get());
    walk(is.to.get());
  }
  void visit(const Node&, const syntax::Chain& is) {
    ++guarded_;
    walk(is.inner.get());
    --guarded_;
  }
  void visit(const Node&, const syntax::Call& is) { walk(is.arguments); }
  void visit(const Node&, const syntax::Method& is) {
    walk(is.base.get());
    walk(is.arguments);
  }
  void visit(const Node&, const syntax::ListLiteral& is) { walk(is.items); }
  void visit(const Node&, const syntax::MapLiteral& is) {
    for (const auto& [key, value] : is.items) {
      walk(key.get());
      walk(value.get());
    }
  }
  void visit(const Node&, const syntax::Member& last) {
    std::vector<const syntax::Member*> members;
    const Node* root = nullptr;
    for (const auto* at = &last; at != nullptr; at = std::get_if<syntax::Member>(&root->is)) {
      members.push_back(at);
      root = at->base.get();
    }
    std::ranges::reverse(members);
    const auto* name = std::get_if<syntax::Name>(&root->is);
    if (name == nullptr) {
      walk(root);
    } else {
      std::string whole = name->name == "$env" ? "" : name->name;
      for (const auto* member : members) {
        const auto* literal = std::get_if<syntax::Literal>(&member->key->is);
        const std::string* key = literal != nullptr ? literal->value.text() : nullptr;
        if (key == nullptr) break;
        whole += (whole.empty() ? "" : ".") + *key;
      }
      if (!whole.empty()) add(name->name, std::move(whole));
    }
    for (const auto* member : members) walk(member->key.get());
  }

  void add(const std::string& root) { add(root, root); }
  void add(const std::string& root, std::string name) {
    if (std::ranges::find(locals_, root) != locals_.end()) return;
    auto found = std::ranges::find(mentions, name, &Mention::name);
    if (found == mentions.end())
      mentions.push_back({std::move(name), guarded_ > 0});
    else
      found->may_be_absent = found->may_be_absent && guarded_ > 0;
  }

  std::vector<std::string> locals_;
  int guarded_ = 0;
};

}  // namespace

Result<Expression> Expression::parse(std::string_view source) {
  auto root = syntax::parse(source);
  if (!root) return fail(root.error().kind, fmt::format("'{}': {}", source, root.error().text));
  Expression expression;
  expression.source_ = source;
  expression.root_ = std::move(*root);
  return expression;
}

std::vector<Mention> Expression::mentions() const {
  Collector collector;
  collector.walk(root_.get());
  return std::move(collector.mentions);
}

// Argo ends at the first `}}`. So does this where an expression stands before it; else its braces are counted.
std::size_t end_of_tag(std::string_view text) {
  std::size_t first = text.find("}}");
  std::size_t end = first;
  for (int tries = 0; tries < kMostEnds && end != std::string_view::npos; ++tries) {
    if (syntax::parse(text.substr(0, end))) return end;
    end = text.find("}}", end + 1);
  }
  return first;
}

}  // namespace kist::expression
