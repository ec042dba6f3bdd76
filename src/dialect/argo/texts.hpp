// Texts of the file on their way into the model: the paths a template speaks of by name are filled in here, because
// they are known before anything runs; what is left is parsed once.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/yaml.hpp"
#include "dialect/argo/report.hpp"
#include "dialect/argo/spec.hpp"
#include "expression/text.hpp"

namespace kist::dialect::argo {

using Values = std::map<std::string, std::string, std::less<>>;

// The text with `{{name}}` replaced for the names given; nothing else changes.
std::string fill_names(std::string_view source, const Values& values);

// A name that is made when it is needed: it holds `{{…}}`.
inline bool is_late(std::string_view name) {
  return name.contains("{{");
}

// The text of a name that is made so, nullopt: it is known now.
std::optional<expression::Text> late_text(std::string_view name);

// Such a name with "x" for whatever Argo fills in before it looks at names: its form can be checked.
std::string skeleton(std::string_view name);

// Whether such a name may turn out to be `name`, by its first and its last known characters.
bool may_be(std::string_view late, std::string_view name);

// The parsed text. One that cannot be parsed was reported by check_references(); here it is taken as it is written.
expression::Text make_text(std::string_view source);

// A text that is one expression and nothing else, as `{{=SOURCE}}`; what `{{…}}` in it stand for is filled in before it
// is parsed (Argo substitutes in the whole template first).
expression::Text make_expression(std::string_view source);

// What a field of the pod is on one machine (`fieldRef`), as a text: "metadata.name" is "{{pod.name}}".
std::string field_text(std::string_view field);

// Calls `visit(name, source)` for every reference whose name is literal, the inner ones of nested names included.
void for_each_reference(const expression::Text& text,
                        const std::function<void(std::string_view name, std::string_view source)>& visit);

}  // namespace kist::dialect::argo
