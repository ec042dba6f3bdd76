#include <ctime>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace kist {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string again(std::string_view text) {
  auto value = parse_json(text);
  return value ? to_text(*value) : value.error().text;
}

TEST(Json, KeepsOrderAndValues) {
  constexpr std::string_view text =
      R"({"z":1,"a":[null,true,-2,18446744073709551615,1.5,"x\né",{},[]],"m":{"b":{"c":[[1],[2]]},"a":""}})";
  EXPECT_EQ(again(text), text);
  EXPECT_EQ(again(" 5 "), "5");
  EXPECT_EQ(again("\xEF\xBB\xBF\"bom\""), "\"bom\"");
}

TEST(Json, OfEqualKeysTheLastWins) {
  EXPECT_EQ(again(R"({"a":{"x":1},"b":2,"a":3})"), R"({"a":3,"b":2})");
  std::string text = "{";
  for (int i = 0; i < 40; ++i) text += fmt::format("\"k{}\":{},", i % 20, i);
  text.back() = '}';
  Json value = parse_json(text).value();
  EXPECT_EQ(value.size(), 20u);
  EXPECT_EQ(value["k3"], 23);
}

TEST(Json, ErrorsNameThePlace) {
  EXPECT_THAT(again("{\n  \"a\": x: 1}"),
              AllOf(StartsWith("line 2, column 8: not JSON: "), HasSubstr("last read: '\"a\": x'")));
  EXPECT_THAT(again(""), StartsWith("line 1, column 1: not JSON: "));
  EXPECT_THAT(again("[1] 2"), StartsWith("line 1, column 5: not JSON: "));
  EXPECT_THAT(again("[1e999]"), AllOf(StartsWith("line 1, column "), HasSubstr("not JSON: number overflow")));
  EXPECT_THAT(again("\"\xff\""), HasSubstr("not JSON: "));
  EXPECT_THAT(again("{\"a\":1,}"), HasSubstr("not JSON: "));
}

TEST(Json, HostileTextIsAnErrorNotALoad) {
  EXPECT_EQ(again(std::string(200, '[') + std::string(200, ']')).size(), 400u);
  EXPECT_EQ(again(std::string(201, '[') + std::string(201, ']')), "JSON nested more than 200 deep");
  EXPECT_EQ(again(std::string(10'000'000, '[')), "JSON nested more than 200 deep");
  std::string text = "{";
  for (int i = 0; i < 100'000; ++i) text += fmt::format("\"key{}\":0,", i);
  text.back() = '}';
  std::clock_t start = std::clock();
  EXPECT_EQ(parse_json(text).value().size(), 100'000u);
  EXPECT_LT(std::clock() - start,
            10 * CLOCKS_PER_SEC);  // a minute and more, where each key is looked up among the others
}

TEST(Json, PrintsBytesThatAreNoText) {
  EXPECT_EQ(to_text(Json("a\xff")), "\"a\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace kist
