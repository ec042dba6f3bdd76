#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "dialect/argo/graph.hpp"

namespace kist::dialect::argo {
namespace {

using model::Dependency;

constexpr int kDepthLimit = 100;

constexpr auto kTests = std::to_array<std::pair<std::string_view, Dependency::Test>>({
    {"Succeeded", Dependency::Test::succeeded},
    {"Failed", Dependency::Test::failed},
    {"Errored", Dependency::Test::errored},
    {"Skipped", Dependency::Test::skipped},
    {"Omitted", Dependency::Test::omitted},
    {"Daemoned", Dependency::Test::daemoned},
    {"AnySucceeded", Dependency::Test::any_succeeded},
    {"AllFailed", Dependency::Test::all_failed},
});

// Grammar, by precedence: either = both { "||" both }; both = one { "&&" one }; one = "!" one | "(" either ")" | name.
class Parser {
 public:
  Parser(std::string_view text, const std::function<Dependency(std::string_view)>& plain)
      : text_(text), plain_(plain) {}

  Result<Dependency> parse() {
    KIST_TRY_ASSIGN(Dependency all, either());
    if (at_ < text_.size()) return expected("'&&', '||' or the end");
    return all;
  }

 private:
  Result<Dependency> either() {
    return chain("||", Dependency::Operator::any, [this] { return both(); });
  }
  Result<Dependency> both() {
    return chain("&&", Dependency::Operator::all, [this] { return one(); });
  }

  template <typename Next>
  Result<Dependency> chain(std::string_view word, Dependency::Operator op, Next next) {
    KIST_TRY_ASSIGN(Dependency first, next());
    if (!take(word)) return first;
    Dependency all = combine(op);
    all.operands.push_back(std::move(first));
    do {
      KIST_TRY_ASSIGN(Dependency another, next());
      all.operands.push_back(std::move(another));
    } while (take(word));
    return all;
  }

  Result<Dependency> one() {
    if (++depth_ > kDepthLimit) return fail(ErrorKind::invalid, "it is nested too deeply");
    Result<Dependency> found = operand();
    --depth_;
    return found;
  }

  Result<Dependency> operand() {
    if (take("!")) {
      KIST_TRY_ASSIGN(Dependency inner, one());
      Dependency negated = combine(Dependency::Operator::negate);
      negated.operands.push_back(std::move(inner));
      return negated;
    }
    if (take("(")) {
      KIST_TRY_ASSIGN(Dependency inner, either());
      if (!take(")")) return expected("')'");
      return inner;
    }
    return result();
  }

  Result<Dependency> result() {
    const std::string_view name = word();
    if (name.empty()) return expected("a task's name, '!' or '('");
    if (std::isdigit(static_cast<unsigned char>(name.front())))
      return fail(ErrorKind::invalid, fmt::format("the name '{}' cannot begin with a digit here", name));
    if (at_ >= text_.size() || text_[at_] != '.') return plain_(name);
    ++at_;
    const std::string_view test = word();
    for (const auto& [spelling, meaning] : kTests)
      if (test == spelling) return is(name, meaning);
    return fail(ErrorKind::invalid, fmt::format("task result '{}' for task '{}' is invalid", test, name));
  }

  void skip_blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }

  bool take(std::string_view word) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    skip_blanks();
    return true;
  }

  std::string_view word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '-' || text_[at_] == '_'))
      ++at_;
    return text_.substr(begin, at_ - begin);
  }

  std::unexpected<Error> expected(std::string_view what) const {
    const std::string found = at_ < text_.size() ? fmt::format("'{}'", text_[at_]) : "the end";
    return fail(ErrorKind::invalid, fmt::format("expected {}, not {} (character {})", what, found, at_ + 1));
  }

  std::string_view text_;
  const std::function<Dependency(std::string_view)>& plain_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Dependency is(std::string_view step, Dependency::Test test) {
  return {.op = Dependency::Operator::is, .step = std::string(step), .test = test, .operands = {}};
}

Dependency combine(Dependency::Operator op) {
  return {.op = op, .step = "", .test = {}, .operands = {}};
}

Result<Dependency> parse_depends(std::string_view text, const std::function<Dependency(std::string_view)>& plain) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  return Parser(begin == std::string_view::npos ? "" : text.substr(begin), plain).parse();
}

}  // namespace kist::dialect::argo
