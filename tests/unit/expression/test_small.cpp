// Durations, items, numbers of sequences, fields of moments.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "expression/duration.hpp"
#include "expression/item.hpp"
#include "expression/strftime.hpp"

namespace kist::expression {
namespace {

using namespace std::chrono_literals;

TEST(Durations, AreReadAsGoDoes) {
  EXPECT_EQ(parse_go_duration("1h2m").value(), 62min);
  EXPECT_EQ(parse_go_duration("300ms").value(), 300ms);
  EXPECT_EQ(parse_go_duration("-1.5h").value(), -90min);
  EXPECT_EQ(parse_go_duration("1µs2ns").value(), 1002ns);
  EXPECT_EQ(parse_go_duration(".5s").value(), 500ms);
  EXPECT_EQ(parse_go_duration("0").value(), 0ns);
  for (const char* text : {"", "1", "h", "1x", "1h2", "-", "1 h", ".s", "9999999h", "99999999999999999999s", "1h-2m"})
    EXPECT_FALSE(parse_go_duration(text)) << text;
  EXPECT_EQ(parse_duration("10").value(), 10s);
  EXPECT_EQ(parse_duration("1m30s").value(), 90s);
  EXPECT_EQ(parse_duration("9999999999").value(), std::chrono::nanoseconds::max());
  EXPECT_FALSE(parse_duration("ten"));
}

TEST(Durations, ArePrintedAsGoDoes) {
  EXPECT_EQ(to_go_duration(0ns), "0s");
  EXPECT_EQ(to_go_duration(62min), "1h2m0s");
  EXPECT_EQ(to_go_duration(1500ms), "1.5s");
  EXPECT_EQ(to_go_duration(-300ms), "-300ms");
  EXPECT_EQ(to_go_duration(1500us), "1.5ms");
  EXPECT_EQ(to_go_duration(1500ns), "1.5µs");
  EXPECT_EQ(to_go_duration(7ns), "7ns");
}

TEST(Items, AreTextsOrCompactJson) {
  EXPECT_EQ(item_text(Json::parse(R"("a b")")), "a b");
  EXPECT_EQ(item_text(Json::parse("1")), "1");
  EXPECT_EQ(item_text(Json::parse("true")), "true");
  EXPECT_EQ(item_text(Json::parse(R"({"b": [1, 2], "a": "x"})")), R"({"b":[1,2],"a":"x"})");
}

TEST(Items, HaveNamesWithoutRoundBrackets) {
  EXPECT_EQ(item_name(Json::parse(R"x({"os": "linux", "arch": "a(1)"})x")), "arch:a1,os:linux");
  EXPECT_EQ(item_name(Json::parse(R"x("f(x)")x")), "fx");
  EXPECT_EQ(item_name(Json::parse("[1,2]")), "[1,2]");
}

TEST(Sequences, PrintTheirNumbers) {
  EXPECT_EQ(print_integer("%d", 7).value(), "7");
  EXPECT_EQ(print_integer("%02d", 7).value(), "07");
  EXPECT_EQ(print_integer("testuser%02X", 171).value(), "testuserAB");
  EXPECT_EQ(print_integer("%+d|", 7).value(), "+7|");
  EXPECT_EQ(print_integer("%-4d|%%", 7).value(), "7   |%");
  EXPECT_EQ(print_integer("%05d", -7).value(), "-0007");
  EXPECT_EQ(print_integer("%4d", 7).value(), "   7");
  EXPECT_EQ(print_integer("%#x %%", 255).value(), "0xff %");
  EXPECT_EQ(print_integer("%.3d", 7).value(), "007");
  EXPECT_EQ(print_integer("%c", 65).value(), "A");
  for (const char* format : {"plain", "%s", "%d %d", "%", "%f", "%z"}) EXPECT_FALSE(print_integer(format, 1)) << format;
}

TEST(Moments, HaveFields) {
  Time time = parse_rfc3339("2026-03-04T15:06:07.089Z").value();
  auto field = [&](std::string_view name) { return time_field(time, name).value_or("none"); };
  EXPECT_EQ(field("B") + field("b") + field("m") + field("A") + field("a") + field("d"), "MarchMar03WednesdayWed04");
  EXPECT_EQ(field("H") + field("I") + field("M") + field("S") + field("p"), "15030607PM");
  EXPECT_EQ(field("Y") + field("y") + field("Z") + field("z") + field("L"), "202626UTC+0000.089");
  EXPECT_EQ(field("s") + field("RFC3339") + field("q"), "17726367672026-03-04T15:06:07Znone");
  for (const std::string& name : time_field_names()) EXPECT_TRUE(time_field(time, name)) << name;
}

}  // namespace
}  // namespace kist::expression
