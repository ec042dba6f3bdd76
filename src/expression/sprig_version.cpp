// Sprig's semantic versions: reading one, and whether it keeps a constraint such as ">=1.2 <2 || ~3.1".
#include <algorithm>
#include <array>
#include <charconv>
#include <compare>

#include <fmt/format.h>

#include "expression/functions.hpp"

namespace kist::expression {
namespace {

struct Version {
  std::array<std::int64_t, 3> numbers{};
  int written = 0;  // how many of the numbers; the rest are 0
  std::string pre, build;
  std::string original;
};

std::vector<std::string> cut(std::string_view text, char separator) {
  return split(text, std::string_view(&separator, 1), -1, false);
}
bool is_number(std::string_view text) {
  return !text.empty() && text.size() < 18 && text.find_first_not_of("0123456789") == std::string_view::npos;
}
std::int64_t to_number(std::string_view text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}
bool is_mark(std::string_view text) {
  return std::ranges::all_of(cut(text, '.'), [](const std::string& part) {
    return !part.empty() && std::ranges::all_of(part, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    });
  });
}

std::unexpected<Error> no_version(std::string_view text) {
  return fail(ErrorKind::invalid, fmt::format("'{}' is not a semantic version like 1.2.3", text));
}

// `wildcards`: as in constraints, x, X and * stand for any number.
Result<Version> read_version(std::string_view text, bool wildcards) {
  Version version;
  version.original = text;
  std::string_view rest = text;
  if (rest.starts_with('v')) rest.remove_prefix(1);
  if (std::size_t plus = rest.find('+'); plus != std::string_view::npos) {
    version.build = rest.substr(plus + 1);
    rest = rest.substr(0, plus);
    if (!is_mark(version.build)) return no_version(text);
  }
  if (std::size_t dash = rest.find('-'); dash != std::string_view::npos) {
    version.pre = rest.substr(dash + 1);
    rest = rest.substr(0, dash);
    if (!is_mark(version.pre)) return no_version(text);
  }
  std::vector<std::string> parts = cut(rest, '.');
  if (parts.size() > version.numbers.size()) return no_version(text);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (wildcards && (parts[i] == "x" || parts[i] == "X" || parts[i] == "*")) break;
    if (!is_number(parts[i])) return no_version(text);
    version.numbers[i] = to_number(parts[i]);
    ++version.written;
  }
  return version;
}

std::strong_ordering compare_marks(const std::string& a, const std::string& b) {
  // A release comes behind its pre-releases.
  if (a.empty() || b.empty()) return static_cast<int>(a.empty()) <=> static_cast<int>(b.empty());
  std::vector<std::string> left = cut(a, '.');
  std::vector<std::string> right = cut(b, '.');
  for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
    bool numbers = is_number(left[i]) && is_number(right[i]);
    if (!numbers && is_number(left[i]) != is_number(right[i])) return is_number(left[i]) ? 0 <=> 1 : 1 <=> 0;
    auto order = numbers ? to_number(left[i]) <=> to_number(right[i]) : left[i].compare(right[i]) <=> 0;
    if (order != 0) return order;
  }
  return left.size() <=> right.size();
}
std::strong_ordering order(const Version& a, const Version& b) {
  if (auto numbers = a.numbers <=> b.numbers; numbers != 0) return numbers;
  return compare_marks(a.pre, b.pre);
}

// The first version behind all that begin with the first `kept` numbers.
Version behind(const Version& version, int kept) {
  Version next;
  std::copy_n(version.numbers.begin(), kept, next.numbers.begin());
  if (kept > 0) ++next.numbers[static_cast<std::size_t>(kept - 1)];
  return next;
}

bool is_within(const Version& version, const Version& from, int kept) {
  if (order(version, from) < 0) return false;
  return kept == 0 || order(version, behind(from, kept)) < 0;
}

// One comparison, such as ">=1.2".
bool keeps(const Version& version, std::string_view op, const Version& bound) {
  // Pre-releases keep only constraints that name one.
  if (!version.pre.empty() && bound.pre.empty()) return false;
  bool partial = bound.written < 3;
  if (op == "!=")
    return partial && bound.written > 0 ? !is_within(version, bound, bound.written) : order(version, bound) != 0;
  if (bound.written == 0) return op != "<" && op != ">";
  if (op == ">") return partial ? order(version, behind(bound, bound.written)) >= 0 : order(version, bound) > 0;
  if (op == "<") return order(version, bound) < 0;
  if (op == ">=" || op == "=>") return order(version, bound) >= 0;
  if (op == "<=" || op == "=<")
    return partial ? order(version, behind(bound, bound.written)) < 0 : order(version, bound) <= 0;
  if (op == "~" || op == "~>") return is_within(version, bound, std::min(bound.written, 2));
  if (op == "^") {
    int kept = bound.numbers[0] > 0 || bound.written == 1 ? 1 : bound.numbers[1] > 0 || bound.written == 2 ? 2 : 3;
    return is_within(version, bound, kept);
  }
  return partial ? is_within(version, bound, bound.written) : order(version, bound) == 0;
}

// Comparisons that all hold, with blanks or commas between; "1.2 - 1.5" is from … to.
Result<bool> keeps_all(const Version& version, std::string_view text) {
  std::string constraint(text);
  if (std::size_t dash = constraint.find(" - "); dash != std::string::npos) {
    constraint = ">=" + trim_blanks(constraint.substr(0, dash)) + " <=" + trim_blanks(constraint.substr(dash + 3));
  }
  std::ranges::replace(constraint, ',', ' ');
  bool all = true;
  std::string_view rest = constraint;
  bool any = false;
  while (true) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    if (rest.empty()) break;
    std::string_view op = rest.substr(0, rest.find_first_not_of("=!<>~^"));
    constexpr auto kKnown =
        std::to_array<std::string_view>({"", "=", "==", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^"});
    if (std::ranges::find(kKnown, op) == kKnown.end())
      return fail(ErrorKind::invalid, fmt::format("'{}' is not a comparison of versions", op));
    rest.remove_prefix(op.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    std::string_view bound = rest.substr(0, rest.find_first_of(" \t=!<>~^"));
    rest.remove_prefix(bound.size());
    KIST_TRY_ASSIGN(Version read, read_version(bound, true));
    all = keeps(version, op, read) && all;
    any = true;
  }
  if (!any) return fail(ErrorKind::invalid, fmt::format("'{}' is not a constraint of versions", text));
  return all;
}

Result<Value> compare(const Call& call) {
  KIST_TRY_ASSIGN(std::string constraint, call.text(0));
  KIST_TRY_ASSIGN(std::string text, call.text(1));
  KIST_TRY(call.work.spend((constraint.size() + text.size()) * 100));
  KIST_TRY_ASSIGN(Version version, read_version(text, false));
  bool any = false;
  for (const std::string& part : split(constraint, "||", -1, false)) {
    KIST_TRY_ASSIGN(bool keeps, keeps_all(version, part));
    any = any || keeps;
  }
  return Value(any);
}

// A version as a map: Major, Minor, Patch, Prerelease, Metadata, Original.
Result<Value> semver(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  KIST_TRY(call.work.spend(text.size() * 100));
  KIST_TRY_ASSIGN(Version version, read_version(text, false));
  Map map;
  map["Major"] = Value(version.numbers[0]);
  map["Minor"] = Value(version.numbers[1]);
  map["Patch"] = Value(version.numbers[2]);
  map["Prerelease"] = Value(version.pre);
  map["Metadata"] = Value(version.build);
  map["Original"] = Value(version.original);
  return call.work.make(std::move(map));
}

constexpr Function kFunctions[] = {
    {"sprig.semver", 1, 1, semver},
    {"sprig.semverCompare", 2, 2, compare},
};

}  // namespace

std::span<const Function> sprig_version_functions() {
  return kFunctions;
}

}  // namespace kist::expression
