#include <random>
#include <sstream>
#include <vector>

#include <gtest/gtest.h>

#include "base/text_diff.hpp"

namespace kist {
namespace {

// Does what a hunk says: the text that a unified diff makes of `before`.
std::string patched(const std::string& before, const std::string& diff) {
  std::vector<std::string> lines;
  std::istringstream in(before);
  for (std::string line; std::getline(in, line);) lines.push_back(line + (in.eof() ? "" : "\n"));
  std::string result;
  std::size_t at = 0;
  std::istringstream hunks(diff);
  std::string line;
  std::string last;
  while (std::getline(hunks, line)) {
    if (line.starts_with("@@ -")) {
      const auto range = line.substr(4, line.find(' ', 4) - 4);
      const auto comma = range.find(',');
      std::size_t from = std::stoul(range);
      const bool none = comma != std::string::npos && range.substr(comma + 1) == "0";
      from -= none ? 0 : 1;
      for (; at < from; ++at) result += lines.at(at);
    } else if (line.starts_with('\\')) {
      if (last.starts_with('+') || last.starts_with(' ')) result.pop_back();
    } else if (line.starts_with('-')) {
      EXPECT_EQ(lines.at(at).substr(0, line.size() - 1), line.substr(1));
      ++at;
    } else {
      if (line.starts_with(' ')) {
        EXPECT_EQ(lines.at(at).substr(0, line.size() - 1), line.substr(1));
        ++at;
      }
      result += line.substr(1) + "\n";
    }
    last = line;
  }
  for (; at < lines.size(); ++at) result += lines[at];
  return result;
}

TEST(TextDiff, TellsLinesWithTheirContext) {
  EXPECT_EQ(unified_diff("a\nb\nc\nd\ne\nf\ng\nh\n", "a\nb\nc\nd\nE\nf\ng\nh\n"),
            "@@ -2,7 +2,7 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n");
  EXPECT_EQ(unified_diff("", "x\n"), "@@ -0,0 +1 @@\n+x\n");
  EXPECT_EQ(unified_diff("x\n", ""), "@@ -1 +0,0 @@\n-x\n");
  EXPECT_EQ(unified_diff("same\n", "same\n"), "");
}

TEST(TextDiff, MarksAMissingLineBreak) {
  EXPECT_EQ(unified_diff("x\n", "x"), "@@ -1 +1 @@\n-x\n+x\n\\ No newline at end of file\n");
}

// Whatever the texts, the diff leads from one to the other, and is not longer than it must be for short ones.
TEST(TextDiff, LeadsFromOneTextToTheOther) {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    const auto text = [&] {
      std::string made;
      for (unsigned lines = random() % 14; lines > 0; --lines)
        made += std::string(1, static_cast<char>('a' + random() % 4)) + "\n";
      if (!made.empty() && random() % 4 == 0) made.pop_back();
      return made;
    };
    const std::string before = text();
    const std::string after = text();
    const std::string diff = unified_diff(before, after);
    ASSERT_EQ(patched(before, diff), after) << "from:\n" << before << "\nto:\n" << after << "\nby:\n" << diff;
  }
}

TEST(TextDiff, FindsTheShortestWay) {
  // ABCABBA to CBABAC, the example of the paper: five lines change.
  const std::string diff = unified_diff("A\nB\nC\nA\nB\nB\nA\n", "C\nB\nA\nB\nA\nC\n");
  std::size_t changed = 0;
  std::istringstream lines(diff);
  for (std::string line; std::getline(lines, line);) changed += line.starts_with('+') || line.starts_with('-') ? 1 : 0;
  EXPECT_EQ(changed, 5U);
}

// Two large texts without a common line end at all.
TEST(TextDiff, DoesLargeTextsThatHaveNothingInCommon) {
  std::string before;
  std::string after;
  for (int i = 0; i < 50'000; ++i) {
    before += "a" + std::to_string(i) + "\n";
    after += "b" + std::to_string(i) + "\n";
  }
  EXPECT_EQ(patched(before, unified_diff(before, after)), after);
}

}  // namespace
}  // namespace kist
