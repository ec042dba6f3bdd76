// XML as servers answer it: elements with text or elements in them. Attributes, comments and namespaces are passed
// over.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace kist::net {

struct XmlElement {
  std::string name;  // without its namespace's prefix
  std::string text;  // its own, with entities replaced
  std::vector<XmlElement> elements;

  // The first of that name; nullptr where there is none.
  const XmlElement* find(std::string_view element) const;
  // The text of the first of that name; empty where there is none.
  std::string_view text_of(std::string_view element) const;
};

// The root element. Nesting is limited to 32 levels, and a document that declares entities of its own is refused.
// Errors: invalid, with the line.
Result<XmlElement> parse_xml(std::string_view text);

// With &, <, >, quotes and control characters as entities.
std::string xml_escape(std::string_view text);

}  // namespace kist::net
