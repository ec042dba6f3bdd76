#include "net/xml.hpp"

#include <climits>
#include <memory>

#include <expat.h>
#include <fmt/format.h>

namespace kist::net {
namespace {

constexpr std::size_t kDeepest = 32;

struct Reading {
  XML_Parser parser = nullptr;
  XmlElement root;  // holds the document's root element
  std::vector<XmlElement*> open{&root};
  const char* refused = nullptr;

  void refuse(const char* why) {
    refused = why;
    ::XML_StopParser(parser, XML_FALSE);
  }
};

void on_start(void* user, const XML_Char* name, const XML_Char**) {
  auto& reading = *static_cast<Reading*>(user);
  if (reading.open.size() > kDeepest) return reading.refuse("it is nested too deep");
  std::string_view local = name;
  if (const auto colon = local.rfind(':'); colon != std::string_view::npos) local.remove_prefix(colon + 1);
  XmlElement& parent = *reading.open.back();
  // Only the innermost open element grows, so the others' addresses stay.
  reading.open.push_back(
      &parent.elements.emplace_back(XmlElement{.name = std::string(local), .text = {}, .elements = {}}));
}

void on_end(void* user, const XML_Char*) {
  static_cast<Reading*>(user)->open.pop_back();
}

void on_text(void* user, const XML_Char* text, int size) {
  static_cast<Reading*>(user)->open.back()->text.append(text, static_cast<std::size_t>(size));
}

void on_entity(void* user, const XML_Char*, int, const XML_Char*, int, const XML_Char*, const XML_Char*,
               const XML_Char*, const XML_Char*) {
  static_cast<Reading*>(user)->refuse("it declares entities");
}

}  // namespace

const XmlElement* XmlElement::find(std::string_view element) const {
  for (const XmlElement& each : elements)
    if (each.name == element) return &each;
  return nullptr;
}

std::string_view XmlElement::text_of(std::string_view element) const {
  const XmlElement* found = find(element);
  return found == nullptr ? std::string_view() : std::string_view(found->text);
}

Result<XmlElement> parse_xml(std::string_view text) {
  if (text.size() > INT_MAX) return fail(ErrorKind::invalid, "the XML document is too large");
  const std::unique_ptr<std::remove_pointer_t<XML_Parser>, decltype(&::XML_ParserFree)> parser(
      ::XML_ParserCreate("UTF-8"), &::XML_ParserFree);
  if (!parser) throw std::bad_alloc();
  Reading reading;
  reading.parser = parser.get();
  ::XML_SetUserData(parser.get(), &reading);
  ::XML_SetElementHandler(parser.get(), &on_start, &on_end);
  ::XML_SetCharacterDataHandler(parser.get(), &on_text);
  ::XML_SetEntityDeclHandler(parser.get(), &on_entity);
  if (::XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()), XML_TRUE) != XML_STATUS_OK)
    return fail(ErrorKind::invalid,
                fmt::format("line {} of the XML document: {}", ::XML_GetCurrentLineNumber(parser.get()),
                            reading.refused != nullptr ? reading.refused
                                                       : ::XML_ErrorString(::XML_GetErrorCode(parser.get()))));
  return std::move(reading.root.elements.front());
}

std::string xml_escape(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          result += fmt::format("&#{};", static_cast<int>(c));
        else
          result += c;
    }
  }
  return result;
}

}  // namespace kist::net
