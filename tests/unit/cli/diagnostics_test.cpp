#include "cli/diagnostics.hpp"

#include <gtest/gtest.h>

namespace kist::cli {
namespace {

using Level = model::Notice::Level;
const std::vector<model::SourceText> kFiles = {{"w.yaml", "one: 1\n\ttwo: é x\n"}};

TEST(Explain, NamesThePlaceAndTheLevelOnce) {
  EXPECT_EQ(explain("w.yaml:2:5: wrong", Level::error, kFiles, false), "w.yaml:2:5: error: wrong\n");
  EXPECT_EQ(explain("w.yaml:2:5: error: wrong", Level::error, kFiles, false), "w.yaml:2:5: error: wrong\n");
  EXPECT_EQ(explain("w.yaml:2: a\nplain: b", Level::error, kFiles, false), "w.yaml:2: error: a\nplain: b\n");
  EXPECT_EQ(explain({Level::warning, {"w.yaml", 1, 6}, "odd"}, kFiles, false), "w.yaml:1:6: warning: odd\n");
  EXPECT_EQ(explain({Level::information, {}, "run x is used"}, kFiles, false), "run x is used\n");
}

TEST(Explain, ShowsTheLineAndACaretBelowTheCharacterOnATerminal) {
  const auto text = explain("w.yaml:2:8: wrong", Level::error, kFiles, true);
  const auto line = text.find("  two: é x");
  ASSERT_NE(line, std::string::npos) << text;
  // a tab is shown as two blanks, and é is one column
  EXPECT_NE(text.find("      |         \x1b[32m^"), std::string::npos) << text;
}

TEST(Explain, ALineThatIsNotThereIsNoMatter) {
  EXPECT_EQ(explain("w.yaml:99:1: wrong", Level::error, kFiles, true).find('|'), std::string::npos);
  EXPECT_EQ(explain("/nonexistent/file:1:1: wrong", Level::error, {}, true).find('|'), std::string::npos);
}

TEST(ReadNotice, TakesThePlaceApart) {
  const auto notice = read_notice("dir/w:x.yaml:12:3: what: why", Level::error);
  EXPECT_EQ(notice.origin.file, "dir/w:x.yaml");
  EXPECT_EQ(notice.origin.line, 12);
  EXPECT_EQ(notice.origin.column, 3);
  EXPECT_EQ(notice.text, "what: why");
  EXPECT_EQ(read_notice("no place here: 12", Level::error).text, "no place here: 12");
}

TEST(ExitCode, TellsInputFromMachine) {
  EXPECT_EQ(exit_code_of({ErrorKind::invalid, ""}), 2);
  EXPECT_EQ(exit_code_of({ErrorKind::not_found, ""}), 2);
  EXPECT_EQ(exit_code_of({ErrorKind::unsupported, ""}), 2);
  EXPECT_EQ(exit_code_of({ErrorKind::no_space, ""}), 3);
  EXPECT_EQ(exit_code_of({ErrorKind::corrupt, ""}), 3);
}

}  // namespace
}  // namespace kist::cli
