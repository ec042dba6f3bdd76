#include <map>

#include <gtest/gtest.h>

#include "expression/text.hpp"

namespace kist::expression {
namespace {

using Values = std::map<std::string, std::string, std::less<>>;

class MapScope : public Scope {
 public:
  explicit MapScope(Values values) : values_(std::move(values)) {}
  Result<std::optional<std::string>> find(std::string_view name) const override {
    if (name.starts_with("steps.")) return fail(ErrorKind::not_found, "failed to resolve");
    auto found = values_.find(name);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  Values values_;
};

std::string filled(std::string_view source) {
  MapScope scope({{"a", "1"}, {"b", "a"}, {"", "nothing"}, {"list", "{{a}}"}, {"x.1", "one"}});
  return evaluate(Text::parse(source).value(), scope).value();
}

TEST(Text, FillsReferences) {
  EXPECT_EQ(filled("x {{a}} y {{ b\n}} z"), "x 1 y a z");
  EXPECT_EQ(filled("{{a}}{{b}}"), "1a");
  EXPECT_EQ(filled(""), "");
}

TEST(Text, FillsInnerReferencesFirst) {
  EXPECT_EQ(filled("{{x.{{a}}}}"), "one");
  EXPECT_EQ(filled("{{ {{b}} }}"), "1");
}

TEST(Text, KeepsWhatItDoesNotKnowAsWritten) {
  EXPECT_EQ(filled("{{ unknown }} {{un.{{a}}}}"), "{{ unknown }} {{un.{{a}}}}");
}

TEST(Text, BracesWithoutCounterpartAreText) {
  EXPECT_EQ(filled("{{a"), "{{a");
  EXPECT_EQ(filled("{{ {{a}}"), "{{ 1");
  EXPECT_EQ(filled("a}} {{a}}}}"), "a}} 1}}");
  EXPECT_EQ(filled(R"({"k":{"v":{{a}}}})"), R"({"k":{"v":1}})");
  EXPECT_EQ(filled("{{=1"), "{{=1");
}

TEST(Text, WhatIsFilledInIsNotParsedAgain) {
  EXPECT_EQ(filled("{{list}}"), "{{a}}");
}

TEST(Text, RefusesExpressionsByName) {
  auto text = Text::parse("a {{= 1 + 1 }} b");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().kind, ErrorKind::unsupported);
  EXPECT_EQ(text.error().text, "not supported yet: {{= 1 + 1 }}");
}

TEST(Text, PassesOnTheErrorOfItsScope) {
  EXPECT_FALSE(evaluate(Text::parse("{{steps.a.status}}").value(), MapScope(Values())));
}

TEST(Text, LiteralsHaveNoHoles) {
  Text text = Text::literal("{{a}}");
  EXPECT_TRUE(text.is_literal());
  EXPECT_EQ(evaluate(text, MapScope(Values{{"a", "1"}})).value(), "{{a}}");
  EXPECT_FALSE(Text::parse("{{a}}").value().is_literal());
}

TEST(Text, NamesItsReferences) {
  EXPECT_EQ(references(Text::parse("{{a}} {{b.{{ c }}}} {{d").value()), (std::vector<std::string>{"a", "c"}));
}

TEST(Text, DeepNestingIsAnErrorNotAStackOverflow) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "{{a";
  EXPECT_EQ(filled(deep), deep);
  for (int i = 0; i < 100'000; ++i) deep += "}}";
  EXPECT_EQ(Text::parse(deep).error().kind, ErrorKind::invalid);
}

}  // namespace
}  // namespace kist::expression
