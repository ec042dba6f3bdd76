#include <string>

#include <gtest/gtest.h>

#include "expression/condition.hpp"

namespace kist::expression {
namespace {

TEST(Condition, ComparesAsArgoDoes) {
  for (const char* text : {
           "heads == heads",
           "heads != tails",
           "\"a b\" == 'a b'",
           "9 < 10",
           "-1 < 0",
           "1.0 == 1",
           "0x10 == 16",
           "'9' > '10'",
           "b > a",
           "true",
           "!false",
           "false || true && true",
           "!(1 == 2) && 3 in (1, 2, 3)",
           "x in (y, x)",
           "True == True",
           "heads =~ hea",
           "heads !~ 'tai'",
           "'v12' =~ '^v\\\\d+$'",
           "'aab' =~ '^(?:a+?)b$'",
           "HEADS =~ '(?i)heads'",
           "'1' != 1",
       }) {
    auto result = evaluate_condition(text);
    ASSERT_TRUE(result) << result.error().text;
    EXPECT_TRUE(*result) << text;
  }
  for (const char* text :
       {"false", "True == False", "heads == tails", "10 < 9", "x in (y)", "1 == 1 == false", "'' == ' '"})
    EXPECT_FALSE(evaluate_condition(text).value()) << text;
}

// The right side of a decided && or || may be nonsense, but must be readable.
TEST(Condition, DecidesEarly) {
  EXPECT_TRUE(evaluate_condition("a == a || a > 3").value());
  EXPECT_FALSE(evaluate_condition("a == b && a > 3").value());
  EXPECT_FALSE(evaluate_condition("a == a || "));
}

TEST(Condition, RefusesWhatIsNoCondition) {
  for (const char* text : {"",
                           "a",
                           "1",
                           "a b",
                           "a ==",
                           "(a == a",
                           "a == 'a",
                           "a-b == a-b",
                           "1.2.3 == 1",
                           "12ab == 1",
                           "a > 1",
                           "true > false",
                           "1 && true",
                           "!1",
                           "x in y",
                           "x in (y",
                           "{{a}} == 1",
                           "a =~ '('",
                           "a =~ '(a)\\\\1'",
                           "a =~ '((a{900}){900}){900}'",
                           "a == a)",
                           "a = a",
                           "1 + 1 == 2"}) {
    auto result = evaluate_condition(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().kind, ErrorKind::invalid);
    EXPECT_TRUE(result.error().text.starts_with("Invalid 'when' expression '")) << result.error().text;
    EXPECT_TRUE(result.error().text.contains("hint: try wrapping")) << result.error().text;
  }
}

TEST(Condition, DeepNestingIsAnErrorNotAStackOverflow) {
  EXPECT_FALSE(evaluate_condition(std::string(100'000, '(')));
  EXPECT_FALSE(evaluate_condition(std::string(100'000, '!') + "true"));
  std::string many = "true";
  for (int i = 0; i < 100'000; ++i) many += " && true";
  EXPECT_TRUE(evaluate_condition(many).value());
}

}  // namespace
}  // namespace kist::expression
