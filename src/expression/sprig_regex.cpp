// Sprig's regular expressions.
#include "expression/functions.hpp"
#include "expression/regex.hpp"

namespace kist::expression {
namespace {

struct Search {
  Regex pattern;
  std::string text;
};
Result<Search> search(const Call& call) {
  KIST_TRY_ASSIGN(std::string pattern, call.text(0));
  KIST_TRY_ASSIGN(std::string text, call.text(1));
  KIST_TRY(call.work.spend(text.size() * 8));
  KIST_TRY_ASSIGN(Regex regex, Regex::compile(pattern));
  return Search{std::move(regex), std::move(text)};
}

Result<Value> must_match(const Call& call) {
  return then(search(call), [](const Search& is) { return Value(is.pattern.matches(is.text)); });
}
// A pattern that cannot be read matches nothing.
Result<Value> match(const Call& call) {
  auto found = must_match(call);
  bool texts = call[0].text() != nullptr && call[1].text() != nullptr;
  return found || !texts ? found : Value(false);
}

Result<Value> find(const Call& call) {
  KIST_TRY_ASSIGN(Search is, search(call));
  auto places = is.pattern.find(is.text, 1);
  if (places.empty()) return Value(std::string());
  return call.work.make(is.text.substr(places[0].first, places[0].second - places[0].first));
}
Result<Value> find_all(const Call& call) {
  KIST_TRY_ASSIGN(Search is, search(call));
  KIST_TRY_ASSIGN(std::int64_t most, call.integer(2));
  std::vector<std::string> found;
  auto places = is.pattern.find(is.text, most);
  KIST_TRY(call.work.spend(places.size() * 100));
  for (auto [begin, end] : places) found.push_back(is.text.substr(begin, end - begin));
  return call.work.make_texts(found);
}

Result<Value> replace_with(const Call& call, bool literal) {
  KIST_TRY_ASSIGN(Search is, search(call));
  KIST_TRY_ASSIGN(std::string to, call.text(2));
  constexpr std::size_t kLongest = 16UL << 20;
  KIST_TRY_ASSIGN(std::string result, is.pattern.replace(is.text, to, literal, kLongest));
  return call.work.make(std::move(result));
}
Result<Value> replace(const Call& call) {
  return replace_with(call, false);
}
Result<Value> replace_literal(const Call& call) {
  return replace_with(call, true);
}

Result<Value> split_by(const Call& call) {
  KIST_TRY_ASSIGN(Search is, search(call));
  KIST_TRY_ASSIGN(std::int64_t most, call.integer(2));
  std::vector<std::string> parts;
  if (most == 0) return call.work.make_texts(parts);
  std::size_t at = 0;
  std::size_t last = 0;
  auto places = is.pattern.find(is.text, most);
  KIST_TRY(call.work.spend(places.size() * 100));
  for (auto [begin, end] : places) {
    if (most > 0 && parts.size() + 1 == static_cast<std::size_t>(most)) break;
    last = begin;
    if (end != 0) parts.push_back(is.text.substr(at, begin - at));
    at = end;
  }
  if (last != is.text.size()) parts.push_back(is.text.substr(at));
  return call.work.make_texts(parts);
}

Result<Value> quote(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  return call.work.make(Regex::quote(text));
}

constexpr Function kFunctions[] = {
    {"sprig.regexMatch", 2, 2, match},
    {"sprig.mustRegexMatch", 2, 2, must_match},
    {"sprig.regexFind", 2, 2, find},
    {"sprig.mustRegexFind", 2, 2, find},
    {"sprig.regexFindAll", 3, 3, find_all},
    {"sprig.mustRegexFindAll", 3, 3, find_all},
    {"sprig.regexReplaceAll", 3, 3, replace},
    {"sprig.mustRegexReplaceAll", 3, 3, replace},
    {"sprig.regexReplaceAllLiteral", 3, 3, replace_literal},
    {"sprig.mustRegexReplaceAllLiteral", 3, 3, replace_literal},
    {"sprig.regexSplit", 3, 3, split_by},
    {"sprig.mustRegexSplit", 3, 3, split_by},
    {"sprig.regexQuoteMeta", 1, 1, quote},
};

}  // namespace

std::span<const Function> sprig_regex_functions() {
  return kFunctions;
}

}  // namespace kist::expression
