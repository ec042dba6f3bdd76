// Sprig's functions of paths and URLs.
#include <fmt/format.h>

#include "expression/functions.hpp"

namespace kist::expression {
namespace {

// The shortest path that means the same, without looking at any disk.
std::string clean(std::string_view path) {
  bool absolute = path.starts_with('/');
  std::vector<std::string> kept;
  for (std::string& part : split(path, "/", -1, false)) {
    if (part.empty() || part == ".") continue;
    bool up = part == "..";
    if (up && !kept.empty() && kept.back() != "..")
      kept.pop_back();
    else if (!up || !absolute)
      kept.push_back(std::move(part));
  }
  std::string result = absolute ? "/" : "";
  for (const std::string& part : kept) {
    if (&part != &kept.front()) result += '/';
    result += part;
  }
  return result.empty() ? "." : result;
}

std::string base(std::string_view path) {
  if (path.empty()) return ".";
  std::size_t last = path.find_last_not_of('/');
  if (last == std::string_view::npos) return "/";
  path = path.substr(0, last + 1);
  return std::string(path.substr(path.rfind('/') + 1));
}

std::string directory(std::string_view path) {
  return clean(path.substr(0, path.rfind('/') + 1));
}

std::string extension(std::string_view path) {
  std::size_t dot = path.rfind('.');
  bool inside = dot != std::string_view::npos && path.find('/', dot) == std::string_view::npos;
  return inside ? std::string(path.substr(dot)) : "";
}

template <std::string (*kChange)(std::string_view)>
Result<Value> changed(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  KIST_TRY(afford_split(text, "/", call.work));
  return call.work.make(kChange(text));
}

Result<Value> is_absolute(const Call& call) {
  return then(call.text(0), [](const std::string& path) { return Value(path.starts_with('/')); });
}

// scheme://user@host:port/path?query#fragment, or scheme:opaque.
Result<Value> parse_url(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  for (char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      return fail(ErrorKind::invalid, "a URL has no control characters");
  std::string_view rest = text;
  auto behind = [&](char mark) {
    std::size_t at = rest.find(mark);
    if (at == std::string_view::npos) return std::string();
    std::string part(rest.substr(at + 1));
    rest = rest.substr(0, at);
    return part;
  };
  Map parts;
  parts["fragment"] = Value(behind('#'));
  parts["query"] = Value(behind('?'));
  std::size_t colon = rest.find_first_of(":/");
  std::string scheme;
  if (colon != std::string_view::npos && rest[colon] == ':') {
    if (colon == 0) return fail(ErrorKind::invalid, "a URL's scheme is missing before ':'");
    scheme = to_lower(rest.substr(0, colon));
    rest.remove_prefix(colon + 1);
  }
  std::string opaque;
  std::string user;
  std::string host;
  if (!scheme.empty() && !rest.starts_with('/')) {
    opaque = rest;
    rest = {};
  } else if (rest.starts_with("//")) {
    rest.remove_prefix(2);
    std::string_view authority = rest.substr(0, rest.find('/'));
    rest.remove_prefix(authority.size());
    if (std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
      user = authority.substr(0, at);
      authority.remove_prefix(at + 1);
    }
    host = authority;
  }
  std::string name = host;
  if (name.starts_with('['))
    name = name.substr(1, name.find(']') - 1);
  else if (std::size_t port = name.rfind(':'); port != std::string::npos)
    name.resize(port);
  parts["scheme"] = Value(std::move(scheme));
  parts["opaque"] = Value(std::move(opaque));
  parts["userinfo"] = Value(std::move(user));
  parts["hostname"] = Value(std::move(name));
  parts["host"] = Value(std::move(host));
  parts["path"] = Value(std::string(rest));
  return call.work.make(std::move(parts));
}

Result<Value> join_url(const Call& call) {
  KIST_TRY_ASSIGN(const Map* map, call.map(0));
  std::string values[7];
  constexpr std::string_view kKeys[] = {"scheme", "opaque", "userinfo", "host", "path", "query", "fragment"};
  for (std::size_t i = 0; i < std::size(kKeys); ++i) {
    auto found = map->find(kKeys[i]);
    if (found == map->end()) continue;
    if (found->second.text() == nullptr)
      return fail(ErrorKind::invalid, fmt::format("'{}' must be a string, not {}", kKeys[i], found->second.type()));
    values[i] = *found->second.text();
    KIST_TRY(call.work.spend(values[i].size()));
  }
  const auto& [scheme, opaque, user, host, path, query, fragment] = values;
  std::string url = scheme.empty() ? "" : scheme + ":";
  if (!opaque.empty()) {
    url += opaque;
  } else {
    if (!scheme.empty() || !host.empty() || !user.empty()) {
      if (!host.empty() || !user.empty() || path.starts_with("//")) url += "//";
      if (!user.empty()) url += user + "@";
      url += host;
    }
    if (!path.empty() && !path.starts_with('/') && !host.empty()) url += '/';
    url += path;
  }
  if (!query.empty()) url += "?" + query;
  if (!fragment.empty()) url += "#" + fragment;
  return call.work.make(std::move(url));
}

constexpr Function kFunctions[] = {
    {"sprig.base", 1, 1, changed<base>},     {"sprig.osBase", 1, 1, changed<base>},
    {"sprig.dir", 1, 1, changed<directory>}, {"sprig.osDir", 1, 1, changed<directory>},
    {"sprig.clean", 1, 1, changed<clean>},   {"sprig.osClean", 1, 1, changed<clean>},
    {"sprig.ext", 1, 1, changed<extension>}, {"sprig.osExt", 1, 1, changed<extension>},
    {"sprig.isAbs", 1, 1, is_absolute},      {"sprig.osIsAbs", 1, 1, is_absolute},
    {"sprig.urlParse", 1, 1, parse_url},     {"sprig.urlJoin", 1, 1, join_url},
};

}  // namespace

std::span<const Function> sprig_path_functions() {
  return kFunctions;
}

}  // namespace kist::expression
