// Volumes: what the containers of a task share, what outlives it, and what never reaches a disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "task/performing.hpp"

namespace kist::task::test {
namespace {

namespace fs = std::filesystem;
using model::State;
using model::Volume;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Volumes : public Performing {
 protected:
  Volume& volume(std::string name, Volume::Kind kind) {
    Volume& made = document_.task.volumes.emplace_back();
    made.name = std::move(name);
    made.kind = kind;
    return made;
  }
  model::VolumeMount& mount(std::string name, std::string path, std::size_t container = 0) {
    model::VolumeMount& made = document_.task.containers.at(container).mounts.emplace_back();
    made.volume = model::Text::literal(std::move(name));
    made.path = text(std::move(path));
    return made;
  }
  static model::SecretReference secret(std::string name, std::string key, bool optional) {
    return {text(std::move(name)), text(std::move(key)), optional};
  }
  void container(std::string name) { document_.task.containers.emplace_back().name = std::move(name); }
  static model::Action in(std::string container, model::Action made) {
    made.container = std::move(container);
    return made;
  }
};

TEST_F(Volumes, ContainersShareNothingElse) {
  container("init");
  volume("work", Volume::Kind::empty);
  mount("work", "/data");
  mount("work", "/mnt/theirs", 1);
  add(in("init", shell("echo shared > /mnt/theirs/file; echo mine > /tmp/file; mkdir /mnt/theirs/sub")),
      shell("cat /data/file; cat /tmp/file 2>/dev/null || echo nothing; echo more > /data/sub/more"),
      save("work", "/data"), save("sub", "/data/sub"));
  Outcome outcome = perform();
  EXPECT_THAT(outcome.problems, IsEmpty());
  EXPECT_EQ(heard_.output(), "shared\nnothing\n");
  ASSERT_THAT(names(outcome.artifacts), ElementsAre("work", "sub"));
  EXPECT_EQ(listing(outcome.artifacts[0]), ". 777 /\nfile 644 shared\nsub 755 /\nsub/more 644 more\n");
  next_task();
  volume("work", Volume::Kind::empty);
  add(shell("ls -A /data"));
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_THAT(heard_.output(), IsEmpty());  // it went with its task
}

TEST_F(Volumes, ClaimsStayAndVolumesOfARunLastAsLongAsIt) {
  volume("data", Volume::Kind::claim).claim = text("my-claim");
  volume("scratch", Volume::Kind::run);
  mount("data", "/data");
  mount("scratch", "/scratch");
  add(shell("echo kept > /data/file; echo of the run > /scratch/file"));
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_EQ(read(claimed_volumes(home()) / "my-claim/file"), "kept\n");
  EXPECT_EQ(read(run_volumes(home(), document_.run) / "scratch/file"), "of the run\n");

  document_.task.actions.clear();
  document_.task.containers[0].mounts[0].read_only = true;
  document_.task.containers[0].mounts[1].sub_path = text("deep/er");
  add(shell("cat /data/file; touch /data/new 2>/dev/null || echo read-only; touch /scratch/there"));
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_THAT(heard_.output(), HasSubstr("kept\nread-only\n"));
  EXPECT_TRUE(fs::exists(run_volumes(home(), document_.run) / "scratch/deep/er/there"));
}

TEST_F(Volumes, NoPathLeadsOutOfAVolume) {
  volume("data", Volume::Kind::claim).claim = text("my-claim");
  mount("data", "/data").sub_path = text("../../store");
  add(shell("ls /data"));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::error);
  EXPECT_THAT(outcome.problems.at(0), HasSubstr("../../store"));

  fs::create_directories(claimed_volumes(home()) / "my-claim");
  fs::create_directory_symlink(home(), claimed_volumes(home()) / "my-claim/link");
  document_.task.containers[0].mounts[0].sub_path = text("link/store");
  outcome = perform();
  EXPECT_EQ(outcome.state, State::error);

  next_task();
  document_.task.containers[0].mounts[0].sub_path.reset();
  volume("data", Volume::Kind::claim).claim = text("..");
  add(shell("ls /data"));
  EXPECT_EQ(perform().state, State::error);
}

TEST_F(Volumes, TheDeeperMountWins) {
  volume("outer", Volume::Kind::empty);
  volume("inner", Volume::Kind::empty);
  mount("inner", "/data/inner");
  mount("outer", "/data");
  add(shell("echo i > /data/inner/file; echo o > /data/file"), save("outer", "/data"), save("inner", "/data/inner"));
  Outcome outcome = perform();
  ASSERT_EQ(outcome.artifacts.size(), 2u);
  EXPECT_EQ(listing(outcome.artifacts[1]), ". 777 /\nfile 644 i\n");
}

TEST_F(Volumes, AnInputBelowAMountIsInTheVolume) {
  container("init");
  volume("work", Volume::Kind::empty);
  mount("work", "/data");
  mount("work", "/data", 1);
  write(directory_ / "source/a", "A");
  document_.loads[add(load("/data/in/put"))].trees.push_back({.prefix = "", .artifact = stored(directory_ / "source")});
  document_.loads[add(load("/data/text"))].raw = "raw";
  add(in("init", shell("cat /data/in/put/a; echo changed > /data/in/put/a")), shell("cat /data/in/put/a /data/text"));
  Outcome outcome = perform();
  EXPECT_THAT(outcome.problems, IsEmpty());
  EXPECT_EQ(heard_.output(), "init: A\nchanged\nraw");
}

TEST_F(Volumes, AnInputOfTheOwnLayerBesideAVolumeIsPrivate) {
  container("init");
  write(directory_ / "source/a", "A");
  document_.loads[add(load("/in"))].trees.push_back({.prefix = "", .artifact = stored(directory_ / "source")});
  add(in("init", shell("test -e /in && echo seen; true")), shell("cat /in/a; echo new > /in/b"), save("in", "/in"));
  Outcome outcome = perform();
  EXPECT_EQ(heard_.output(), "A");
  EXPECT_EQ(listing(outcome.artifacts.at(0)), ". 755 /\na 644 A\nb 644 new\n");
}

TEST_F(Volumes, FilesAndSecretsAreReadOnlyAndInMemory) {
  heard_.secrets["keys"] = {{"user", "somebody"}, {"password", "hunter-two"}};
  Volume& config = volume("config", Volume::Kind::files);
  config.files = {{.path = "app.conf", .text = text("a=1\n")},
                  {.path = "sub/run.sh", .text = text("#!/bin/sh\necho run\n"), .secret = {}, .mode = 0755}};
  // What is put together of several, by a volume of its own and by one with all of it.
  const Volume::File all{.path = "", .text = {}, .secret = secret("keys", "", false)};
  volume("keys", Volume::Kind::files).files = {all};
  volume("both", Volume::Kind::files).files = {{.path = "user", .text = text("nobody")},
                                               all,
                                               {.path = "login", .text = {}, .secret = secret("keys", "user", false)}};
  mount("config", "/etc/app");
  mount("config", "/opt/one.conf").sub_path = text("app.conf");
  mount("keys", "/keys");
  mount("both", "/both");
  add(
      shell("cat /etc/app/app.conf /opt/one.conf; /etc/app/sub/run.sh; touch /etc/app/new 2>/dev/null || echo closed; "
            "ls /keys; stat -c %a /keys/password; stat -f -c %T /keys; wc -c < /keys/password; cat /keys/password; ls "
            "/both; cmp /both/user /both/login"));
  Outcome outcome = perform();
  EXPECT_THAT(outcome.problems, IsEmpty());
  EXPECT_EQ(heard_.output(), "a=1\na=1\nrun\nclosed\npassword\nuser\n400\ntmpfs\n10\n***login\npassword\nuser\n");
}

TEST_F(Volumes, WhatIsNotThereIsNamed) {
  mount("none", "/x");
  add(shell("true"));
  EXPECT_THAT(perform().problems.at(0), HasSubstr("'none'"));

  next_task();
  document_.task.containers[0].mounts.clear();
  volume("keys", Volume::Kind::files).files = {{.path = "", .text = {}, .secret = secret("unknown", "", false)}};
  mount("keys", "/x");
  add(shell("ls -A /x"));
  EXPECT_THAT(perform().problems.at(0), HasSubstr("unknown"));
  document_.task.volumes[0].files[0].secret->optional = true;
  EXPECT_EQ(perform().state, State::succeeded);

  next_task();
  volume("keys", Volume::Kind::host).path = text("/no/such/path");
  add(shell("true"));
  EXPECT_THAT(perform().problems.at(0), HasSubstr("/no/such/path"));

  next_task();
  volume("keys", Volume::Kind::host).path = text(directory_.path());
  add(shell("echo through > /x/file; ls /x"));
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_EQ(read(directory_ / "file"), "through\n");
  EXPECT_THAT(heard_.output(), HasSubstr("home"));
}

TEST_F(Volumes, APathOfThisMachineIsWhatTheFileSaysOrIsMadeSo) {
  using Host = Volume::Host;
  const auto look = [&](std::string_view path, Host host) {
    next_task();
    document_.task.containers[0].mounts.clear();
    Volume& there = volume("there", Volume::Kind::host);
    there.path = text(directory_ / path);
    there.host = host;
    mount("there", "/x");
    add(shell("test -d /x && echo dir > /x/new || echo text > /x"));
    return perform();
  };
  EXPECT_EQ(look("made/below", Host::directory_or_new).state, State::succeeded);
  EXPECT_EQ(read(directory_ / "made/below/new"), "dir\n");
  EXPECT_EQ(look("made/below", Host::directory).state, State::succeeded);
  EXPECT_EQ(look("made/file", Host::file_or_new).state, State::succeeded);
  EXPECT_EQ(read(directory_ / "made/file"), "text\n");
  EXPECT_EQ(look("made/file", Host::file).state, State::succeeded);
  for (const auto& [path, host, problem] :
       {std::tuple("made/file", Host::directory_or_new, "made/file of this machine is not a directory"),
        std::tuple("made", Host::file_or_new, "made of this machine is not a file"),
        std::tuple("made", Host::socket, "made of this machine is not a socket"),
        std::tuple("none", Host::directory, "none of this machine is to be a directory, and there is nothing"),
        std::tuple("none/file", Host::file_or_new, "none/file")}) {
    Outcome outcome = look(path, host);
    EXPECT_EQ(outcome.state, State::error);
    ASSERT_FALSE(outcome.problems.empty());
    EXPECT_THAT(outcome.problems.at(0), HasSubstr(problem));
  }
}

}  // namespace
}  // namespace kist::task::test
