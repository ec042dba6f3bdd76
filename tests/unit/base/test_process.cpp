#include <chrono>
#include <csignal>
#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/process.hpp"

namespace kist {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

ProcessRequest shell(std::string script) {
  ProcessRequest request;
  request.arguments = {"sh", "-c", std::move(script)};
  return request;
}

bool is_running(pid_t process) {
  return ::kill(process, 0) == 0;
}

TEST(Process, GivesBackBothStreamsAndTheExitCode) {
  ProcessRequest request = shell("echo out; echo err >&2; pwd; echo \"$GREETING$HOME\"; exit 7");
  request.directory = "/";
  request.environment = {"GREETING=hello", "PATH=/usr/bin:/bin"};
  auto result = run_process(request);
  ASSERT_TRUE(result) << result.error().text;
  EXPECT_EQ(result->exit_code, 7);
  EXPECT_EQ(result->output, "out\n/\nhello\n");
  EXPECT_EQ(result->error_output, "err\n");
  EXPECT_EQ(run_process(shell("kill -TERM $$"))->exit_code, 128 + SIGTERM);
}

TEST(Process, ArgumentsPassUntouched) {
  ProcessRequest request;
  request.arguments = {"printf", "%s|", "a b", "$HOME", "*", ""};
  EXPECT_EQ(run_process(request)->output, "a b|$HOME|*||");
}

TEST(Process, LargeInputAndOutputDoNotBlockEachOther) {
  ProcessRequest request;
  request.arguments = {"cat"};
  request.input = std::string(5'000'000, 'x');
  EXPECT_EQ(run_process(request)->output, request.input);
  // Nor does a program that does not read its input.
  request.arguments = {"true"};
  EXPECT_EQ(run_process(request)->exit_code, 0);
}

TEST(Process, SaysWhyItCannotStart) {
  ProcessRequest request;
  request.arguments = {"no-such-program-here"};
  EXPECT_EQ(run_process(request).error().kind, ErrorKind::not_found);
  EXPECT_THAT(run_process(request).error().text, StartsWith("cannot start no-such-program-here: "));
  request.arguments = {"/etc/passwd"};
  EXPECT_EQ(run_process(request).error().kind, ErrorKind::denied);
  request.arguments = {"true"};
  request.directory = "/no/such/place";
  EXPECT_THAT(run_process(request).error().text, HasSubstr("/no/such/place: no such directory"));
}

TEST(Process, ATimeoutKillsTheWholeSession) {
  ProcessRequest request = shell("sleep 1000 & echo $! ; echo working >&2; wait");
  auto scratch = ScratchDirectory::make(std::filesystem::temp_directory_path(), "kist-test-").value();
  request.arguments[2] = fmt::format(
      "sleep 1000 & echo $! > {0}/pid.new; mv {0}/pid.new {0}/pid; echo working >&2; wait", scratch.path().string());
  request.timeout = 300ms;
  auto result = run_process(request);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(result.error().text, "sh: it did not end within 0.3 seconds, and was killed; its last words: working");
  pid_t background = 0;
  std::ifstream(scratch.path() / "pid") >> background;
  ASSERT_GT(background, 0);
  // A killed process stays until its new parent has waited for it.
  auto state = [&] { return read_file(fmt::format("/proc/{}/stat", background)).value_or("").substr(0, 40); };
  for (auto end = std::chrono::steady_clock::now() + 5s;
       is_running(background) && std::chrono::steady_clock::now() < end;)
    if (state().contains(") Z")) break;
  EXPECT_TRUE(!is_running(background) || state().contains(") Z"));
}

TEST(Process, DoesNotWaitForWhatStaysInTheBackground) {
  ProcessRequest request = shell("sleep 30 & echo $!");
  request.timeout = 20s;
  auto result = run_process(request);
  ASSERT_TRUE(result) << result.error().text;
  EXPECT_TRUE(is_running(std::stoi(result->output)));
  ::kill(std::stoi(result->output), SIGKILL);
}

TEST(Process, TooMuchOutputIsAnError) {
  ProcessRequest request;
  request.arguments = {"yes"};
  request.output_limit = 1'000'000;
  auto result = run_process(request);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::invalid);
}

TEST(Process, OnTheTerminalItsOutputIsDescriptorThree) {
  ProcessRequest request = shell("echo heard >&3; ps -o sid= -p $$ >&3; exit 4");
  request.on_terminal = true;
  auto result = run_process(request);
  ASSERT_TRUE(result) << result.error().text;
  EXPECT_EQ(result->exit_code, 4);
  EXPECT_TRUE(result->output.starts_with("heard\n"));
  EXPECT_EQ(std::stoi(result->output.substr(6)), ::getsid(0));
}

TEST(Process, LastLine) {
  EXPECT_EQ(last_line("a\nfatal: b \r\n\n"), "fatal: b");
  EXPECT_EQ(last_line("\n"), "");
}

}  // namespace
}  // namespace kist
