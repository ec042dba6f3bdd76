#include <gmock/gmock.h>

#include "base/words.hpp"

namespace kist {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Words, AreCutAsAShellCutsThem) {
  EXPECT_THAT(*split_words("  /bin/bash -eo\tpipefail\n"), ElementsAre("/bin/bash", "-eo", "pipefail"));
  EXPECT_THAT(*split_words(R"(a 'b c'"d e"\ f '' "")"), ElementsAre("a", "b cd e f", "", ""));
  EXPECT_THAT(*split_words(R"("\$x \n \" \\" '\')"), ElementsAre(R"($x \n " \)", R"(\)"));
  EXPECT_THAT(*split_words("a\\\nb"), ElementsAre("ab"));
  EXPECT_THAT(*split_words("a \\\n  b"), ElementsAre("a", "b"));
  EXPECT_THAT(*split_words(" \t"), IsEmpty());
}

TEST(Words, MustBeClosed) {
  for (const char* text : {"'a", "\"a", "a\\", "\"a\\"}) EXPECT_FALSE(split_words(text)) << text;
}

TEST(Words, QuotedMeanThemselves) {
  for (const char* text : {"", "a b", "it's", "$x `y` \\ \"", "line\nline"})
    EXPECT_THAT(*split_words(quote_word(text)), ElementsAre(text));
}

}  // namespace
}  // namespace kist
