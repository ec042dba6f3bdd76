// Several containers of a task: what runs in the background, as a daemon, and side by side.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/file.hpp"
#include "task/performing.hpp"

namespace kist::task::test {
namespace {

namespace fs = std::filesystem;
using model::State;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class SideBySide : public Performing {
 protected:
  void SetUp() override {
    Performing::SetUp();
    model::Volume& shared = document_.task.volumes.emplace_back();
    shared.name = "shared";
    share(0);
  }
  void share(std::size_t container) {
    document_.task.containers[container].mounts.push_back(
        {.volume = text("shared"), .path = text("/shared"), .sub_path = {}, .read_only = false});
  }
  void container(std::string name) {
    document_.task.containers.emplace_back().name = std::move(name);
    share(document_.task.containers.size() - 1);
  }
  // A Run in a container of its own that waits for others.
  model::Action& member(std::string name, std::vector<std::string> after, std::string command) {
    container(name);
    model::Action made = shell(std::move(command));
    made.title = made.container = std::move(name);
    made.after = std::move(after);
    add(std::move(made));
    return document_.task.actions.back();
  }
  static model::Run& run_of(model::Action& action) { return std::get<model::Run>(action.what); }
  static std::vector<std::string> states(const Outcome& outcome) {
    std::vector<std::string> all;
    for (const RunEnd& run : outcome.runs) all.push_back(run.title + " " + std::string(to_string(run.state)));
    return all;
  }
};

TEST_F(SideBySide, ASidecarIsReadyBeforeTheMainProcessAndEndsWithIt) {
  container("side");
  model::Action side = shell(
      "trap 'echo bye; echo ended > /shared/ended; exit 1' TERM; sleep 0.3; touch /shared/ready; echo up; "
      "while :; do sleep 0.02; done");
  side.container = "side";
  run_of(side).background = true;
  run_of(side).ready.emplace();
  run_of(side).ready->command = {text("test"), text("-e"), text("/shared/ready")};
  run_of(side).ready->period = seconds(1);
  model::Action main = shell("test -e /shared/ready && echo it is ready; echo done");
  run_of(main).is_main = true;
  add(side, main, save("ended", "/shared/ended"));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::succeeded);
  EXPECT_THAT(outcome.problems, IsEmpty());
  EXPECT_EQ(heard_.output(), "side: up\nit is ready\ndone\nside: bye\n");
  EXPECT_EQ(listing(outcome.artifacts.at(0)), ". 644 ended\n");
}

TEST_F(SideBySide, WhatWillNotBeReadyFailsTheTask) {
  container("side");
  model::Action side = shell("while :; do sleep 0.02; done");
  side.container = "side";
  run_of(side).background = true;
  run_of(side).ready.emplace();
  run_of(side).ready->command = {text("false")};
  run_of(side).ready->failures = 1;
  add(side, shell("echo never"));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::failed);
  EXPECT_THAT(outcome.problems, ElementsAre(HasSubstr("container 'side' did not become ready")));
  EXPECT_THAT(heard_.output(), IsEmpty());
}

TEST_F(SideBySide, ASidecarThatFailsByItselfFailsTheTaskWhenItsWorkIsDone) {
  container("side");
  const auto run_beside = [&](const std::string& script, const std::string& main_script) {
    next_task();
    model::Action side = shell(script);
    side.container = "side";
    run_of(side).background = run_of(side).end_counts = true;
    model::Action main = shell(main_script);
    run_of(main).is_main = true;
    model::Volume shared;
    shared.name = "shared";
    document_.task.volumes = {shared};
    add(side, main, save("kept", "/tmp/kept"));
    return perform();
  };
  const std::string wait = "while ! test -e /shared/gone; do sleep 0.02; done; sleep 0.2; echo kept > /tmp/kept";
  Outcome outcome = run_beside("touch /shared/gone; exit 3", wait);
  EXPECT_EQ(outcome.state, State::failed);
  EXPECT_EQ(outcome.exit_code, 0);
  ASSERT_TRUE(outcome.process);
  EXPECT_EQ(outcome.process->container, "side");
  EXPECT_EQ(outcome.process->exit_code, 3);
  EXPECT_EQ(outcome.artifacts.size(), 1u);
  // What the main process says comes first.
  outcome = run_beside("touch /shared/gone; exit 3", wait + "; exit 4");
  EXPECT_EQ(outcome.process->container, "main");
  for (const char* end : {"exit 0", "exit 143", "kill -KILL $$"})
    EXPECT_EQ(run_beside(std::string("touch /shared/gone; ") + end, wait).state, State::succeeded) << end;
}

TEST_F(SideBySide, AnExitCodeMayBeAnErrorOfWhatStartsIt) {
  model::Action of_set = shell("exit 64");
  run_of(of_set).error_code = 64;
  add(of_set);
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::failed);
  EXPECT_EQ(outcome.runs.at(0).state, State::error);
  next_task();
  document_.task.containers[0].mounts.clear();
  run_of(of_set).command = {text("no-such-program")};
  add(of_set);
  outcome = perform();
  EXPECT_EQ(outcome.runs.at(0).state, State::error);
  EXPECT_EQ(outcome.runs.at(0).exit_code, 64);
}

TEST_F(SideBySide, ADaemonIsDoneWhenItIsStopped) {
  document_.task.daemon = true;
  model::Action daemon = shell("trap 'echo ending; exit 3' TERM; touch /tmp/up; while :; do sleep 0.02; done");
  run_of(daemon).is_main = true;
  run_of(daemon).ready.emplace();
  run_of(daemon).ready->command = {text("test"), text("-e"), text("/tmp/up")};
  run_of(daemon).ready->period = seconds(1);
  add(daemon);
  Outcome outcome = perform_while([&] {
    EXPECT_TRUE(heard_.wait_for([](const Heard& heard) { return heard.ready_at() == "127.0.0.1"; }));
    stop_.set(Stop::graceful);
  });
  EXPECT_EQ(outcome.state, State::succeeded);
  EXPECT_EQ(heard_.output(), "ending\n");
}

TEST_F(SideBySide, ADaemonThatEndsByItselfHasFailed) {
  document_.task.daemon = true;
  model::Action daemon = shell("exit 0");
  run_of(daemon).is_main = true;
  add(daemon);
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::failed);
  EXPECT_THAT(outcome.problems, ElementsAre("the daemon ended by itself (exit code 0)"));
}

TEST_F(SideBySide, APortThatIsOpenIsReady) {
  FileDescriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  model::Action side = shell("while :; do sleep 0.02; done");
  run_of(side).background = true;
  run_of(side).ready.emplace();
  run_of(side).ready->port = ntohs(address.sin_port);
  run_of(side).ready->failures = 1;
  add(side, shell("echo ready"));
  EXPECT_EQ(perform().state, State::failed);  // nobody listens yet
  ASSERT_EQ(::listen(listener.get(), 4), 0);
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_EQ(heard_.output(), "ready\n");
}

TEST_F(SideBySide, ContainersRunAsTheyWaitForEachOther) {
  member("b", {"a"}, "cat /shared/a; echo b > /shared/b");
  member("a", {}, "while ! test -e /shared/c; do sleep 0.02; done; echo a > /shared/a");
  member("c", {}, "touch /shared/c; while ! test -e /shared/a; do sleep 0.02; done");
  model::Action& main = member("d", {"b", "c"}, "cat /shared/b; echo result");
  run_of(main).is_main = true;
  add(save("shared", "/shared"));
  document_.task.capture_result = true;
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::succeeded);
  EXPECT_EQ(heard_.output(), "b: a\nb\nresult\n");
  EXPECT_EQ(outcome.result, "b\nresult");
  EXPECT_THAT(states(outcome), ElementsAre("b succeeded", "a succeeded", "c succeeded", "d succeeded"));
  EXPECT_THAT(names(outcome.artifacts), ElementsAre("shared"));
}

TEST_F(SideBySide, WhatWaitsForAFailureIsNotStarted) {
  member("a", {}, "exit 3");
  member("b", {"a"}, "echo never");
  member("c", {}, "sleep 0.3; echo goes on");
  member("d", {"c"}, "echo after it");
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::failed);
  EXPECT_EQ(heard_.output(), "c: goes on\nd: after it\n");
  EXPECT_THAT(states(outcome), ElementsAre("a failed", "b omitted", "c succeeded", "d succeeded"));
  EXPECT_EQ(outcome.runs[0].exit_code, 3);
  EXPECT_EQ(outcome.runs[0].message, "Error (exit code 3)");
  ASSERT_TRUE(outcome.process);
  EXPECT_EQ(outcome.process->container, "a");
}

TEST_F(SideBySide, AContainerIsTriedAgain) {
  model::Action& again = member("a", {}, "echo x >> /shared/tries; test $(wc -l < /shared/tries) -ge 3");
  run_of(again).tries = text("3");
  run_of(again).retry_delay = text("10ms");
  member("b", {"a"}, "cat /shared/tries");
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_EQ(heard_.output(), "b: x\nb: x\nb: x\n");
  next_task();
}

TEST_F(SideBySide, ADeadlineEndsAProcess) {
  model::Action slow = shell("trap 'echo asked; exit 0' TERM; echo begin; while :; do sleep 0.02; done");
  run_of(slow).deadline = text("300ms");
  add(slow, shell("echo after", kOnFailure));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::failed);
  ASSERT_TRUE(outcome.process);
  EXPECT_TRUE(outcome.process->overdue);
  EXPECT_EQ(heard_.output(), "begin\nasked\nafter\n");
}

TEST_F(SideBySide, NothingOfAContainerOutlivesItsProcess) {
  container("init");
  model::Action init = shell("(while :; do echo x >> /shared/beat; sleep 0.02; done) > /dev/null 2>&1 & sleep 0.1");
  init.container = "init";
  add(init, shell("a=$(wc -l < /shared/beat); sleep 0.3; test $a -eq $(wc -l < /shared/beat) && echo quiet"));
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_EQ(heard_.output(), "quiet\n");
}

TEST_F(SideBySide, ProgressIsReadFromAFile) {
  model::Action main =
      shell("trap 'echo nonsense > $P; sleep 2.2; exit' TERM; echo 1/4 > $P; while :; do sleep 0.05; done");
  run_of(main).environment = {{"P", text("/tmp/progress/file")}};
  run_of(main).progress_file = text("/tmp/progress/file");
  add(main);
  Outcome outcome = perform_while([&] {
    EXPECT_TRUE(heard_.wait_for([](const Heard& heard) { return heard.progress() == "1/4"; }));
    stop_.set(Stop::graceful);
  });
  EXPECT_EQ(outcome.state, State::stopped);
  EXPECT_EQ(heard_.progress(), "1/4");
}

}  // namespace
}  // namespace kist::task::test
