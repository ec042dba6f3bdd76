#include <gtest/gtest.h>

#include "base/time.hpp"

namespace kist {
namespace {

using namespace std::chrono_literals;

Time at(std::string_view text) {
  return parse_rfc3339(text).value();
}

TEST(Time, PrintsAndReadsRfc3339) {
  Time time = Time(1'795'230'988s + 123'456'789ns);
  EXPECT_EQ(to_rfc3339(time), "2026-11-21T03:16:28Z");
  EXPECT_EQ(to_rfc3339_micros(time), "2026-11-21T03:16:28.123456Z");
  EXPECT_EQ(at("2026-11-21T03:16:28.123456789Z"), time);
  EXPECT_EQ(at("2026-11-21t05:46:28.123456789123+02:30"), time);
  EXPECT_EQ(at("2026-11-20 19:16:28.123456789-08:00"), time);
  EXPECT_EQ(to_rfc3339(at("2016-12-31T23:59:60Z")), "2017-01-01T00:00:00Z");
  EXPECT_EQ(to_rfc3339_micros(Time(-1ns)), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(to_rfc3339(at("1678-01-01T00:00:00+23:59")), "1677-12-31T00:01:00Z");
}

TEST(Time, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", "2026-11-21", "2026-11-21T03:16:28", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-21T24:00:00Z",
        "2026-11-21T03:16:28.Z", "2026-11-21T03:16:28+24:00", "2026-11-21T03:16:28Z ", "20x6-11-21T03:16:28Z",
        "1600-01-01T00:00:00Z", "9999-01-01T00:00:00Z", "2026-11-21T03:16:61Z", "+026-11-21T03:16:28Z"})
    EXPECT_FALSE(parse_rfc3339(text)) << text;
}

// The steps and words of dstack's tables: dstack.md §2.3.
TEST(Time, HowLongAgoSpeaksLikeDstack) {
  Time now = at("2026-11-21T03:16:28Z");
  auto ago = [&](std::chrono::nanoseconds age) { return how_long_ago(now - age, now); };
  EXPECT_EQ(ago(-1ns), "");
  EXPECT_EQ(ago(0s), "now");
  EXPECT_EQ(ago(9999ms), "now");
  EXPECT_EQ(ago(10s), "10 sec ago");
  EXPECT_EQ(ago(59s), "59 sec ago");
  EXPECT_EQ(ago(60s), "1 min ago");
  EXPECT_EQ(ago(120s), "2 mins ago");
  EXPECT_EQ(ago(150s), "2 mins ago");  // 2.5 goes to the even neighbour
  EXPECT_EQ(ago(210s), "4 mins ago");  // and so does 3.5
  EXPECT_EQ(ago(3599s), "60 mins ago");
  EXPECT_EQ(ago(1h), "1 hour ago");
  EXPECT_EQ(ago(2h), "2 hours ago");
  EXPECT_EQ(ago(24h), "yesterday");
  EXPECT_EQ(ago(48h), "2 days ago");
  EXPECT_EQ(ago(24h * 7), "1 weeks ago");
  EXPECT_EQ(ago(24h * 30), "4 weeks ago");
  EXPECT_EQ(ago(24h * 31), "1 months ago");
  EXPECT_EQ(ago(24h * 365), "1 years ago");
}

TEST(Time, ShortDurationsRoundAcrossUnits) {
  EXPECT_EQ(to_short_duration(-5s), "0ms");
  EXPECT_EQ(to_short_duration(450ms), "450ms");
  EXPECT_EQ(to_short_duration(999'600us), "1.0s");
  EXPECT_EQ(to_short_duration(3240ms), "3.2s");
  EXPECT_EQ(to_short_duration(59'960ms), "1m00s");
  EXPECT_EQ(to_short_duration(133s), "2m13s");
  EXPECT_EQ(to_short_duration(3'599'600ms), "1h00m");
  EXPECT_EQ(to_short_duration(3720s), "1h02m");
  EXPECT_EQ(to_short_duration(26h), "26h00m");
}

}  // namespace
}  // namespace kist
