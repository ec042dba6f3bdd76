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
           "1 + 1 == 2",
           "7 % 2 == 1 && 2 ** 3 - 1 == 7",
           "2 + 3 * 4 == 14",
           "-2 ** 2 == 4",
           "(1 + 2) * 3 >= 9",
           "6 & 3 == 2 && 1 << 3 == 8 && ~0 == -1",
           "a + 1 == a1",
           "1 < 2 ? true : nonsense > 1",
           "(1 > 2 ? a : b) == b",
           "[a b] == 'a b'",
           "[1,2] == '1,2'",
           "'2024-01-02' > '2024-01-01'",
           "'2024-01-02' == '2024-01-02 00:00:00'",
           "'2024-01-02T01:00:00+01:00' == '2024-01-02'",
           "Succeeded in ('Failed', 'Succeeded')",
           "'' == \"\"",
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
                           "1 + true == 2",
                           "a * 2 == a2",
                           "true ? 1",
                           "1 ? true : false",
                           "[a == a"}) {
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
  EXPECT_FALSE(evaluate_condition("true ? " + std::string(100'000, '(')));
  std::string choices;
  for (int i = 0; i < 100'000; ++i) choices += "true ? true : ";
  EXPECT_FALSE(evaluate_condition(choices + "true"));
  std::string many = "true";
  for (int i = 0; i < 100'000; ++i) many += " && true";
  EXPECT_TRUE(evaluate_condition(many).value());
}

}  // namespace
}  // namespace kist::expression
