// Processes of a task: what they see, what is heard of them, and how they end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "task/performing.hpp"
#include "task/processes.hpp"

namespace kist::task::test {
namespace {

using model::State;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class Runs : public Performing {
 protected:
  static seconds since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration_cast<seconds>(std::chrono::steady_clock::now() - begin);
  }
};

TEST_F(Runs, BothStreamsAreHeardAndTheOutputIsTheResult) {
  document_.task.capture_result = true;
  add(shell("echo one; echo two >&2; printf 'three\\n\\n'"));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::succeeded);
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(heard_.output(), "one\nthree\n\n");
  EXPECT_EQ(heard_.error(), "two\n");
  EXPECT_EQ(outcome.result, "one\nthree\n");
  EXPECT_THAT(outcome.problems, IsEmpty());
}

TEST_F(Runs, ATerminalIsTheProcesssOwnAndItsLinesEndAsElsewhere) {
  document_.task.capture_result = true;
  model::Action action =
      shell("tty; test -t 1 && test -t 2 && echo both; echo aside >&2; printf 'a\\rb\\n'; : < /dev/tty && echo $TERM");
  std::get<model::Run>(action.what).terminal = true;
  add(action, shell("test -t 0 || test -t 1 || echo none"));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::succeeded);
  EXPECT_EQ(heard_.output(), "/dev/pts/0\nboth\naside\na\rb\nxterm\nnone\n");
  EXPECT_EQ(heard_.error(), "");
}

TEST(LineEnds, AreRestoredWhereverAPieceIsCut) {
  LineEnds ends;
  EXPECT_EQ(ends.restore("a\r\nb\r"), "a\nb");
  EXPECT_EQ(ends.restore("\nc\r"), "\nc");
  EXPECT_EQ(ends.restore("d\r\r\n\r"), "\rd\r\n");
  EXPECT_EQ(ends.rest(), "\r");
}

TEST_F(Runs, AProcessIsHeldUntilSomebodyLetsItGoOn) {
  model::Action held = shell("echo begun; echo there > /tmp/file");
  held.title = "held";
  std::get<model::Run>(held.what).pause =
      model::Pause{.before = text("true"), .after = text("true"), .directory = "/var/run/argo/ctr/main"};
  add(held, save("file", "/tmp/file"));
  // What the log says to do.
  const auto obey = [&](std::string_view when) {
    EXPECT_TRUE(heard_.wait_for([&](const Heard& heard) { return heard.kist().contains(when); }));
    const std::string told = heard_.kist().substr(heard_.kist().find(when));
    const auto begin = told.find("`touch ") + 7;
    write(told.substr(begin, told.find('`', begin) - begin), "");
  };
  Outcome outcome = perform_while([&] {
    EXPECT_TRUE(heard_.wait_for([](const Heard& heard) { return heard.kist().contains("held before it begins"); }));
    EXPECT_EQ(heard_.output(), "");
    obey("held before it begins");
    obey("held after it has ended");
  });
  EXPECT_EQ(outcome.state, State::succeeded);
  EXPECT_EQ(heard_.output(), "begun\n");
  EXPECT_EQ(listing(outcome.artifacts.at(0)), ". 644 there\n");

  // A stop ends the waiting.
  next_task();
  add(held);
  outcome = perform_while([&] {
    EXPECT_TRUE(heard_.wait_for([](const Heard& heard) { return heard.kist().contains("held before it begins"); }));
    stop_.set(Stop::graceful);
  });
  EXPECT_EQ(outcome.state, State::stopped);
  EXPECT_EQ(heard_.output(), "");
}

TEST_F(Runs, AResultIsTheEndOfALongOutput) {
  document_.task.capture_result = true;
  add(shell("seq 200000"));
  Outcome outcome = perform();
  ASSERT_TRUE(outcome.result);
  EXPECT_EQ(outcome.result->size(), kLongestResult - 1);  // without the newline
  EXPECT_TRUE(outcome.result->ends_with("\n199999\n200000"));
  EXPECT_EQ(heard_.output().size(), 1288895u);
}

TEST_F(Runs, AFailureEndsTheTaskButForWhatWantsIt) {
  model::Action failing = shell("exit 7");
  failing.title = "the step";
  add(shell("echo one"), failing, shell("echo two"), shell("echo three; exit 8", kOnFailure),
      shell("echo four", kAlways));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::failed);
  EXPECT_EQ(heard_.output(), "one\nthree\nfour\n");
  ASSERT_TRUE(outcome.process);
  EXPECT_EQ(outcome.process->exit_code, 7);
  EXPECT_EQ(outcome.process->action, "the step");
  EXPECT_EQ(outcome.process->container, "main");
  EXPECT_EQ(outcome.exit_code, 0);
}

TEST_F(Runs, ASignalIsAnExitCodeAbove128) {
  add(shell("kill -KILL $$"));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::failed);
  EXPECT_EQ(outcome.process->exit_code, 137);
  EXPECT_EQ(outcome.process->signal, 9);
}

TEST_F(Runs, WhatCannotBeStartedIsNamed) {
  model::Run run;
  run.command = {text("no-such-program"), text("argument")};
  add(action(run));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::failed);
  EXPECT_EQ(outcome.exit_code, 127);
  ASSERT_EQ(outcome.problems.size(), 1u);
  EXPECT_THAT(outcome.problems[0], StartsWith("container 'main': "));
  EXPECT_THAT(outcome.problems[0], HasSubstr("no-such-program"));

  next_task();
  write(project() / "text", "not a program");
  run.command = {text("./text")};
  add(action(run));
  outcome = perform();
  EXPECT_EQ(outcome.exit_code, 126);
  EXPECT_THAT(outcome.problems[0], HasSubstr("./text"));
}

TEST_F(Runs, TheEnvironmentIsWhatTheFileSaysAndLittleElse) {
  Variable secret("KIST_TEST_SECRET", "do not tell");
  Variable language("LANG", "C.UTF-8");
  auto& container = document_.task.containers[0];
  container.environment = {{"A", text("container")}, {"B", text("container $A")}};
  model::Run run;
  run.command = {text("env")};
  run.environment = {{"A", text("run")}};
  add(action(run));
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_THAT(heard_.output(), HasSubstr("A=run\n"));
  EXPECT_THAT(heard_.output(), HasSubstr("B=container $A\n"));
  EXPECT_THAT(heard_.output(), HasSubstr("HOME="));
  EXPECT_THAT(heard_.output(), HasSubstr("KIST_TASK=/.kist/task.sock\n"));
  EXPECT_THAT(heard_.output(), Not(HasSubstr("LANG=")));
  container.inherit_environment = true;
  perform();
  EXPECT_THAT(heard_.output(), HasSubstr("LANG=C.UTF-8\n"));
  EXPECT_THAT(heard_.output(), Not(HasSubstr("KIST_TEST_SECRET")));
}

TEST_F(Runs, KubernetesVariablesAreExpandedOnlyWhereAsked) {
  document_.task.containers[0].environment = {{"WHO", text("you")}};
  model::Run run;
  run.command = {text("echo"), text("hello $(WHO) $(NOBODY) $$(WHO)")};
  add(action(run));
  run.expand_variables = true;
  add(action(run));
  perform();
  EXPECT_EQ(heard_.output(), "hello $(WHO) $(NOBODY) $$(WHO)\nhello you $(NOBODY) $(WHO)\n");
}

TEST_F(Runs, TheWorkingDirectoryIsTheProjectOrMade) {
  add(shell("pwd"));
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_EQ(heard_.output(), project().string() + "\n");

  next_task();
  document_.task.containers[0].working_directory = text("/made/for/me");
  model::Action below = shell("pwd");
  std::get<model::Run>(below.what).working_directory = text("sub");
  add(shell("pwd; mkdir sub"), below);
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_EQ(heard_.output(), "/made/for/me\n/made/for/me/sub\n");
  EXPECT_FALSE(std::filesystem::exists("/made"));

  next_task();
  std::get<model::Run>(below.what).working_directory = text("nowhere");
  add(below);
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::error);
  EXPECT_THAT(outcome.problems.at(0), HasSubstr("nowhere"));
}

TEST_F(Runs, AScriptIsAFileWhosePathIsGiven) {
  model::Run run;
  run.command = {text("sh")};
  run.script = text("echo \"$0\"; cat \"$0\" | head -c 7; stat -c ' %a' \"$0\"\n");
  run.script_path = "/argo/staging/script";
  add(action(run));
  run.script = text("echo second in $0\n");
  add(action(run));
  run.script_path.clear();
  add(action(run));
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_EQ(heard_.output(),
            "/argo/staging/script\necho \"$ 755\nsecond in /argo/staging/script\nsecond in /.kist/script\n");
}

TEST_F(Runs, AScriptIsNotWrittenOverOneThatIsStillRead) {
  model::Run first;
  first.command = {text("sh")};
  first.script = text("touch /tmp/begun; while ! test -e /tmp/go; do sleep 0.02; done\n" + std::string(20000, '#') +
                      "\necho first; touch /tmp/done\n");
  first.background = true;
  model::Run second = first;
  second.script = text("touch /tmp/go; while ! test -e /tmp/done; do sleep 0.02; done\n");
  second.background = false;
  add(action(first), shell("while ! test -e /tmp/begun; do sleep 0.02; done"), action(second));
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_EQ(heard_.output(), "first\n");
}

TEST_F(Runs, TheImageDecidesWhatStartsWhereTheFileDoesNot) {
  model::Run run;
  run.image_program = true;
  run.command = {text("echo"), text("text"), text("/tmp/said")};
  document_.task.containers[0].image = text("argoproj/argosay:v2");
  add(action(run), shell("cat /tmp/said"));
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_EQ(heard_.output(), "text");
  EXPECT_THAT(heard_.kist(), IsEmpty());

  next_task();
  document_.task.containers[0].image = text("my-image:v1");
  add(action(run));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::error);
  EXPECT_THAT(outcome.problems.at(0), HasSubstr("my-image:v1"));
  EXPECT_EQ(heard_.kist(), "image my-image:v1: no container engine is used yet, running on this machine\n");
  next_task();
  perform();
  EXPECT_THAT(heard_.kist(), IsEmpty());  // once a run
}

TEST_F(Runs, WhatIsLeftRunningIsHeardAndDoesNotHoldTheTaskUp) {
  auto begin = std::chrono::steady_clock::now();
  add(shell("(sleep 0.3; echo late; sleep 1000) & echo early"), shell("sleep 0.6; echo last"));
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_LT(since(begin), seconds(8));
  EXPECT_EQ(heard_.output(), "early\nlate\nlast\n");
}

TEST_F(Runs, AProcessThatClosesItsOutputIsWaitedFor) {
  add(shell("exec >&- 2>&-; sleep 0.4; echo done > /tmp/file"), shell("cat /tmp/file"));
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_EQ(heard_.output(), "done\n");
}

TEST_F(Runs, WhatAFilterStillWritesAfterTheEndIsHeard) {
  model::Run run;
  run.command = {text("bash"), text("-c"), text("exec > >(sleep 0.05; cat); echo through the filter")};
  add(action(run));
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_EQ(heard_.output(), "through the filter\n");
}

TEST_F(Runs, TheBackgroundIsAskedToEndAndMayStillWrite) {
  model::Action background = shell(
      "trap 'echo ending; echo kept > /tmp/file; exit 3' TERM; echo begun; touch /tmp/begun; "
      "while :; do sleep 0.02; done");
  std::get<model::Run>(background.what).background = true;
  add(background, shell("while ! test -e /tmp/begun; do sleep 0.02; done"), save("file", "/tmp/file"));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::succeeded);
  EXPECT_EQ(heard_.output(), "begun\nending\n");
  ASSERT_EQ(outcome.artifacts.size(), 1u);
  EXPECT_EQ(listing(outcome.artifacts[0]), ". 644 kept\n");
}

TEST_F(Runs, SilenceIsTooLongAtLast) {
  model::Action quiet = shell("echo begin; sleep 1000");
  std::get<model::Run>(quiet.what).no_output_timeout = seconds(1);
  add(quiet, shell("echo after", kOnFailure));
  auto begin = std::chrono::steady_clock::now();
  Outcome outcome = perform();
  EXPECT_LT(since(begin), seconds(8));
  EXPECT_EQ(outcome.state, State::failed);
  EXPECT_THAT(outcome.problems, ElementsAre("Too long with no output (exceeded 1s)"));
  EXPECT_EQ(heard_.output(), "begin\nafter\n");

  next_task();
  model::Action talking = shell("for i in 1 2 3 4 5 6; do echo $i; sleep 0.3; done");
  std::get<model::Run>(talking.what).no_output_timeout = seconds(1);
  add(talking);
  EXPECT_EQ(perform().state, State::succeeded);
}

TEST_F(Runs, AStopAsksEveryProcessAndWaitsForWhatTheySave) {
  // The shell dies of SIGTERM at once; what it started still has something to write.
  add(shell("sh -c 'trap \"sleep 0.5; echo checkpoint > /tmp/kept; echo saved; exit\" TERM; echo ready; while :; do "
            "sleep "
            "0.02; done'; true"),
      shell("echo never"), shell("echo cleaning", kAlways), save("kept", "/tmp/kept"));
  auto begin = std::chrono::steady_clock::now();
  Outcome outcome = perform_while([&] {
    EXPECT_TRUE(heard_.wait_for_output("ready"));
    stop_.set(Stop::graceful);
  });
  EXPECT_LT(since(begin), seconds(8));
  EXPECT_EQ(outcome.state, State::stopped);
  EXPECT_EQ(heard_.output(), "ready\nsaved\ncleaning\n");
  EXPECT_THAT(names(outcome.artifacts), ElementsAre("kept"));
}

TEST_F(Runs, AnAbortKillsAndKeepsNothing) {
  add(shell("trap '' TERM; echo x > /tmp/file; echo ready; while :; do sleep 1; done"), save("file", "/tmp/file"));
  auto begin = std::chrono::steady_clock::now();
  Outcome outcome = perform_while([&] {
    EXPECT_TRUE(heard_.wait_for_output("ready"));
    stop_.set(Stop::abort);
  });
  EXPECT_LT(since(begin), seconds(5));
  EXPECT_EQ(outcome.state, State::aborted);
  EXPECT_THAT(outcome.artifacts, IsEmpty());
}

TEST_F(Runs, AnAbortAfterAStopDoesNotWaitForTheGrace) {
  add(shell("trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done"));
  auto begin = std::chrono::steady_clock::now();
  Outcome outcome = perform_while([&] {
    EXPECT_TRUE(heard_.wait_for_output("ready"));
    stop_.set(Stop::graceful);
    EXPECT_TRUE(heard_.wait_for_output("asked"));
    stop_.set(Stop::abort);
  });
  EXPECT_LT(since(begin), kGrace);
  EXPECT_EQ(outcome.state, State::aborted);
}

TEST_F(Runs, ATaskThatWasStoppedBeforeDoesNothing) {
  add(shell("echo never"), save("x", "/tmp/x"));
  stop_.set(Stop::graceful);
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::stopped);
  EXPECT_THAT(heard_.output(), IsEmpty());
  EXPECT_THAT(outcome.problems, IsEmpty());
}

TEST_F(Runs, AStopWhileAProcessIsMadeReadyIsHeeded) {
  for (const bool background : {false, true}) {
    next_task();
    StopSignal stop;
    heard_.secrets["account"] = {{"token", "x"}};
    heard_.on_secret = [&] { stop.set(Stop::graceful); };
    model::Action never = shell("echo never");
    auto& run = std::get<model::Run>(never.what);
    run.environment.push_back({.name = "TOKEN", .value = text(""), .secret = {{text("account"), text("token")}}});
    run.background = background;
    add(never, shell("echo cleaning", kAlways));
    EXPECT_EQ(task::perform(document_, tools(), heard_, stop).state, State::stopped);
    EXPECT_EQ(heard_.output(), "cleaning\n");
  }
}

TEST_F(Runs, TheHomeIsHiddenAndTheProjectIsAPrivateCopy) {
  write(project() / "file", "original");
  add(shell("ls -A " + home().string() + "; cat file; echo changed > file; cat file; echo new > new"));
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_EQ(heard_.output(), "originalchanged\n");
  EXPECT_EQ(read(project() / "file"), "original");
  EXPECT_FALSE(std::filesystem::exists(project() / "new"));
}

TEST_F(Runs, TmpIsTheTasksOwnAndEmpty) {
  write(directory_ / "beside", "of the host");
  add(shell("test ! -e " + (directory_ / "beside").string() + "; echo $?; touch /tmp/mine /mnt/mine /argo/mine /mine"));
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_EQ(heard_.output(), "0\n");
  for (const char* path : {"/tmp/mine", "/mnt/mine", "/argo/mine", "/mine"})
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(Runs, FreshDirectoriesExistAndAreEmpty) {
  write(project() / "output/old", "old");
  document_.task.fresh_directories = {text("output"), text("new/er")};
  add(shell("ls -A output new/er; echo x > output/new; echo y > new/er/file"), save("output", "output"),
      save("new", "new/er"));
  Outcome outcome = perform();
  EXPECT_EQ(heard_.output(), "new/er:\n\noutput:\n");
  ASSERT_EQ(outcome.artifacts.size(), 2u);
  EXPECT_EQ(listing(outcome.artifacts[0]), ". 755 /\nnew 644 x\n");
  EXPECT_EQ(outcome.artifacts[0].path, "output");
  EXPECT_EQ(read(project() / "output/old"), "old");
}

TEST_F(Runs, AVirtualEnvironmentOfTheProjectIsUsed) {
  write(project() / ".venv/bin/python", "#!/bin/sh\necho the project\\'s python: $*\n", 0755);
  Variable active("VIRTUAL_ENV", nullptr);
  document_.task.containers[0].image = text("my-image:v1");
  model::Run run;
  run.command = {text("python"), text("-m"), text("hera.workflows.runner")};
  add(action(run));
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_EQ(heard_.output(), "the project's python: -m hera.workflows.runner\n");
}

TEST_F(Runs, ACoreDumpHasItsNameBeforeTheNextProcess) {
  std::string pattern = read("/proc/sys/kernel/core_pattern");
  if (pattern.contains('/') || pattern.starts_with('|'))
    GTEST_SKIP() << "cores of this machine go elsewhere: " << pattern;
  document_.task.containers[0].working_directory = text("~/work");
  document_.task.fresh_directories = {text("~/work")};
  add(shell("cp /bin/sleep dump; ulimit -c unlimited; ./dump 1000 & sleep 0.1; kill -ABRT $!; wait $!"),
      shell("mkdir -p /tmp/core_dumps; cp core.* /tmp/core_dumps; ls /tmp/core_dumps", kOnFailure),
      save("cores", "/tmp/core_dumps"));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::failed);
  EXPECT_EQ(outcome.process->exit_code, 134);
  EXPECT_THAT(heard_.output(), testing::MatchesRegex("core\\.[0-9]+\\.!.*!work!dump\n"));
  EXPECT_THAT(names(outcome.artifacts), ElementsAre("cores"));
}

}  // namespace
}  // namespace kist::task::test
