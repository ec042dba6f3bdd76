#include "expression/regex.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

namespace kist::expression {
namespace {

constexpr std::size_t kLongestPattern = 10'000;
constexpr std::int64_t kMostMemory = 8L << 20;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// What a match puts in the place of `to`.
std::string expand(std::string_view to, const re2::RE2& pattern, const std::vector<re2::StringPiece>& groups) {
  std::string result;
  while (!to.empty()) {
    std::size_t dollar = to.find('$');
    result += to.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    to.remove_prefix(dollar + 1);
    if (to.starts_with('$')) {
      result += '$';
      to.remove_prefix(1);
      continue;
    }
    bool braces = to.starts_with('{');
    std::size_t begin = braces ? 1 : 0;
    std::size_t end = begin;
    while (end < to.size() && is_word(to[end])) ++end;
    if (end == begin || (braces && (end == to.size() || to[end] != '}'))) {
      result += '$';
      continue;
    }
    std::string name(to.substr(begin, end - begin));
    to.remove_prefix(end + (braces ? 1 : 0));
    std::size_t index = groups.size();
    if (name.find_first_not_of("0123456789") == std::string::npos) {
      if (name.size() < 6) index = static_cast<std::size_t>(std::stoul(name));
    } else if (auto found = pattern.NamedCapturingGroups().find(name); found != pattern.NamedCapturingGroups().end()) {
      index = static_cast<std::size_t>(found->second);
    }
    if (index < groups.size()) result.append(groups[index].data(), groups[index].size());
  }
  return result;
}

// The place behind a match from which the next is looked for: an empty match moves on by one character.
std::size_t after_empty(std::string_view text, std::size_t at) {
  ++at;
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  return at;
}

// Calls `found(groups, begin, end)` for matches in order until it answers false.
void each_match(const re2::RE2& pattern, std::string_view text, bool with_groups, const auto& found) {
  std::vector<re2::StringPiece> groups(with_groups ? static_cast<std::size_t>(pattern.NumberOfCapturingGroups()) + 1
                                                   : 1);
  std::size_t at = 0;
  std::size_t previous_end = std::string_view::npos;
  while (at <= text.size()) {
    if (!pattern.Match(re2::StringPiece(text.data(), text.size()), at, text.size(), re2::RE2::UNANCHORED, groups.data(),
                       static_cast<int>(groups.size())))
      return;
    auto begin = static_cast<std::size_t>(groups[0].data() - text.data());
    std::size_t end = begin + groups[0].size();
    // An empty match right behind another is none.
    bool counts = begin != end || begin != previous_end;
    if (counts && !found(groups, begin, end)) return;
    previous_end = end;
    at = end > at ? end : after_empty(text, at);
    if (begin == end && end >= at) at = after_empty(text, end);
  }
}

}  // namespace

Result<Regex> Regex::compile(std::string_view pattern) {
  if (pattern.size() > kLongestPattern)
    return fail(ErrorKind::invalid, fmt::format("a pattern has more than {} characters", kLongestPattern));
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMostMemory);
  Regex regex;
  auto compiled = std::make_shared<const re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!compiled->ok())
    return fail(ErrorKind::invalid, fmt::format("'{}' is not a pattern: {}", pattern, compiled->error()));
  regex.pattern_ = std::move(compiled);
  return regex;
}

bool Regex::matches(std::string_view text) const {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *pattern_);
}

std::vector<std::pair<std::size_t, std::size_t>> Regex::find(std::string_view text, std::int64_t most) const {
  std::vector<std::pair<std::size_t, std::size_t>> places;
  if (most == 0) return places;
  each_match(*pattern_, text, false, [&](const auto&, std::size_t begin, std::size_t end) {
    places.emplace_back(begin, end);
    return most < 0 || places.size() < static_cast<std::size_t>(most);
  });
  return places;
}

Result<std::string> Regex::replace(std::string_view text, std::string_view to, bool literal,
                                   std::size_t longest) const {
  std::string result;
  std::size_t copied = 0;
  each_match(*pattern_, text, true, [&](const auto& groups, std::size_t begin, std::size_t end) {
    result += text.substr(copied, begin - copied);
    result += literal ? std::string(to) : expand(to, *pattern_, groups);
    copied = end;
    return result.size() <= longest;
  });
  if (result.size() > longest)
    return fail(ErrorKind::invalid, fmt::format("the replaced text has more than {} bytes", longest));
  result += text.substr(copied);
  return result;
}

std::string Regex::quote(std::string_view text) {
  std::string quoted;
  for (char c : text) {
    if (std::string_view("\\.+*?()|[]{}^$").contains(c)) quoted += '\\';
    quoted += c;
  }
  return quoted;
}

}  // namespace kist::expression
