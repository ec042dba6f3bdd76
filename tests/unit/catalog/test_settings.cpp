// What a person decided for a home, and what is said of what cannot be understood.
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "catalog/settings.hpp"

namespace kist::catalog {
namespace {

using std::chrono::hours;

class SettingsTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"KIST_QUOTA", "KIST_VIEWS"}) ::unsetenv(name);
  }
  void TearDown() override { SetUp(); }

  Result<Settings> read(std::string_view text) {
    std::ofstream(home.path() / "settings.yaml") << text;
    return read_settings(home);
  }
  std::string refusal(std::string_view text) {
    auto settings = read(text);
    EXPECT_FALSE(settings) << text;
    if (settings) return "";
    EXPECT_EQ(settings.error().kind, ErrorKind::invalid);
    return settings.error().text;
  }

  ScratchDirectory scratch = ScratchDirectory::make("/tmp", "kist-settings-").value();
  Home home = Home::open(scratch.path()).value();
};

TEST_F(SettingsTest, WithoutAFileThereIsNoLimitButForViews) {
  auto settings = read_settings(home);
  ASSERT_TRUE(settings);
  EXPECT_FALSE(settings->quota);
  EXPECT_TRUE(settings->views);
  EXPECT_EQ(settings->grace.count(), 0);
  EXPECT_TRUE(settings->rules.empty());
  EXPECT_TRUE(read("")) << "an empty file is one too";
}

TEST_F(SettingsTest, AllOfItIsRead) {
  auto settings = read(
      "quota: 1.5GiB\n"
      "views: 64MB\n"
      "xattrs: true\n"
      "starters: false\n"
      "gc:\n"
      "  grace: 90m\n"
      "  rules:\n"
      "    - {workflow: 'train*', project: /p, keep-last: 10}\n"
      "    - {status: failed, older-than: 30d}\n"
      "    - {status: succeeded, keep-last: 0}\n");
  ASSERT_TRUE(settings) << settings.error().text;
  EXPECT_EQ(settings->quota, 3ULL << 29);
  EXPECT_EQ(settings->views, 64ULL << 20);
  EXPECT_TRUE(settings->xattrs);
  EXPECT_FALSE(settings->starters);
  EXPECT_EQ(settings->grace, std::chrono::minutes(90));
  ASSERT_EQ(settings->rules.size(), 3U);
  EXPECT_EQ(settings->rules[0].workflow, "train*");
  EXPECT_EQ(settings->rules[0].project, "/p");
  EXPECT_EQ(settings->rules[0].keep_last, 10U);
  EXPECT_FALSE(settings->rules[0].older_than);
  EXPECT_EQ(settings->rules[0].outcome, RetentionRule::Outcome::any);
  EXPECT_EQ(settings->rules[1].outcome, RetentionRule::Outcome::failed);
  EXPECT_EQ(settings->rules[1].older_than, hours(30 * 24));
  EXPECT_EQ(settings->rules[2].outcome, RetentionRule::Outcome::succeeded);
  EXPECT_EQ(settings->rules[2].keep_last, 0U);
}

TEST_F(SettingsTest, TheEnvironmentGoesBeforeTheFile) {
  ::setenv("KIST_QUOTA", "2KiB", 1);
  ::setenv("KIST_VIEWS", "3KiB", 1);
  auto settings = read("quota: 1GiB\nviews: 1GiB\n");
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->quota, 2048U);
  EXPECT_EQ(settings->views, 3072U);
  ::setenv("KIST_QUOTA", "much", 1);
  EXPECT_TRUE(refusal("").contains("KIST_QUOTA: 'much' is no size"));
}

TEST_F(SettingsTest, WhatCannotBeUnderstoodIsNamedWithItsPlace) {
  const std::string file = (home.path() / "settings.yaml").string();
  EXPECT_EQ(refusal("quota: 1GiB\nqouta: 1\n"), file + ":2:1: 'qouta' is no setting of kist");
  EXPECT_TRUE(refusal("quota: [1]\n").starts_with(file + ":1:8: expected a single value"));
  EXPECT_TRUE(refusal("views: 101%\n").contains("0% to 100%"));
  EXPECT_TRUE(refusal("gc:\n  grace: soon\n").starts_with(file + ":2:10: 'soon' is no age"));
  EXPECT_TRUE(refusal("gc: {rules: [{workflow: w}]}\n").contains("needs 'keep-last' or 'older-than'"));
  EXPECT_TRUE(refusal("gc: {rules: [{keep-last: -1}]}\n").contains("no number of runs"));
  EXPECT_TRUE(refusal("gc: {rules: [{keep-last: 1, status: running}]}\n").contains("succeeded or failed"));
  EXPECT_TRUE(refusal("gc: {rules: 3}\n").contains("a list of rules"));
}

TEST(Sizes, AreOf1024) {
  for (const auto& [text, bytes] : std::initializer_list<std::pair<const char*, std::uint64_t>>{{"0", 0},
                                                                                                {"500", 500},
                                                                                                {"500B", 500},
                                                                                                {"1k", 1024},
                                                                                                {"64KiB", 65536},
                                                                                                {"1.5 GB", 3ULL << 29},
                                                                                                {"2T", 2ULL << 40}})
    EXPECT_EQ(parse_size(text).value_or(UINT64_MAX), bytes) << text;
  for (const char* text : {"", "-1", "GiB", "1X", "1GiBs", "nan", "inf", "1e30", "100000P"})
    EXPECT_FALSE(parse_size(text)) << text;
}

TEST(Ages, HaveAUnit) {
  for (const auto& [text, age] : std::initializer_list<std::pair<const char*, std::chrono::seconds>>{
           {"0", hours(0)}, {"90s", std::chrono::seconds(90)}, {"1.5h", std::chrono::minutes(90)}, {"2w", hours(336)}})
    EXPECT_EQ(parse_age(text).value_or(hours(-1)), age) << text;
  for (const char* text : {"", "5", "d", "-1d", "nand", "infd", "1month", "1000y"})
    EXPECT_FALSE(parse_age(text)) << text;
}

}  // namespace
}  // namespace kist::catalog
