#include <gtest/gtest.h>

#include "base/terminal.hpp"
#include "base/utf8.hpp"

namespace kist {
namespace {

TEST(Terminal, SizesReadLikeDstack) {
  EXPECT_EQ(human_size(0), "0.0B");
  EXPECT_EQ(human_size(2), "2.0B");
  EXPECT_EQ(human_size(1023), "1023.0B");
  EXPECT_EQ(human_size(10'035), "9.8KiB");
  EXPECT_EQ(human_size(1024 * 1024 - 1), "1024.0KiB");
  EXPECT_EQ(human_size(7'864'320), "7.5MiB");
  EXPECT_EQ(human_size(UINT64_MAX), "16.0EiB");
}

TEST(Terminal, TablesAreAsWideAsTheirCells) {
  Table table({"RUN", "STATUS", "ARTIFACTS"});
  table.add({"grumpy-zebra-1", {"Done", Color::green}, "a\nb\x1b[2J"});
  table.add({"é-日本", ""});
  EXPECT_EQ(table.to_text(),
            "RUN             STATUS  ARTIFACTS\n"
            "grumpy-zebra-1  Done    a\n"
            "                        b\\x1b[2J\n"
            "é-日本\n");
  EXPECT_EQ(Table({"A", "B"}).to_text(), "A  B\n");
  Table wide({"X", "Y"});
  wide.add({"日本", "y"});
  wide.add({"abcd", {"z", Color::red}});
  EXPECT_EQ(wide.to_text(true), "X     Y\n日本  y\nabcd  \x1b[31mz\x1b[0m\n");
}

TEST(Terminal, PrintableTextCannotSpeakToTheTerminal) {
  EXPECT_EQ(printable("é\x1b]0;x\x07\xff\xc2\x9b"
                      "1m\n"),
            "é\\x1b]0;x\\x07\\xff\\xc2\\x9b1m\\x0a");
}

}  // namespace
}  // namespace kist
