// Inputs of a task: mounted where nothing is, merged elsewhere, and always private.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "task/performing.hpp"

namespace kist::task::test {
namespace {

namespace fs = std::filesystem;
using model::State;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Loads : public Performing {
 protected:
  void give(std::size_t action, model::ArtifactRecord artifact, std::string prefix = "") {
    document_.loads[action].trees.push_back({.prefix = std::move(prefix), .artifact = std::move(artifact)});
  }
  model::ArtifactRecord file(std::string_view content, int mode = 0644) {
    fs::path path = directory_ / "source-file";
    fs::remove(path);
    write(path, content, mode);
    return stored(path);
  }
  // A directory with these files.
  model::ArtifactRecord tree(std::initializer_list<std::pair<const char*, const char*>> files) {
    fs::path path = directory_ / "source-tree";
    fs::remove_all(path);
    fs::create_directories(path);
    for (const auto& [name, content] : files) write(path / name, content);
    return stored(path);
  }
};

TEST_F(Loads, AFileAndATreeAreThereAndPrivate) {
  model::ArtifactRecord one = file("one", 0640);
  model::ArtifactRecord many = tree({{"a", "A"}, {"sub/b", "B"}});
  give(add(load("/made/for/it/file")), one);
  give(add(load("/tmp/tree")), many);
  add(shell("cat /made/for/it/file; stat -c ' %a' /made/for/it/file; echo x >> /made/for/it/file; touch "
            "/made/for/beside; "
            "cd /tmp/tree; cat a sub/b; rm a; echo c > sub/c; ls -R"),
      save("tree", "/tmp/tree"));
  Outcome outcome = perform();
  EXPECT_THAT(outcome.problems, IsEmpty());
  EXPECT_EQ(heard_.output(), "one 640\nAB.:\nsub\n\n./sub:\nb\nc\n");
  ASSERT_EQ(outcome.artifacts.size(), 1u);
  EXPECT_EQ(listing(outcome.artifacts[0]), ". 755 /\nsub 755 /\nsub/b 644 B\nsub/c 644 c\n");
  EXPECT_EQ(listing(one), ". 640 one\n");
  EXPECT_EQ(listing(many), ". 755 /\na 644 A\nsub 755 /\nsub/b 644 B\n");
}

TEST_F(Loads, OntoWhatIsThereTheyMerge) {
  write(project() / "data/a", "host");
  write(project() / "data/kept", "host");
  give(add(load("data")), tree({{"a", "first"}, {"b", "first"}}));
  std::size_t second = add(load("data"));
  give(second, tree({{"b", "second"}}));
  give(second, tree({{"b", "third"}, {"c", "third"}}));
  add(shell("cd data; for f in *; do echo $f $(cat $f); done"));
  EXPECT_THAT(perform().problems, IsEmpty());
  EXPECT_EQ(heard_.output(), "a first\nb third\nc third\nkept host\n");
  EXPECT_EQ(read(project() / "data/a"), "host");
}

TEST_F(Loads, PrefixesLeadBelowThePathOrAreAbsolute) {
  std::size_t index = add(load("."));
  give(index, tree({{"x", "1"}}), "output");
  give(index, tree({{"y", "2"}}), "/absolute/place");
  give(index, tree({{"z", "3"}}), "output/deeper");
  give(index, file("4"), "output/file");
  add(shell("cat output/x /absolute/place/y output/deeper/z output/file"));
  EXPECT_THAT(perform().problems, IsEmpty());
  EXPECT_EQ(heard_.output(), "1234");
}

TEST_F(Loads, AFreshDirectoryTakesAnInput) {
  write(project() / "output/old", "old");
  document_.task.fresh_directories = {text("output")};
  give(add(load("output")), tree({{"new", "new"}}));
  add(shell("ls output; touch output/more"), save("output", "output"));
  Outcome outcome = perform();
  EXPECT_EQ(heard_.output(), "new\n");
  EXPECT_EQ(listing(outcome.artifacts.at(0)), ". 755 /\nmore 644 \nnew 644 new\n");
}

TEST_F(Loads, AfterAProcessTheyMergeToo) {
  add(shell("mkdir -p /tmp/in; echo mine > /tmp/in/mine; echo mine > /tmp/in/a; ln -s in /tmp/link"));
  give(add(load("/tmp/link")), tree({{"a", "theirs"}}));
  give(add(load("/new/path/file")), file("file"));
  add(shell("cat /tmp/in/a /tmp/in/mine /new/path/file; test -L /tmp/link && echo link"));
  EXPECT_THAT(perform().problems, IsEmpty());
  EXPECT_EQ(heard_.output(), "theirsmine\nfilelink\n");
}

TEST_F(Loads, AFileReplacesAFileOfTheHost) {
  give(add(load("/etc/hostname")), file("another"));
  add(shell("cat /etc/hostname"));
  EXPECT_THAT(perform().problems, IsEmpty());
  EXPECT_EQ(heard_.output(), "another");
}

TEST_F(Loads, ModesAreSetOnTheTopOrEverywhere) {
  model::Action top = load("/tmp/top");
  std::get<model::Load>(top.what).mode = 0700;
  model::Action all = load("/tmp/all");
  std::get<model::Load>(all.what).mode = 0750;
  std::get<model::Load>(all.what).recurse_mode = true;
  model::Action program = load("/bin/program");
  std::get<model::Load>(program.what).mode = 0755;
  give(add(top), tree({{"sub/file", "x"}}));
  give(add(all), tree({{"sub/file", "x"}}));
  give(add(program), file("#!/bin/sh\necho ran\n"));
  add(shell("cd /tmp; stat -c '%n %a' top top/sub top/sub/file all all/sub all/sub/file; program"));
  EXPECT_THAT(perform().problems, IsEmpty());
  EXPECT_EQ(heard_.output(), "top 700\ntop/sub 755\ntop/sub/file 644\nall 750\nall/sub 750\nall/sub/file 750\nran\n");
}

TEST_F(Loads, RawTextIsAFile) {
  model::Action raw = load("/bin/greet");
  std::get<model::Load>(raw.what).mode = 0755;
  document_.loads[add(raw)].raw = "#!/bin/sh\necho hello\n";
  document_.loads[add(load("/tmp/text"))].raw = "text";
  document_.loads[add(load("/tmp/text"))].raw = "later text";
  document_.loads[add(load("/etc/hostname"))].raw = "replaced";
  add(shell("greet; cat /tmp/text /etc/hostname; stat -c ' %a' /tmp/text"));
  EXPECT_THAT(perform().problems, IsEmpty());
  EXPECT_EQ(heard_.output(), "hello\nlater textreplaced 644\n");
}

TEST_F(Loads, AbsentOnesAreSkippedAndUnsuppliedOnesAnError) {
  document_.loads[add(load("/tmp/a"))].absent = true;
  add(shell("test ! -e /tmp/a && echo absent"));
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_EQ(heard_.output(), "absent\n");

  next_task();
  model::Action needed = load("/tmp/needed");
  needed.title = "input 'needed'";
  add(needed, shell("echo never"), shell("echo failed", kOnFailure));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::error);
  EXPECT_THAT(outcome.problems, ElementsAre("input 'needed': nothing was supplied for /tmp/needed"));
  EXPECT_EQ(heard_.output(), "failed\n");
}

TEST_F(Loads, AnInputThatIsNotInTheStoreIsAnErrorAndNothingRuns) {
  model::ArtifactRecord artifact = tree({{"a", "a"}});
  artifact.tree.value[0] ^= std::byte{1};
  give(add(load("/tmp/in")), artifact);
  add(shell("echo never"));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::error);
  EXPECT_THAT(outcome.problems, testing::SizeIs(1));
  EXPECT_THAT(heard_.output(), IsEmpty());
}

class CheckOut : public Loads {
 protected:
  CheckOut() {
    write(project() / "main.c", "int main;");
    write(project() / "sub/run", "#!/bin/sh\necho ran\n", 0755);
    fs::create_directories(project());
    fs::create_symlink("main.c", project() / "link");
  }
  std::size_t check_out(std::string path) {
    std::size_t index = add(load(std::move(path)));
    document_.loads[index].project = true;
    return index;
  }
  static constexpr const char* kLook = "cat main.c; sub/run; readlink link; ls -A; echo changed > main.c";
  static constexpr const char* kSeen = "int main;ran\nmain.c\nlink\nmain.c\nsub\n";
};

TEST_F(CheckOut, IntoAFreshWorkingDirectory) {
  document_.task.containers[0].working_directory = text("~/work");
  document_.task.fresh_directories = {text("~/work")};
  check_out(".");
  add(shell(kLook));
  EXPECT_THAT(perform().problems, IsEmpty());
  EXPECT_EQ(heard_.output(), kSeen);
  EXPECT_EQ(read(project() / "main.c"), "int main;");
}

TEST_F(CheckOut, AfterAProcessItIsACopy) {
  document_.task.containers[0].working_directory = text("/kist-work");
  add(shell("echo begin"));
  check_out("/kist-work");
  add(shell(kLook));
  EXPECT_THAT(perform().problems, IsEmpty());
  EXPECT_EQ(heard_.output(), std::string("begin\n") + kSeen);
  EXPECT_EQ(read(project() / "main.c"), "int main;");
}

TEST_F(CheckOut, IntoAProjectThatHoldsTheHome) {
  for (bool early : {true, false}) {
    next_task();
    store_.reset();
    fs::create_directories(project() / ".kist/scratch");
    store_ = *store::Store::open(project() / ".kist/store");
    if (!early) add(shell("true"));
    check_out("/kist-work");
    add(shell("ls -A /kist-work; test -e .kist/store || echo hidden; ls -A /kist-work/.kist"));
    Rooms rooms(*launcher(), project() / ".kist/scratch");
    Tools inside{rooms, *store_, project() / ".kist"};
    Outcome outcome = task::perform(document_, inside, heard_, stop_);
    EXPECT_THAT(heard_.output(), HasSubstr("link\nmain.c\nsub\nhidden\n"));
    EXPECT_THAT(heard_.output(), testing::Not(HasSubstr("store\n")));
  }
}

TEST_F(CheckOut, IntoWhatHoldsSomethingElseFails) {
  add(shell("mkdir /kist-work; touch /kist-work/something"));
  check_out("/kist-work");
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::error);
  EXPECT_THAT(outcome.problems.at(0), HasSubstr("/kist-work"));
  EXPECT_THAT(outcome.problems.at(0), HasSubstr("something"));

  next_task();
  add(shell("mkdir -p /kist-work/.git; echo old > /kist-work/main.c"));
  check_out("/kist-work");
  add(shell("cat /kist-work/main.c"));
  EXPECT_THAT(perform().problems, IsEmpty());
  EXPECT_EQ(heard_.output(), "int main;");
}

TEST_F(CheckOut, IntoTheProjectItselfItIsThere) {
  check_out(project().string());
  add(shell(kLook));
  EXPECT_THAT(perform().problems, IsEmpty());
  EXPECT_EQ(heard_.output(), kSeen);
}

}  // namespace
}  // namespace kist::task::test
