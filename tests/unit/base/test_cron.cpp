#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/cron.hpp"

namespace kist {
namespace {

std::vector<std::string> times(std::string_view line, const std::string& zone, const char* from, std::size_t count) {
  std::vector<std::string> all;
  for (const Time time : next_times({CronLine::parse(line).value()}, zone, parse_rfc3339(from).value(), count))
    all.push_back(to_rfc3339(time));
  return all;
}

TEST(Cron, FindsTheNextTimes) {
  EXPECT_THAT(times("*/20 5 * * *", "UTC", "2026-11-21T05:30:00Z", 3),
              testing::ElementsAre("2026-11-21T05:40:00Z", "2026-11-22T05:00:00Z", "2026-11-22T05:20:00Z"));
  EXPECT_THAT(times("0 0 29 feb *", "UTC", "2026-01-01T00:00:00Z", 1), testing::ElementsAre("2028-02-29T00:00:00Z"));
  // Both days given: one is enough.
  EXPECT_THAT(times("0 0 13 * fri", "UTC", "2026-11-11T00:00:00Z", 2),
              testing::ElementsAre("2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"));
  EXPECT_TRUE(times("0 0 31 2 *", "UTC", "2026-01-01T00:00:00Z", 1).empty());
}

TEST(Cron, AStepMayLeadOutOfItsField) {
  EXPECT_THAT(times("5/2147483647 5 * * *", "UTC", "2026-11-21T05:30:00Z", 1),
              testing::ElementsAre("2026-11-22T05:05:00Z"));
}

TEST(Cron, FollowsTheZone) {
  // Summer time ends on 25 October.
  EXPECT_THAT(times("0 12 * * *", "Europe/Berlin", "2026-10-24T00:00:00Z", 2),
              testing::ElementsAre("2026-10-24T10:00:00Z", "2026-10-25T11:00:00Z"));
  EXPECT_THAT(times("CRON_TZ=Asia/Tokyo @daily", "UTC", "2026-10-24T00:00:00Z", 1),
              testing::ElementsAre("2026-10-24T15:00:00Z"));
}

TEST(Cron, RefusesWhatIsNoLine) {
  for (const char* line :
       {"", "* * * *", "* * * * * *", "60 * * * *", "*/0 * * * *", "5-1 * * * *", "* * 0 * *", "a * * * *"})
    EXPECT_FALSE(CronLine::parse(line)) << line;
}

}  // namespace
}  // namespace kist
