// The stand-in programs, run by the system's shell.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/process.hpp"
#include "task/stand_ins.hpp"
#include "task/support.hpp"

namespace kist::task::test {
namespace {

using testing::HasSubstr;

class StandIns : public testing::Test {
 protected:
  ProcessResult run(std::string program, std::vector<std::string> arguments, std::string input = "") {
    write(directory_ / program, stand_in(program), 0755);
    arguments.insert(arguments.begin(), (directory_ / program).string());
    auto result = run_process({.arguments = arguments,
                               .environment = std::nullopt,
                               .directory = directory_.path(),
                               .input = input,
                               .timeout = std::chrono::seconds(20)});
    EXPECT_TRUE(result) << result.error().text;
    return *result;
  }
  TemporaryDirectory directory_;
};

TEST_F(StandIns, CowsaySaysItsArgumentsOrItsInput) {
  EXPECT_THAT(run("cowsay", {"hello", "world"}).output, HasSubstr(" _____________\n< hello world >\n -------------\n"));
  EXPECT_THAT(run("cowsay", {}, "from the input\n").output, HasSubstr("< from the input >"));
  auto wrapped = run("cowsay", {"a text that is so long that it does not fit into one line of a bubble \\n %s"}).output;
  EXPECT_THAT(wrapped, HasSubstr("/ a text that is so long that it does "));
  EXPECT_THAT(wrapped, HasSubstr("\\n %s"));
}

TEST_F(StandIns, ArgosayDoesWhatTheImageDoes) {
  EXPECT_EQ(run("argosay", {}).output, "hello argo\n");
  EXPECT_EQ(run("argosay", {"echo", "-n $HOME"}).output, "-n $HOME\n");
  EXPECT_EQ(run("argosay", {"echo", "text", "a/b/file"}).exit_code, 0);
  EXPECT_EQ(read(directory_ / "a/b/file"), "text");
  EXPECT_EQ(run("argosay", {"cat", "a/b/file"}).output, "text");
  EXPECT_EQ(run("argosay", {"assert_contains", "a/b/file", "ex"}).exit_code, 0);
  EXPECT_EQ(run("argosay", {"assert_contains", "a/b/file", "no"}).exit_code, 1);
  EXPECT_EQ(run("argosay", {"exit", "3"}).exit_code, 3);
  EXPECT_EQ(run("argosay", {"exit"}).exit_code, 0);
  EXPECT_EQ(run("argosay", {"sleep", "20ms"}).exit_code, 0);
  EXPECT_EQ(run("argosay", {"frobnicate"}).exit_code, 1);
}

TEST_F(StandIns, PythonIsPython3) {
  EXPECT_THAT(run("python", {"-c", "import sys; print(sys.version_info[0])"}).output, HasSubstr("3"));
}

}  // namespace
}  // namespace kist::task::test
