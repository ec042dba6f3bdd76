#include <limits>

#include <gtest/gtest.h>

#include "base/quantity.hpp"

namespace kist {
namespace {

std::int64_t whole(std::string_view text) {
  const auto parsed = Quantity::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? parsed->whole() : -1;
}

TEST(Quantity, IsReadInEverySpellingOfKubernetes) {
  EXPECT_EQ(whole("128974848"), 128974848);
  EXPECT_EQ(whole("129e6"), 129000000);
  EXPECT_EQ(whole("129E6"), 129000000);
  EXPECT_EQ(whole("1e+3"), 1000);
  EXPECT_EQ(whole("129M"), 129000000);
  EXPECT_EQ(whole("123Mi"), 128974848);
  EXPECT_EQ(whole("1.5Gi"), 1610612736);
  EXPECT_EQ(whole(".5k"), 500);
  EXPECT_EQ(whole("5."), 5);
  EXPECT_EQ(whole("2E"), 2000000000000000000);
  EXPECT_EQ(whole("0.1Ei"), 115292150460684698);
  EXPECT_EQ(whole("0"), 0);
  EXPECT_EQ(whole("0.0e99"), 0);
  EXPECT_EQ(Quantity::parse("500m")->thousandths(), 500);
  EXPECT_EQ(Quantity::parse("1.5")->thousandths(), 1500);
}

TEST(Quantity, IsRoundedUp) {
  EXPECT_EQ(whole("500m"), 1);
  EXPECT_EQ(whole("1n"), 1);
  EXPECT_EQ(whole("0.0000000000000000001"), 1);
  EXPECT_EQ(whole("1.000000000000000000000000000000000000000000001"), 2);
  EXPECT_EQ(whole("-1500m"), -2);
  EXPECT_EQ(Quantity::parse("1u")->thousandths(), 1);
}

TEST(Quantity, IsAtMostWhatFits) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(whole("9223372036854775807"), kMost);
  EXPECT_EQ(whole("100Ei"), kMost);
  EXPECT_EQ(whole("1e99"), kMost);
  EXPECT_EQ(whole("123456789012345678901234567890123456789012345678901234567890"), kMost);
  EXPECT_EQ(Quantity::parse("9223372036854775807")->thousandths(), kMost);
}

TEST(Quantity, IsNothingElse) {
  for (const std::string_view text : {"", " ", "m", ".", "1.2.3", "1 Gi", "1gi", "1KI", "1K", "0x10", "1e", "1e1.5",
                                      "1e99999999999", "--1", "1Gi ", "abc", "{{x}}"})
    EXPECT_FALSE(Quantity::parse(text)) << text;
}

}  // namespace
}  // namespace kist
