#include "model/location.hpp"

#include <algorithm>

namespace kist::model {
namespace {

template <typename T>
const T* find(const Location& location, std::string_view name) {
  for (const LocationField& field : location.fields)
    if (field.name == name) return std::get_if<T>(&field.value);
  return nullptr;
}

}  // namespace

const Text* Location::text(std::string_view name) const {
  return find<Text>(*this, name);
}

const SecretReference* Location::secret(std::string_view name) const {
  return find<SecretReference>(*this, name);
}

std::string to_string(const Location& location) {
  // Without user and query, which may hold secrets.
  auto shown = [](std::string address) {
    address = address.substr(0, address.find('?'));
    const auto scheme = address.find("://");
    if (scheme == std::string::npos) return address;
    const auto begin = scheme + 3;
    const auto at = address.substr(0, address.find('/', begin)).rfind('@');
    return at == std::string::npos ? address : address.erase(begin, at + 1 - begin);
  };
  auto of = [&](std::string_view name) {
    const Text* text = location.text(name);
    return text == nullptr ? std::string() : text->source();
  };
  if (location.kind == "http" || location.kind == "artifactory") return shown(of("url"));
  if (location.kind == "git") {
    std::string revision = of("revision");
    return shown(of("repo")) + (revision.empty() ? "" : "@" + revision);
  }
  if (location.kind == "azure") return "azure://" + of("container") + "/" + of("blob");
  if (location.kind == "file" || location.kind == "hdfs") return location.kind + "://" + of("path");
  if (location.kind == "key") return "key " + of("key");
  return location.kind + "://" + of("bucket") + "/" + of("key");
}

}  // namespace kist::model
