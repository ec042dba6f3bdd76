#include <map>

#include <gtest/gtest.h>

#include "expression/selector.hpp"

namespace kist::expression {
namespace {

const std::map<std::string, std::string, std::less<>> kValues = {
    {"status.phase", "Succeeded"}, {"count", "10"}, {"empty", ""}, {"metadata.labels.app", "x"}};

std::optional<std::string> value(std::string_view key) {
  auto found = kValues.find(key);
  return found == kValues.end() ? std::nullopt : std::optional(found->second);
}

bool selects(std::string_view text) {
  auto parsed = parse_selector(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed && all_hold(*parsed, value);
}

TEST(Selector, IsReadAsKubernetesReadsIt) {
  for (const char* text :
       {"", "status.phase == Succeeded", "status.phase=Succeeded", "status.phase in (Failed, Succeeded)",
        "status.phase notin (Failed,Error)", "status.phase", "!missing", "missing != x", "missing notin (a)",
        "count > 9", "count < 11, status.phase == Succeeded", " count>9,!missing ", "empty=", "empty in (,a)"})
    EXPECT_TRUE(selects(text)) << text;
  for (const char* text : {"status.phase == Failed", "status.phase in (Failed, Error)", "missing", "!count",
                           "missing == x", "missing > 1", "status.phase > 1", "count > 10", "count < 10",
                           "status.phase == Succeeded, count == 9", "status.phase != Succeeded"})
    EXPECT_FALSE(selects(text)) << text;
}

TEST(Selector, SaysWhatIsWrong) {
  for (const char* text : {"==", "a in", "a in (b", "a b", "a = b c", "a > many", ",", "a,", "!"}) {
    auto parsed = parse_selector(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().kind, ErrorKind::invalid);
    EXPECT_NE(parsed.error().text.find(text), std::string::npos);
  }
}

}  // namespace
}  // namespace kist::expression
