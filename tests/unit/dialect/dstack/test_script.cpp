#include <gmock/gmock.h>

#include "base/process.hpp"
#include "dialect/dstack/lowered.hpp"
#include "dialect/dstack/script.hpp"

namespace kist::dialect::dstack {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string exported(std::string name, std::string value) {
  return source(export_statement({.name = std::move(name), .value = Parts{{std::move(value)}}}));
}

TEST(DstackScript, ValuesExpandInTheShellAndKeepTheirBlanks) {
  EXPECT_EQ(exported("PATH", "/x:$PATH"), R"(export PATH="/x:$PATH")");
  EXPECT_EQ(exported("A", "hello there"), R"(export A="hello there")");
  EXPECT_EQ(exported("A", "a;b & c"), R"(export A="a;b & c")");
  EXPECT_EQ(exported("A", "$(date +%F)"), R"x(export A="$(date +%F)")x");
  EXPECT_EQ(exported("A", "~/models"), R"(export A=~/"models")");
  EXPECT_EQ(exported("A", "~"), "export A=~");
  EXPECT_EQ(exported("A", ""), R"(export A="")");
}

TEST(DstackScript, AValueThatIsOneQuotedWordIsOneInTheShell) {
  EXPECT_EQ(exported("A", R"("a b"$HOME'c d')"), R"(export A="a b"$HOME'c d')");
  EXPECT_EQ(exported("A", R"(a\ b)"), R"(export A=a\ b)");
}

TEST(DstackScript, QuotesThatHoldNoWordTogetherAreText) {
  EXPECT_EQ(exported("A", R"({"a": 1})"), R"(export A="{\"a\": 1}")");
  EXPECT_EQ(exported("A", R"(it's here)"), R"(export A="it's here")");
  EXPECT_EQ(exported("A", R"(C:\dir x)"), R"(export A="C:\\dir x")");
  EXPECT_EQ(exported("A", R"(5 \$ \")"), R"(export A="5 \$ \"")");
}

TEST(DstackScript, ANameAloneIsTheCallersValueOrNothing) {
  EXPECT_EQ(source(export_statement({.name = "TOKEN", .value = std::nullopt})), R"(export TOKEN="${TOKEN-}")");
}

TEST(DstackScript, CommandsStandOnLinesOfTheirOwn) {
  std::vector<Parts> commands{
      {{"sleep 100 &"}}, {{"# nothing"}}, {{"cat <<EOF\nx\nEOF\n"}}, {{"\n"}}, {{"echo # last"}}};
  EXPECT_EQ(source(*join_commands({}, commands)),
            "{\nsleep 100 &\n} && {\ncat <<EOF\nx\nEOF\n\n} && {\necho # last\n}");
  EXPECT_FALSE(join_commands({}, {{{"# nothing\n\n  # more"}}}));
}

TEST(DstackScript, TheStringFormStopsAtItsFirstFailingLine) {
  auto lowered = dstack::lowered(
      request_for(workflow_with("    commands: |\n      for i in 1 2\n      do echo $i\n      done\n      false\n")));
  EXPECT_EQ(script_of(task_of(lowered)), "set -e\nfor i in 1 2\ndo echo $i\ndone\nfalse\n");
  EXPECT_THAT(refused(request_for(workflow_with("    commands: \"# no\"\n"))).text, HasSubstr("has no `commands`"));
}

// What bash and sh really do with it.
TEST(DstackScript, MeansInAShellWhatItSays) {
  auto lowered = dstack::lowered(request_for(workflow_with(R"x(    env:
      - GREETING=hello there
      - BOTH=$GREETING & "$(echo more)"
      - QUOTED='single $GREETING'
      - ALONE
      - NOTHING
    commands:
      - sleep 0.01 &
      - cd / # and stay there
      - |
        cat <<EOF
        $GREETING|$BOTH|$QUOTED|$ALONE|$NOTHING|$PWD
        EOF
      - |
        false
        exit 3
      - echo never
)x")));
  for (const char* shell : {"bash", "sh"}) {
    auto ended = run_process({.arguments = {shell, "-c", script_of(task_of(lowered))},
                              .environment = std::vector<std::string>{"PATH=/usr/bin:/bin", "ALONE=caller's"},
                              .directory = {},
                              .input = {},
                              .timeout = {}});
    ASSERT_TRUE(ended) << ended.error().text;
    EXPECT_EQ(ended->output, "hello there|hello there & \"more\"|single $GREETING|caller's||/\n") << shell;
    EXPECT_EQ(ended->exit_code, 3) << shell << ended->error_output;
  }
}

struct Example {
  const char* written;
  const char* source;
  int late;
};

TEST(DstackInterpolation, KnowsTwoNamesAndLeavesTheShellItsOwn) {
  for (const Example& example : {
           Example{"${{ run.args }}", "a \"b c\" $x", 0},
           Example{"x ${{run.args}} y", "x a \"b c\" $x y", 0},
           Example{"${{ run.name }}${{run.name}}", "${{ run.name }}${{run.name}}", 2},
           Example{"[${{ run.foo }}]", "[]", 0},
           Example{"[${{ other.thing }}]", "[]", 0},
           Example{"$${{ run.name }}", "${{ run.name }}", 0},
           Example{"$${{ run.name }} ${{ run.args }}", "${{ run.name }} a \"b c\" $x", 0},
           Example{"pid $$", "pid $$", 0},
           Example{"x $HOME $$ ${HOME} {{ x }} $", "x $HOME $$ ${HOME} {{ x }} $", 0},
       }) {
    model::Notices notices;
    Parts parts = interpolate(example.written, join_arguments({"a", "b c", "$x"}), {}, notices);
    EXPECT_FALSE(notices.has_errors()) << example.written;
    EXPECT_EQ(source(parts), example.source);
    EXPECT_EQ(expression::references(model::Text::of(parts)).size(), static_cast<std::size_t>(example.late))
        << example.written;
  }
}

TEST(DstackInterpolation, MistakesAreNamed) {
  auto error_of = [](const char* written) {
    model::Notices notices;
    interpolate(written, "", {"f", 1, 2}, notices);
    return notices.has_errors() ? notices.error().text : "none";
  };
  EXPECT_THAT(error_of("${{ a }}"), HasSubstr("f:1:2: illegal reference name 'a'"));
  EXPECT_THAT(error_of("${{ a.b.c }}"), HasSubstr("illegal reference name 'a.b.c'"));
  EXPECT_THAT(error_of("${{ a-b.c }}"), HasSubstr("illegal reference name"));
  EXPECT_THAT(error_of("${{ run.name"), HasSubstr("no '}}' closes '${{ run.name'"));
  EXPECT_THAT(error_of("${{ secrets.X }}"), HasSubstr("not supported yet: secrets ('${{ secrets.X }}')"));
}

TEST(DstackInterpolation, ArgumentsAreJoinedAsTheyWere) {
  EXPECT_EQ(join_arguments({"--n", "3", "two words", "say \"hi\" now", "*.txt", "q\"q"}),
            R"(--n 3 "two words" "say \"hi\" now" *.txt q"q)");
}

}  // namespace
}  // namespace kist::dialect::dstack
