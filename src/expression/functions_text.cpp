#include <algorithm>

#include <fmt/format.h>

#include "expression/characters.hpp"
#include "expression/functions.hpp"

namespace kist::expression {

Status afford_split(std::string_view text, std::string_view separator, Work& work) {
  std::size_t pieces = 1;
  if (separator.empty()) {
    pieces = text.size();
  } else {
    for (std::size_t at = 0; (at = text.find(separator, at)) != std::string_view::npos; at += separator.size())
      ++pieces;
  }
  return work.spend(text.size() + pieces * (sizeof(std::string) + sizeof(Value)));
}

std::vector<std::string> split(std::string_view text, std::string_view separator, std::int64_t most, bool keep) {
  std::vector<std::string> parts;
  if (most == 0) return parts;
  auto more = [&] { return most < 0 || parts.size() + 1 < static_cast<std::size_t>(most); };
  if (separator.empty()) {  // into characters
    std::u32string characters = decode(text);
    std::size_t at = 0;
    for (; at < characters.size() && more(); ++at) parts.push_back(encode(characters.substr(at, 1)));
    if (at < characters.size()) parts.push_back(encode(characters.substr(at)));
    return parts;
  }
  while (more()) {
    std::size_t at = text.find(separator);
    if (at == std::string_view::npos) break;
    parts.emplace_back(text.substr(0, at + (keep ? separator.size() : 0)));
    text.remove_prefix(at + separator.size());
  }
  parts.emplace_back(text);
  return parts;
}

std::string trim(std::string_view text, std::string_view characters) {
  std::u32string all = decode(text);
  std::u32string unwanted = decode(characters);
  std::size_t first = all.find_first_not_of(unwanted);
  if (first == std::u32string::npos) return "";
  return encode(std::u32string_view(all).substr(first, all.find_last_not_of(unwanted) - first + 1));
}

std::string trim_blanks(std::string_view text) {
  std::u32string all = decode(text);
  auto first = std::ranges::find_if_not(all, is_blank);
  auto last = std::find_if_not(all.rbegin(), std::make_reverse_iterator(first), is_blank).base();
  return encode(std::u32string(first, last));
}

std::string to_upper(std::string_view text) {
  std::u32string all = decode(text);
  std::ranges::transform(all, all.begin(), upper);
  return encode(all);
}

std::string to_lower(std::string_view text) {
  std::u32string all = decode(text);
  std::ranges::transform(all, all.begin(), lower);
  return encode(all);
}

Result<std::string> replace_all(std::string_view text, std::string_view from, std::string_view to, std::int64_t most,
                                Work& work) {
  std::string result;
  KIST_TRY(work.spend(text.size()));
  // An empty text is found before every character, and at the end.
  std::size_t copied = 0;
  std::size_t at = 0;
  while (most != 0) {
    std::size_t found = text.find(from, at);
    if (found == std::string_view::npos) break;
    KIST_TRY(work.spend(to.size()));
    if (result.size() > Work::kHeaviest)
      return fail(ErrorKind::invalid, fmt::format("a text of more than {} bytes", Work::kHeaviest));
    result += text.substr(copied, found - copied);
    result += to;
    copied = found + from.size();
    at = copied;
    if (from.empty()) {
      ++at;
      while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
      if (at > text.size()) break;
    }
    --most;
  }
  result += text.substr(copied);
  return result;
}

namespace {

Result<Value> call_trim(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  if (call.count() == 1) return call.work.make(trim_blanks(text));
  KIST_TRY_ASSIGN(std::string characters, call.text(1));
  return call.work.make(trim(text, characters));
}

// trimPrefix and trimSuffix: a blank where nothing is named.
Result<std::string> affix(const Call& call) {
  return call.count() == 2 ? call.text(1) : Result<std::string>(" ");
}

Result<Value> trim_prefix(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  KIST_TRY_ASSIGN(std::string prefix, affix(call));
  return call.work.make(text.starts_with(prefix) ? text.substr(prefix.size()) : text);
}

Result<Value> trim_suffix(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  KIST_TRY_ASSIGN(std::string suffix, affix(call));
  return call.work.make(text.ends_with(suffix) ? text.substr(0, text.size() - suffix.size()) : text);
}

Result<Value> call_upper(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  return call.work.make(to_upper(text));
}

Result<Value> call_lower(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  return call.work.make(to_lower(text));
}

Result<Value> split_into(const Call& call, bool keep) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  KIST_TRY_ASSIGN(std::string separator, call.text(1));
  std::int64_t most = -1;
  if (call.count() == 3) {
    KIST_TRY_ASSIGN(most, call.integer(2));
  }
  KIST_TRY(afford_split(text, separator, call.work));
  return call.work.make_texts(split(text, separator, most, keep));
}
Result<Value> call_split(const Call& call) {
  return split_into(call, false);
}
Result<Value> split_after(const Call& call) {
  return split_into(call, true);
}

Result<Value> replace(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  KIST_TRY_ASSIGN(std::string from, call.text(1));
  KIST_TRY_ASSIGN(std::string to, call.text(2));
  std::int64_t most = -1;
  if (call.count() == 4) {
    KIST_TRY_ASSIGN(most, call.integer(3));
  }
  KIST_TRY_ASSIGN(std::string result, replace_all(text, from, to, most, call.work));
  return call.work.make(std::move(result));
}

Result<Value> repeat(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  KIST_TRY_ASSIGN(std::int64_t count, call.integer(1));
  if (count < 0) return fail(ErrorKind::invalid, fmt::format("{} is less than 0", count));
  constexpr std::int64_t kMost = 1'000'000;
  if (count > kMost) return fail(ErrorKind::invalid, fmt::format("{} is more than {}", count, kMost));
  KIST_TRY(call.work.spend(text.size() * static_cast<std::size_t>(count)));
  std::string result;
  for (std::int64_t i = 0; i < count; ++i) result += text;
  return call.work.make(std::move(result));
}

Result<Value> join(const Call& call) {
  KIST_TRY_ASSIGN(const List* list, call.list(0));
  std::string separator;
  if (call.count() == 2) {
    KIST_TRY_ASSIGN(separator, call.text(1));
  }
  std::string result;
  for (const Value& item : *list) {
    if (item.text() == nullptr)
      return fail(ErrorKind::invalid, fmt::format("the array must hold strings, not {}", item.type()));
    KIST_TRY(call.work.spend(item.text()->size() + separator.size()));
    if (&item != &list->front()) result += separator;
    result += *item.text();
  }
  return call.work.make(std::move(result));
}

Value place(std::size_t at) {
  return Value(at == std::string::npos ? std::int64_t{-1} : static_cast<std::int64_t>(at));
}
Result<Value> index_of(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  KIST_TRY_ASSIGN(std::string part, call.text(1));
  return place(text.find(part));
}
Result<Value> last_index_of(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  KIST_TRY_ASSIGN(std::string part, call.text(1));
  return place(text.rfind(part));
}
Result<Value> has_prefix(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  KIST_TRY_ASSIGN(std::string part, call.text(1));
  return Value(text.starts_with(part));
}
Result<Value> has_suffix(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  KIST_TRY_ASSIGN(std::string part, call.text(1));
  return Value(text.ends_with(part));
}

constexpr Function kFunctions[] = {
    {"trim", 1, 2, call_trim},         {"trimPrefix", 1, 2, trim_prefix},
    {"trimSuffix", 1, 2, trim_suffix}, {"upper", 1, 1, call_upper},
    {"lower", 1, 1, call_lower},       {"split", 2, 3, call_split},
    {"splitAfter", 2, 3, split_after}, {"replace", 3, 4, replace},
    {"repeat", 2, 2, repeat},          {"join", 1, 2, join},
    {"indexOf", 2, 2, index_of},       {"lastIndexOf", 2, 2, last_index_of},
    {"hasPrefix", 2, 2, has_prefix},   {"hasSuffix", 2, 2, has_suffix},
};

}  // namespace

std::span<const Function> text_functions() {
  return kFunctions;
}

}  // namespace kist::expression
