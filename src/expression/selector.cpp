#include "expression/selector.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include <fmt/format.h>

namespace kist::expression {
namespace {

constexpr std::string_view kBlank = " \t\r\n";
constexpr std::string_view kSigns = " \t\r\n,=!<>()";  // end a word

class SelectorReader {
 public:
  explicit SelectorReader(std::string_view text) : text_(text), rest_(text) {}

  Result<std::vector<Requirement>> read() {
    std::vector<Requirement> all;
    skip_blanks();
    if (rest_.empty()) return all;
    while (true) {
      KIST_TRY_ASSIGN(all.emplace_back(), requirement());
      skip_blanks();
      if (rest_.empty()) return all;
      if (!take(",")) return wrong("a comma or the end");
    }
  }

 private:
  Result<Requirement> requirement() {
    Requirement one;
    skip_blanks();
    if (take("!")) {
      one.op = Requirement::Operator::absent;
      KIST_TRY_ASSIGN(one.key, word("a key"));
      return one;
    }
    KIST_TRY_ASSIGN(one.key, word("a key"));
    skip_blanks();
    if (rest_.empty() || rest_.front() == ',') return one;
    if (take("!=")) {
      one.op = Requirement::Operator::not_in;
      one.values.push_back(value());
      return one;
    }
    if (take("==") || take("=")) {
      one.op = Requirement::Operator::in;
      one.values.push_back(value());
      return one;
    }
    if (take(">") || take("<")) {
      one.op = text_[place() - 1] == '>' ? Requirement::Operator::greater : Requirement::Operator::less;
      one.values.push_back(value());
      if (!to_number(one.values.front())) return wrong("a whole number");
      return one;
    }
    KIST_TRY_ASSIGN(const std::string op, word("an operator: =, ==, !=, >, <, in or notin"));
    if (op != "in" && op != "notin") return wrong("an operator: =, ==, !=, >, <, in or notin");
    one.op = op == "in" ? Requirement::Operator::in : Requirement::Operator::not_in;
    skip_blanks();
    if (!take("(")) return wrong("a list in brackets");
    do one.values.push_back(value());
    while (take(","));
    if (!take(")")) return wrong("the list's closing bracket");
    return one;
  }

  Result<std::string> word(std::string_view what) {
    skip_blanks();
    const std::string_view found = rest_.substr(0, rest_.find_first_of(kSigns));
    if (found.empty()) return wrong(what);
    rest_.remove_prefix(found.size());
    return std::string(found);
  }

  // May be empty: "tier=" asks for an empty text.
  std::string value() {
    skip_blanks();
    const std::string_view found = rest_.substr(0, rest_.find_first_of(kSigns));
    rest_.remove_prefix(found.size());
    skip_blanks();
    return std::string(found);
  }

  bool take(std::string_view sign) {
    if (!rest_.starts_with(sign)) return false;
    rest_.remove_prefix(sign.size());
    return true;
  }
  void skip_blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(kBlank), rest_.size())); }
  std::size_t place() const { return text_.size() - rest_.size(); }
  std::unexpected<Error> wrong(std::string_view expected) const {
    return fail(ErrorKind::invalid, fmt::format("selector '{}', column {}: expected {}", text_, place() + 1, expected));
  }

 public:
  static std::optional<std::int64_t> to_number(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
  }

 private:
  std::string_view text_;
  std::string_view rest_;
};

}  // namespace

Result<std::vector<Requirement>> parse_selector(std::string_view text) {
  return SelectorReader(text).read();
}

bool holds(const Requirement& requirement, const KeyedValue& value) {
  using Operator = Requirement::Operator;
  const auto found = value(requirement.key);
  const bool listed = found && std::ranges::find(requirement.values, *found) != requirement.values.end();
  switch (requirement.op) {
    case Operator::exists:
      return found.has_value();
    case Operator::absent:
      return !found;
    case Operator::in:
      return listed;
    case Operator::not_in:
      return !listed;
    case Operator::greater:
    case Operator::less:
      break;
  }
  const auto number = found ? SelectorReader::to_number(*found) : std::nullopt;
  const auto bound = requirement.values.empty() ? std::nullopt : SelectorReader::to_number(requirement.values.front());
  if (!number || !bound) return false;
  return requirement.op == Operator::greater ? *number > *bound : *number < *bound;
}

bool all_hold(const std::vector<Requirement>& requirements, const KeyedValue& value) {
  return std::ranges::all_of(requirements, [&](const Requirement& one) { return holds(one, value); });
}

bool any_holds(const std::vector<Requirement>& requirements, const KeyedValue& value) {
  return std::ranges::any_of(requirements, [&](const Requirement& one) { return holds(one, value); });
}

}  // namespace kist::expression
