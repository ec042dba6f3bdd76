#include "dialect/argo/texts.hpp"

#include <algorithm>
#include <utility>

namespace kist::dialect::argo {
namespace {

using expression::Part;
using expression::Reference;

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

void visit_parts(const std::vector<Part>& parts,
                 const std::function<void(std::string_view name, std::string_view source)>& visit) {
  for (const Part& part : parts) {
    if (const auto* late = std::get_if<expression::LateExpression>(&part.value)) visit_parts(late->text, visit);
    const auto* reference = std::get_if<Reference>(&part.value);
    if (reference == nullptr) continue;
    if (reference->name.empty()) {
      visit("", reference->source);
    } else if (const auto* name = std::get_if<std::string>(&reference->name.front().value);
               name != nullptr && reference->name.size() == 1) {
      visit(*name, reference->source);
    } else {
      visit_parts(reference->name, visit);
    }
  }
}

}  // namespace

std::string fill_names(std::string_view source, const Values& values) {
  std::string filled;
  while (true) {
    const std::size_t open = source.find("{{");
    const std::size_t close = open == std::string_view::npos ? open : source.find("}}", open);
    if (close == std::string_view::npos) return filled.append(source);
    const std::string_view name = source.substr(open + 2, close - open - 2);
    if (auto value = values.find(trim(name)); value != values.end()) {
      filled.append(source.substr(0, open)).append(value->second);
      source.remove_prefix(close + 2);
    } else {
      // Only these two: what follows may be the beginning of an inner reference.
      filled.append(source.substr(0, open + 2));
      source.remove_prefix(open + 2);
    }
  }
}

std::optional<expression::Text> late_text(std::string_view name) {
  if (!is_late(name)) return std::nullopt;
  return make_text(name);
}

std::string skeleton(std::string_view name) {
  std::string filled;
  while (true) {
    const std::size_t open = name.find("{{");
    const std::size_t close = open == std::string_view::npos ? open : name.find("}}", open);
    if (close == std::string_view::npos) return filled.append(name);
    const std::string_view tag = trim(name.substr(open + 2, close - open - 2));
    const bool known = tag.starts_with("inputs.") || tag.starts_with("workflow.") || tag.starts_with("=");
    filled.append(name.substr(0, open)).append(known ? "x" : name.substr(open, close + 2 - open));
    name.remove_prefix(close + 2);
  }
}

bool may_be(std::string_view late, std::string_view name) {
  if (!is_late(late)) return late == name;
  const std::size_t close = late.rfind("}}");
  if (close == std::string_view::npos) return false;
  const std::string_view first = late.substr(0, late.find("{{"));
  const std::string_view last = late.substr(close + 2);
  return name.size() >= first.size() + last.size() && name.starts_with(first) && name.ends_with(last);
}

expression::Text make_text(std::string_view source) {
  auto text = expression::Text::parse(source);
  return text ? std::move(*text) : expression::Text::literal(std::string(source));
}

std::string field_text(std::string_view field) {
  constexpr std::string_view kLabels = "metadata.labels['";
  constexpr std::string_view kNotes = "metadata.annotations['";
  if (field == "metadata.name") return "{{pod.name}}";
  if (field == "metadata.namespace") return "{{workflow.namespace}}";
  if (field == "metadata.uid") return "{{node.id}}";
  if (field == "spec.serviceAccountName") return "{{workflow.serviceAccountName}}";
  if (field == "spec.nodeName") return "localhost";
  if (field.starts_with("status.")) return "127.0.0.1";  // podIP, hostIP
  if (field == "metadata.labels['workflows.argoproj.io/workflow']") return "{{workflow.name}}";
  for (const auto& [prefix, name] : {std::pair(kLabels, "labels"), std::pair(kNotes, "annotations")})
    if (field.starts_with(prefix) && field.ends_with("']"))
      return "{{workflow." + std::string(name) + "." +
             std::string(field.substr(prefix.size(), field.size() - prefix.size() - 2)) + "}}";
  return "";
}

expression::Text make_expression(std::string_view source) {
  return expression::Text::of_expression(source);
}

void for_each_reference(const expression::Text& text,
                        const std::function<void(std::string_view name, std::string_view source)>& visit) {
  visit_parts(text.parts(), visit);
}

}  // namespace kist::dialect::argo
