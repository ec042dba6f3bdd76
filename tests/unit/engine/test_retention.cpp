// Which runs the rules remove.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.hpp"
#include "base/time.hpp"
#include "engine/retention.hpp"

namespace kist::engine::testing {
namespace {

using catalog::RetentionRule;
using catalog::RunSummary;
using model::State;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Outcome = RetentionRule::Outcome;
using std::chrono::hours;

class RetentionTest : public ::testing::Test {
 protected:
  // The next older run.
  RunSummary& add(std::string name, std::string workflow = "w", State state = State::succeeded,
                  std::string project = "/p") {
    const Time ended = now_ - hours(runs_.size());
    RunSummary run;
    run.name = std::move(name);
    run.workflow = std::move(workflow);
    run.project = std::move(project);
    run.state = state;
    run.created = run.finished = ended;
    return runs_.emplace_back(std::move(run));
  }
  std::vector<std::string> removed(std::vector<RetentionRule> rules) {
    std::vector<std::string> names;
    for (const Removal& each : runs_to_remove(runs_, rules, now_)) names.push_back(each.run.name);
    return names;
  }

  Time now_ = Time(hours(500'000));
  std::vector<RunSummary> runs_;
};

TEST_F(RetentionTest, WithoutARuleEverythingStays) {
  add("a");
  EXPECT_THAT(removed({}), IsEmpty());
}

TEST_F(RetentionTest, TheNewestOfEachWorkflowAndProjectStay) {
  add("a1", "a");
  add("b1", "b");
  add("a2", "a");
  add("other", "a", State::succeeded, "/q");
  add("a3", "a");
  add("b2", "b");
  EXPECT_THAT(removed({{.keep_last = 1}}), ElementsAre("a2", "a3", "b2"));
  EXPECT_THAT(removed({{.keep_last = 2}}), ElementsAre("a3"));
  EXPECT_THAT(removed({{.workflow = "b*", .keep_last = 0}}), ElementsAre("b1", "b2"));
  EXPECT_THAT(removed({{.project = "/q", .keep_last = 0}}), ElementsAre("other"));
}

TEST_F(RetentionTest, WhatIsYoungOrAmongTheNewestStays) {
  for (const char* name : {"0h", "1h", "2h", "3h"}) add(name);
  EXPECT_THAT(removed({{.older_than = hours(2)}}), ElementsAre("2h", "3h"));
  EXPECT_THAT(removed({{.keep_last = 3, .older_than = hours(2)}}), ElementsAre("3h"));
}

TEST_F(RetentionTest, OfARecurringWorkflowAsManyStayAsItsNewestRunHasIt) {
  const auto recurring = [&](std::string name, State state, std::optional<std::size_t> succeeded,
                             std::optional<std::size_t> failed) -> RunSummary& {
    RunSummary& run = add(std::move(name), "cron", state);
    run.history = model::History{.succeeded = succeeded, .failed = failed};
    return run;
  };
  recurring("now", State::running, 2, 0);
  recurring("s1", State::succeeded, 0, 0);
  recurring("f1", State::failed, 9, 9);
  recurring("s2", State::succeeded, {}, {}).tags = {"kept"};
  recurring("s3", State::succeeded, {}, {}).tags = {"kept too"};
  recurring("s4", State::succeeded, {}, {});
  recurring("stopped", State::stopped, {}, {});
  add("other", "once");
  EXPECT_THAT(removed({}), ElementsAre("f1", "s4", "stopped"));
  runs_.front().history = model::History{};
  EXPECT_THAT(removed({}), IsEmpty());
}

// A run that took a year is as young as its end.
TEST_F(RetentionTest, AgeCountsFromTheEnd) {
  add("long").created = now_ - hours(9000);
  EXPECT_THAT(removed({{.older_than = hours(1)}}), IsEmpty());
}

TEST_F(RetentionTest, RunsWithATagStayAndCount) {
  add("tagged").tags = {"t"};
  add("next");
  EXPECT_THAT(removed({{.keep_last = 0}}), ElementsAre("next"));
  EXPECT_THAT(removed({{.keep_last = 1}}), ElementsAre("next"));
}

TEST_F(RetentionTest, WhatHasNotEndedStaysAndDoesNotCount) {
  add("running", "w", State::running);
  add("interrupted", "w", State::interrupted);
  add("done");
  EXPECT_THAT(removed({{.keep_last = 1}}), IsEmpty());
  EXPECT_THAT(removed({{.keep_last = 0}}), ElementsAre("done"));
}

TEST_F(RetentionTest, TheFirstRuleThatFitsDecides) {
  add("good");
  add("bad", "w", State::failed);
  add("stopped", "w", State::stopped);
  EXPECT_THAT(removed({{.outcome = Outcome::failed, .keep_last = 0}}), ElementsAre("bad", "stopped"));
  EXPECT_THAT(removed({{.outcome = Outcome::succeeded, .keep_last = 0}}), ElementsAre("good"));
  EXPECT_THAT(removed({{.outcome = Outcome::failed, .keep_last = 9}, {.keep_last = 0}}), ElementsAre("good"));
}

TEST_F(RetentionTest, WhatHasExpiredGoesWhateverTheRulesKeep) {
  add("yet to come").expires = now_ + hours(1);
  add("over").expires = now_ - hours(1);
  RunSummary& kept = add("tagged");
  kept.expires = now_ - hours(1);
  kept.tags = {"t"};
  add("goes on", "w", State::running).expires = now_ - hours(1);
  add("older");
  EXPECT_THAT(removed({}), ElementsAre("over"));
  EXPECT_THAT(removed({{.keep_last = 9}}), ElementsAre("over"));
  // What goes anyway takes no other one's place.
  EXPECT_THAT(removed({{.keep_last = 3}}), ElementsAre("over"));

  const auto removals =
      runs_to_remove(runs_, std::vector<RetentionRule>{{.keep_last = 2, .older_than = hours(1)}}, now_);
  ASSERT_EQ(removals.size(), 2U);
  EXPECT_EQ(removals[0].why, "its file lets it go since " + to_rfc3339(now_ - hours(1)));
  EXPECT_EQ(removals[1].why, "it is none of the newest 2 of its workflow and ended more than 1h00m ago");
}

TEST(HeldTest, ARunIsHeldByTheOneThatMadeItUntilThatHasEnded) {
  auto scratch = ScratchDirectory::make("/tmp", "kist-held-").value();
  auto home = catalog::Home::open(scratch.path()).value();
  auto catalog = catalog::Catalog::open(home).value();
  auto add = [&](const char* name) {
    model::RunRecord run;
    run.id = name;
    auto made =
        catalog->create_run(run, {.kind = model::RunNaming::Kind::given, .stem = name}, [](auto) { return 0U; });
    EXPECT_TRUE(made) << made.error().text;
  };
  add("child");
  add("parent");
  EXPECT_FALSE(is_held(*catalog, "child").value());
  ASSERT_TRUE(catalog->add_owned("parent", {"run", "child"}));
  EXPECT_TRUE(is_held(*catalog, "child").value());
  catalog::Changes ended{.run = "parent", .state = State::succeeded};
  ASSERT_TRUE(catalog->apply({&ended, 1}));
  EXPECT_FALSE(is_held(*catalog, "child").value());
}

TEST(QuotaTest, ContainersAndIndexCountForIt) {
  auto scratch = ScratchDirectory::make("/tmp", "kist-quota-").value();
  auto home = catalog::Home::open(scratch.path()).value();
  EXPECT_TRUE(check_quota(home)) << "there is none";
  std::ofstream(home.path() / "settings.yaml") << "quota: 1MiB\n";
  std::filesystem::create_directories(home.store() / "containers");
  std::filesystem::create_directories(home.store() / "views");
  std::ofstream(home.store() / "views/large") << std::string(2 << 20, 'x');
  EXPECT_TRUE(check_quota(home)) << "views have a budget of their own";
  std::ofstream(home.store() / "containers/large") << std::string(2 << 20, 'x');
  auto refused = check_quota(home);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::no_space);
  EXPECT_TRUE(refused.error().text.contains("kist gc")) << refused.error().text;
}

}  // namespace
}  // namespace kist::engine::testing
