#include <map>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

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

TEST(Text, FillsExpressions) {
  EXPECT_EQ(filled("a {{= 1 + 1 }} b"), "a 2 b");
  EXPECT_EQ(filled("{{=a + b}}"), "1a");
  EXPECT_EQ(filled("{{=toJson(list)}}"), R"("{{a}}")");
  EXPECT_EQ(filled("{{={a: {b: 1}}}}"), R"({"a":{"b":1}})");
  EXPECT_EQ(filled("{{='}}'}}|{{=\"{{\"}}"), "}}|{{");
  EXPECT_EQ(filled("{{a}}{{=\n[1,\n2]\n}}{{b}}"), "1[1,2]a");
}

TEST(Text, KeepsExpressionsThatHaveNoValueAsWritten) {
  EXPECT_EQ(filled("{{= nil }} {{= unknown }} {{=unknown.member + 1}}"),
            "{{= nil }} {{= unknown }} {{=unknown.member + 1}}");
  EXPECT_EQ(filled("{{= retries == '1' ? 'x' : 'y' }}"), "{{= retries == '1' ? 'x' : 'y' }}");
}

TEST(Text, SaysWhereAnExpressionCannotBeRead) {
  auto text = Text::parse("a {{= 1 + }} b");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().kind, ErrorKind::invalid);
  EXPECT_EQ(text.error().text, "' 1 + ': column 6: something is missing at the end");
  auto value = evaluate(Text::parse("{{=asInt(a) + b}}").value(), MapScope(Values{{"a", "1"}, {"b", "x"}}));
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().text, "'asInt(a) + b': column 10: '+' does not go with int and string");
}

TEST(Text, GivesTheValueOfWhatIsOneExpression) {
  MapScope scope(Values{{"a", "1"}});
  EXPECT_EQ(evaluate_value(Text::parse(" {{=[1, a]}} ").value(), scope).value(), Json::parse(R"([1,"1"])"));
  EXPECT_EQ(evaluate_value(Text::parse("{{a}}").value(), scope).value(), Json("1"));
  EXPECT_EQ(evaluate_value(Text::parse("x{{a}}").value(), scope).value(), Json("x1"));
  EXPECT_TRUE(evaluate_bool(Text::parse("{{=a == '1'}}").value(), scope).value());
  EXPECT_FALSE(evaluate_bool(Text::parse("false").value(), scope).value());
  EXPECT_FALSE(evaluate_bool(Text::parse("{{=a}}").value(), scope));
  EXPECT_FALSE(evaluate_bool(Text::parse("yes").value(), scope));
}

TEST(Text, FillsAnExpressionBeforeItIsParsed) {
  MapScope scope(Values{{"a", "1"}, {"yes", "true"}});
  auto holds = [&](std::string_view source) { return evaluate_bool(Text::of_expression(source), scope); };
  EXPECT_TRUE(holds("{{yes}} == true && '{{a}}' == '1'").value());
  EXPECT_TRUE(holds("asInt({{=toJson(a)}}) > 0").value());
  EXPECT_TRUE(holds("a == '1'").value());
  EXPECT_EQ(evaluate_value(Text::of_expression("[{{a}}, a]"), scope).value(), Json::parse(R"([1,"1"])"));
  // Braces that are the expression's own stand for no name.
  EXPECT_EQ(evaluate_value(Text::of_expression("map([1], {{\"k\": #}})"), scope).value(), Json::parse(R"([{"k":1}])"));
  EXPECT_EQ(Text::of_expression("'{{a}}'").source(), "{{='{{a}}'}}");
  EXPECT_EQ(holds("{{unknown}} == 1").error().kind, ErrorKind::invalid);
  EXPECT_EQ(holds("1 +").error().kind, ErrorKind::invalid);
  EXPECT_EQ(references(Text::of_expression("'{{a}}' == b")), std::vector<std::string>{"a"});
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
  EXPECT_EQ(references(Text::parse("{{=a.b + c['d-e'].f}}").value()), (std::vector<std::string>{"a.b", "c.d-e.f"}));
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
