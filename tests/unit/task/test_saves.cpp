// What a task leaves behind: nothing that was asked for may be lost without a word.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "task/control.hpp"
#include "task/performing.hpp"

namespace kist::task::test {
namespace {

namespace fs = std::filesystem;
using model::State;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Missing = model::Save::Missing;

class Saving : public Performing {};

TEST_F(Saving, ATreeIsKeptExactlyAndInOrder) {
  add(shell("mkdir -p /tmp/t/empty /tmp/t/sub; cd /tmp/t; echo s > sub/file; chmod 640 sub/file; ln -s sub/file link; "
            "ln -s "
            "nowhere dangling; : > zero; chmod 711 sub; echo f > /tmp/file; chmod 4755 /tmp/file; ln -s /tmp/file "
            "/tmp/to"),
      save("tree", "/tmp/t"), save("file", "/tmp/file"), save("link", "/tmp/to"));
  Outcome outcome = perform();
  EXPECT_THAT(outcome.problems, IsEmpty());
  ASSERT_THAT(names(outcome.artifacts), ElementsAre("tree", "file", "link"));
  EXPECT_EQ(
      listing(outcome.artifacts[0]),
      ". 755 /\ndangling 777 -> nowhere\nempty 755 /\nlink 777 -> sub/file\nsub 711 /\nsub/file 640 s\nzero 644 \n");
  EXPECT_EQ(listing(outcome.artifacts[1]), ". 4755 f\n");
  EXPECT_EQ(outcome.artifacts[2].tree, outcome.artifacts[1].tree);
  EXPECT_EQ(outcome.artifacts[0].bytes, 2u);
  EXPECT_EQ(outcome.artifacts[0].files, 2u);
}

TEST_F(Saving, ChangesInTheProjectAreKeptWithWhatWasThere) {
  write(project() / "data/old", "old");
  write(project() / "data/gone", "gone");
  add(shell("echo new > data/new; rm data/gone"), save("data", "data"));
  Outcome outcome = perform();
  EXPECT_EQ(listing(outcome.artifacts.at(0)), ". 755 /\nnew 644 new\nold 644 old\n");
}

// A large file is adopted, which makes it read-only: every save that names it must still see it as the task left it.
TEST_F(Saving, ALargeFileInSeveralSavesIsTheSameInAll) {
  add(shell("mkdir -p /tmp/out/sub; head -c 3000000 /dev/urandom > /tmp/out/sub/big; chmod 640 /tmp/out/sub/big; "
            "sha256sum < "
            "/tmp/out/sub/big"),
      save("a", "/tmp/out"), save("b", "/tmp/out"), save("sub", "/tmp/out/sub"), save("c", "/tmp/out/"),
      save("file", "/tmp/out/sub/big"));
  Outcome outcome = perform();
  EXPECT_THAT(outcome.problems, IsEmpty());
  ASSERT_THAT(names(outcome.artifacts), ElementsAre("a", "b", "sub", "c", "file"));
  EXPECT_EQ(listing(outcome.artifacts[0]), ". 755 /\nsub 755 /\nsub/big 640 \n");
  EXPECT_EQ(outcome.artifacts[1].tree, outcome.artifacts[0].tree);
  EXPECT_EQ(outcome.artifacts[3].tree, outcome.artifacts[0].tree);
  EXPECT_EQ(listing(outcome.artifacts[2]), ". 755 /\nbig 640 \n");
  EXPECT_EQ(listing(outcome.artifacts[4]), ". 640 \n");
  Sha256 digest;
  ASSERT_TRUE(store_->read({outcome.artifacts[4].tree, outcome.artifacts[4].times}, "",
                           [&](std::span<const std::byte> bytes) -> Status {
                             digest.update(bytes);
                             return {};
                           }));
  EXPECT_EQ(digest.finish().hex() + "  -\n", heard_.output());
}

TEST_F(Saving, OneNameGivenTwiceMerges) {
  add(shell("mkdir /tmp/a /tmp/b; echo 1 > /tmp/a/x; echo 1 > /tmp/a/y; echo 2 > /tmp/b/y"), save("all", "/tmp/a"),
      save("other", "/tmp/a"), save("all", "/tmp/b"));
  Outcome outcome = perform();
  ASSERT_THAT(names(outcome.artifacts), ElementsAre("all", "other"));
  EXPECT_EQ(listing(outcome.artifacts[0]), ". 755 /\nx 644 1\ny 644 2\n");
}

TEST_F(Saving, WhatIsMissingIsNamedWithWhatIsBesideIt) {
  add(shell("mkdir /tmp/a; echo x > /tmp/a/near"), save("wanted", "/tmp/a/wanted"), save("deeper", "/nowhere/at/all"),
      save("near", "/tmp/a/near"));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::error);
  EXPECT_EQ(outcome.exit_code, 0);
  ASSERT_THAT(outcome.problems, SizeIs(2));
  EXPECT_EQ(outcome.problems[0], "artifact 'wanted': there is nothing at /tmp/a/wanted; in /tmp/a there is near");
  EXPECT_THAT(outcome.problems[1],
              AllOf(HasSubstr("'deeper'"), HasSubstr("/nowhere/at/all"), HasSubstr("in / there are")));
  EXPECT_THAT(names(outcome.artifacts), ElementsAre("near"));
}

TEST_F(Saving, AfterAFailureWhatIsMissingIsOnlyAdded) {
  add(shell("echo partial > /tmp/partial; exit 3"), save("partial", "/tmp/partial"), save("wanted", "/tmp/wanted"));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::failed);
  EXPECT_EQ(outcome.process->exit_code, 3);
  EXPECT_THAT(outcome.problems, ElementsAre(HasSubstr("'wanted'")));
  EXPECT_EQ(listing(outcome.artifacts.at(0)), ". 644 partial\n");
}

TEST_F(Saving, WhatMayBeMissingIsIgnoredOrNoticed) {
  add(save("a", "/tmp/a", kAlways, Missing::ignore), save("b", "/tmp/b", kAlways, Missing::notice));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::succeeded);
  EXPECT_THAT(outcome.artifacts, IsEmpty());
  EXPECT_EQ(heard_.kist(), "No artifact files found at /tmp/b\n");
}

TEST_F(Saving, InTheMiddleOfATaskItIsDurableAtOnce) {
  add(shell("mkdir /tmp/t; echo 1 > /tmp/t/file"), save("early", "/tmp/t"),
      shell("echo running; while ! test -e /tmp/go; do sleep 0.02; done"), save("late", "/tmp/t"));
  model::Action background = shell("sleep 1000");
  document_.task.actions[2] = shell("echo 2 > /tmp/t/file; echo running; sleep 1000");
  Outcome outcome = perform_while([&] {
    EXPECT_TRUE(heard_.wait_for([](const Heard& heard) { return !heard.published().empty(); }));
    EXPECT_EQ(listing(heard_.published().at(0)), ". 755 /\nfile 644 1\n");
    EXPECT_TRUE(heard_.wait_for_output("running"));
    stop_.set(Stop::abort);
  });
  EXPECT_EQ(outcome.state, State::aborted);
  EXPECT_THAT(names(outcome.artifacts), ElementsAre("early"));
}

TEST_F(Saving, InTheMiddleAndAtTheEndUnderOneNameMerges) {
  add(shell("mkdir /tmp/a /tmp/b; echo 1 > /tmp/a/x; echo 1 > /tmp/a/y"), save("all", "/tmp/a"),
      shell("echo 2 > /tmp/b/y; echo changed > /tmp/a/x"), save("all", "/tmp/b"));
  Outcome outcome = perform();
  ASSERT_THAT(outcome.artifacts, SizeIs(1));
  EXPECT_EQ(listing(outcome.artifacts[0]), ". 755 /\nx 644 1\ny 644 2\n");
  EXPECT_EQ(listing(heard_.published().at(0)), ". 755 /\nx 644 1\ny 644 1\n");
}

TEST_F(Saving, ProcessesLeftBehindAreDeadBeforeAnythingIsSaved) {
  add(shell("mkdir /tmp/t; (while :; do echo x >> /tmp/t/growing; done) & while ! test -s /tmp/t/growing; do sleep "
            "0.01; done"),
      save("t", "/tmp/t"));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::succeeded);
  EXPECT_THAT(outcome.problems, IsEmpty());
  EXPECT_THAT(outcome.artifacts, SizeIs(1));
}

TEST_F(Saving, FilesOnlyLeavesDirectoriesAndForeignLinksOut) {
  model::Action files = save("files", "/tmp/t", kAlways, Missing::notice);
  std::get<model::Save>(files.what).directories = false;
  model::Action empty = save("empty", "/tmp/e", kAlways, Missing::notice);
  std::get<model::Save>(empty.what).directories = false;
  add(shell("mkdir -p /tmp/t/empty/er /tmp/t/sub /tmp/e/mpty; cd /tmp/t; echo x > sub/file; chmod 750 sub; : > zero; "
            "ln -s "
            "sub/file inside; ln -s /tmp/t/sub/file absolute; ln -s /etc/passwd outside; ln -s ../../etc/passwd up; ln "
            "-s "
            "nowhere dangling; ln -s sub directory; ln -s loop loop"),
      files, empty);
  Outcome outcome = perform();
  EXPECT_THAT(outcome.problems, IsEmpty());
  ASSERT_THAT(names(outcome.artifacts), ElementsAre("files"));
  EXPECT_EQ(listing(outcome.artifacts[0]),
            ". 755 /\nabsolute 644 x\ninside 644 x\nsub 750 /\nsub/file 644 x\nzero 644 \n");
  for (const char* left_out :
       {"outside: a link that leads out", "up: a link that leads out", "dangling: a link that leads nowhere",
        "directory: a link that leads to no", "loop: a link", "No artifact files found at /tmp/e\n"})
    EXPECT_THAT(heard_.kist(), HasSubstr(left_out));
}

TEST_F(Saving, FilesOnlyOfAPlainTreeAndOfTheProject) {
  write(project() / "coverage/index.html", "html");
  model::Action files = save("coverage", "coverage");
  std::get<model::Save>(files.what).directories = false;
  model::Action plain = save("plain", "/tmp/plain");
  std::get<model::Save>(plain.what).directories = false;
  add(shell("mkdir coverage/empty; echo 1 > coverage/more; mkdir /tmp/plain; echo 2 > /tmp/plain/file"), files, plain);
  Outcome outcome = perform();
  EXPECT_EQ(listing(outcome.artifacts.at(0)), ". 755 /\nindex.html 644 html\nmore 644 1\n");
  EXPECT_EQ(listing(outcome.artifacts.at(1)), ". 755 /\nfile 644 2\n");
}

TEST_F(Saving, WhatIsLeftOutIsSaid) {
  add(shell("mkdir /tmp/t; mkfifo /tmp/t/pipe; echo x > /tmp/t/file"), save("t", "/tmp/t"));
  Outcome outcome = perform();
  EXPECT_EQ(listing(outcome.artifacts.at(0)), ". 755 /\nfile 644 x\n");
  EXPECT_THAT(heard_.kist(), HasSubstr("artifact 't': left out: pipe: it is a named pipe\n"));
  EXPECT_THAT(outcome.artifacts.at(0).left_out, ElementsAre("pipe: it is a named pipe"));
}

TEST_F(Saving, ParametersAreReadFromFiles) {
  auto parameter = [](std::string name, std::string path) {
    model::Read read;
    read.parameter = std::move(name);
    read.path = text(std::move(path));
    return read;
  };
  model::Read fallback = parameter("fallback", "/tmp/none");
  fallback.fallback = text("instead");
  add(shell("printf 'a\\n\\n' > /tmp/a; echo b > b"), action(parameter("a", "/tmp/a")), action(parameter("b", "b")),
      action(fallback));
  Outcome outcome = perform();
  ASSERT_THAT(outcome.parameters, SizeIs(3));
  EXPECT_EQ(outcome.parameters[0].value, "a\n");
  EXPECT_EQ(outcome.parameters[1].value, "b");
  EXPECT_EQ(outcome.parameters[2].value, "instead");

  next_task();
  add(shell("head -c 1048577 /dev/zero > /tmp/large; mkdir /tmp/directory"),
      action(parameter("none", "/tmp/none"), kAlways), action(parameter("large", "/tmp/large"), kAlways),
      action(parameter("directory", "/tmp/directory"), kAlways));
  outcome = perform();
  EXPECT_EQ(outcome.state, State::error);
  EXPECT_THAT(outcome.problems, ElementsAre(HasSubstr("parameter 'none': there is nothing at /tmp/none"),
                                            HasSubstr("parameter 'large': /tmp/large has 1048577 bytes"),
                                            HasSubstr("parameter 'directory': /tmp/directory is no file")));
}

class Watching : public Performing {
 protected:
  model::Action watch(std::string path) {
    model::Watch what;
    what.name = "live";
    what.path = text(std::move(path));
    return action(std::move(what), kWhatever);
  }
  bool wait_for_listing(std::string_view lines) {
    return heard_.wait_for([&](const Heard& heard) {
      auto published = heard.published();
      return !published.empty() && listing(published.back()) == lines;
    });
  }
};

TEST_F(Watching, FilesAreKeptWhileTheyAreWrittenAndAfterAnAbort) {
  add(watch("output"), shell("echo 1 > output/one; mkdir output/sub; echo 2 > output/sub/two; ln -s one output/link; "
                             "chmod 700 output/sub; echo "
                             "ready; while ! test -e output/go; do sleep 0.02; done; rm output/one output/link; echo 3 "
                             "> output/sub/two; echo "
                             "again; sleep 1000"));
  Outcome outcome = perform_while([&] {
    EXPECT_TRUE(heard_.wait_for_output("ready"));
    EXPECT_TRUE(wait_for_listing(". 755 /\nlink 777 -> one\none 644 1\nsub 700 /\nsub/two 644 2\n"));
    EXPECT_TRUE(heard_.published().back().live);
    EXPECT_EQ(heard_.published().back().path, "output");
    for (const auto& task : fs::directory_iterator(home() / "scratch"))
      write(task.path() / "watch-0/go", "");  // the host's side of the directory
    EXPECT_TRUE(heard_.wait_for_output("again"));
    EXPECT_TRUE(wait_for_listing(". 755 /\ngo 644 \nsub 700 /\nsub/two 644 3\n"));
    stop_.set(Stop::abort);
  });
  EXPECT_EQ(outcome.state, State::aborted);
  ASSERT_THAT(outcome.artifacts, SizeIs(1));
  EXPECT_EQ(listing(outcome.artifacts[0]), ". 755 /\ngo 644 \nsub 700 /\nsub/two 644 3\n");
}

TEST_F(Watching, TheEndIsExactWhateverWasSeen) {
  add(watch("/data/out"),
      shell("cd /data/out; for i in $(seq 0 100); do echo $i > $(printf %03d.txt $i); done; mkdir empty"));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::succeeded);
  ASSERT_THAT(outcome.artifacts, SizeIs(1));
  EXPECT_EQ(outcome.artifacts[0].files, 101u);
  EXPECT_THAT(listing(outcome.artifacts[0]),
              AllOf(HasSubstr("000.txt 644 0\n"), HasSubstr("100.txt 644 100\n"), HasSubstr("empty 755")));
}

TEST_F(Watching, AFileThatIsNeverQuietIsKeptAtTheEnd) {
  add(watch("out"), shell("echo 1 > out/quiet; exec 3> out/log; i=0; while test $i -lt 100; do echo $i >&3; "
                          "i=$((i+1)); sleep 0.01; done"));
  Outcome outcome = perform();
  EXPECT_THAT(listing(outcome.artifacts.at(0)), HasSubstr("quiet 644 1"));
  EXPECT_EQ(outcome.artifacts[0].files, 2u);
}

TEST_F(Watching, ALinkToTheHostIsNeverFollowed) {
  write(directory_ / "secret", "secret of the host");
  add(watch("out"),
      shell("mkdir out/d; echo x > out/d/f; echo ready; while ! test -e out/seen; do rm -rf out/d; ln -s " +
            directory_.path().string() +
            " out/d; rm -rf out/d; mkdir out/d; echo x > out/d/secret; rm -rf out/d; done"));
  Outcome outcome = perform_while([&] {
    EXPECT_TRUE(heard_.wait_for_output("ready"));
    std::this_thread::sleep_for(std::chrono::seconds(2));  // of changes as fast as can be
    stop_.set(Stop::abort);
  });
  for (const auto& record : heard_.published()) EXPECT_THAT(listing(record), testing::Not(HasSubstr("of the host")));
}

TEST_F(Watching, ALogThatStaysOpenIsKeptAsItGrows) {
  add(watch("out"), shell("exec 3> out/log; while :; do echo line >&3; sleep 0.01; done"));
  Outcome outcome = perform_while([&] {
    std::uint64_t bytes = 0;
    for (int version = 0; version < 2; ++version) {
      EXPECT_TRUE(heard_.wait_for([&](const Heard& heard) {
        auto published = heard.published();
        return !published.empty() && published.back().bytes > bytes;
      }));
      bytes = heard_.published().back().bytes;
    }
    stop_.set(Stop::abort);
  });
}

// A file whose clock is ahead is never younger than now.
TEST_F(Watching, AFileOfAnotherTimeIsKeptToo) {
  add(watch("out"), shell("echo 1 > out/future; touch -d 2099-01-01 out/future; mkfifo out/pipe; echo 2 > out/past; "
                          "touch -d 1970-01-02 out/past; echo ready; sleep 1000"));
  perform_while([&] {
    EXPECT_TRUE(wait_for_listing(". 755 /\nfuture 644 1\npast 644 2\n"));
    stop_.set(Stop::abort);
  });
}

TEST_F(Watching, BeginsWithWhatItIsGiven) {
  fs::create_directory(directory_ / "before");
  write(directory_ / "before/old", "old");
  fs::permissions(directory_ / "before/old", fs::perms(0640));
  std::size_t watched = add(watch("out"), shell("cat out/old; echo new > out/new; echo more >> out/old; sleep 1000"));
  document_.restored[watched] = stored(directory_ / "before");
  document_.restored[watched].name = "live";
  perform_while([&] {
    EXPECT_TRUE(wait_for_listing(". 755 /\nnew 644 new\nold 640 oldmore\n"));
    stop_.set(Stop::abort);
  });
  EXPECT_EQ(heard_.output(), "old");
  EXPECT_EQ(listing(heard_.published().front()), ". 755 /\nold 640 old\n");  // it is not lost for a moment
}

TEST_F(Watching, DoesNotBeginWithoutWhatItIsGiven) {
  add(watch("out"), shell("echo never"));
  document_.restored[0].name = "live";
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::error);
  EXPECT_THAT(outcome.problems.at(0), HasSubstr("artifact 'live' cannot be restored"));
  EXPECT_EQ(heard_.output(), "");
}

class Control : public Performing {
 protected:
  // Sends lines and prints what is answered.
  static model::Action ask(std::vector<std::string> requests) {
    std::string program =
        "import os, socket\ns = socket.socket(socket.AF_UNIX)\ns.connect(os.environ['KIST_TASK'])\n"
        "f = s.makefile('rw')\n";
    for (const std::string& request : requests)
      program += "f.write('''" + request + "\\n''')\nf.flush()\nprint(f.readline(), end='', flush=True)\n";
    model::Run run;
    run.command = {text("python3"), text("-c"), text(program)};
    return action(std::move(run));
  }
};

TEST_F(Control, AProgramPublishesAndReports) {
  add(shell("mkdir /tmp/model; echo 1 > /tmp/model/weights"),
      ask({R"({"do":"publish","name":"models/best","path":"/tmp/model"})", R"({"do":"report","text":"3/10"})"}),
      shell("echo 2 > /tmp/model/weights"), save("end", "/tmp/model"));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::succeeded) << heard_.error();
  EXPECT_EQ(heard_.progress(), "3/10");
  ASSERT_THAT(names(heard_.published()), ElementsAre("models/best"));
  EXPECT_EQ(heard_.output(), "{\"ok\":true,\"tree\":\"" + heard_.published()[0].tree.to_string() +
                                 "\",\"bytes\":2,\"files\":1,\"left_out\":0}\n{\"ok\":true}\n");
  ASSERT_THAT(names(outcome.artifacts), ElementsAre("models/best", "end"));
  EXPECT_EQ(listing(outcome.artifacts[0]), ". 755 /\nweights 644 1\n");
}

TEST_F(Control, BadRequestsAreAnsweredAndHarmNobody) {
  add(ask({"not json", "[1]", R"({"do":"frobnicate"})", R"({"do":"publish","name":"x","path":"relative"})",
           R"({"do":"publish","name":"../x","path":"/tmp"})", R"({"do":"publish","name":"x","path":"/tmp/none"})",
           R"({"do":"publish","name":7,"path":[]})", R"({"do":"report"})"}),
      ask({std::string(70000, 'x')}), shell("echo fine"));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::succeeded) << heard_.error();
  EXPECT_THAT(heard_.output(), HasSubstr("there is nothing at /tmp/none"));
  EXPECT_THAT(heard_.output(), HasSubstr("a request has at most 65536 bytes"));
  EXPECT_THAT(heard_.output(), HasSubstr("report: `text` is a text"));
  EXPECT_THAT(heard_.output(), testing::EndsWith("fine\n"));
  EXPECT_THAT(heard_.published(), IsEmpty());
}

TEST_F(Control, TheClientSaysWhereItIsNot) {
  Variable none("KIST_TASK", nullptr);
  EXPECT_EQ(publish("name", "/tmp").error().kind, ErrorKind::unavailable);
  Variable gone("KIST_TASK", "/nowhere/task.sock");
  EXPECT_THAT(report("text").error().text, HasSubstr("/nowhere/task.sock"));
}

TEST(ControlNames, AreComponents) {
  for (const char* good : {"model", "models/best", "a b", "é", ".hidden", "a..b"})
    EXPECT_TRUE(check_artifact_name(good)) << good;
  for (const char* bad : {"", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a\nb"})
    EXPECT_FALSE(check_artifact_name(bad)) << bad;
}

TEST_F(Saving, PatternsLeaveOutAndTakeIn) {
  add(
      shell("mkdir -p /tmp/t/sub/cache /tmp/t/keep; cd /tmp/t; echo a > a.txt; echo b > b.log; echo c > sub/c.log; "
            "echo d > sub/cache/d; echo e > sub/e.txt; ln -s a.txt link"));
  model::Action all = save("all", "/tmp/t");
  std::get<model::Save>(all.what).exclude = {text("*.log"), text("sub/cache")};
  add(all, save("same", "/tmp/t"), save("texts", "/tmp/t/**/*.txt"), save("top", "/tmp/t/*.txt"),
      save("none", "/tmp/t/*.zip", kAlways, Missing::ignore));
  Outcome outcome = perform();
  EXPECT_THAT(outcome.problems, IsEmpty());
  ASSERT_THAT(names(outcome.artifacts), ElementsAre("all", "same", "texts", "top"));
  EXPECT_EQ(listing(outcome.artifacts[0]),
            ". 755 /\na.txt 644 a\nkeep 755 /\nlink 777 -> a.txt\nsub 755 /\nsub/e.txt 644 e\n");
  EXPECT_THAT(listing(outcome.artifacts[1]), HasSubstr("sub/cache/d"));
  EXPECT_EQ(listing(outcome.artifacts[2]), ". 755 /\na.txt 644 a\nsub 755 /\nsub/e.txt 644 e\n");
  EXPECT_EQ(listing(outcome.artifacts[3]), ". 755 /\na.txt 644 a\n");

  next_task();
  add(shell("mkdir /tmp/t; touch '/tmp/t/[x]'"), save("literal", "/tmp/t/[x]"), save("none", "/tmp/t/*.zip"));
  outcome = perform();
  EXPECT_EQ(outcome.state, State::error);
  ASSERT_THAT(names(outcome.artifacts), ElementsAre("literal"));
  EXPECT_THAT(outcome.problems, ElementsAre(HasSubstr("/tmp/t/*.zip")));
}

class Outside : public Performing {
 protected:
  model::Location at(const fs::path& path) {
    model::Location location;
    location.kind = "file";
    location.set("path", text(path));
    return location;
  }
};

TEST_F(Outside, WhatIsKeptIsSentAndWhatIsFetchedIsKept) {
  fs::create_directories(directory_ / "there");
  add(shell("mkdir /tmp/t; echo a > /tmp/t/a"));
  model::Action sent = save("tree", "/tmp/t");
  std::get<model::Save>(sent.what).to = at(directory_ / "there/tree.tgz");
  std::get<model::Save>(sent.what).archive.kind = model::Archive::Kind::tar;
  model::Action plain = save("plain", "/tmp/t");
  std::get<model::Save>(plain.what).to = at(directory_ / "there/plain");
  add(sent, plain);
  Outcome outcome = perform();
  EXPECT_THAT(outcome.problems, IsEmpty());
  EXPECT_EQ(outcome.state, State::succeeded);
  EXPECT_EQ(read(directory_ / "there/plain/a"), "a\n");

  next_task();
  model::Action fetched = load("/in/tree");
  fetched.title = "packed";
  std::size_t first = add(fetched);
  document_.loads[first].external = {.location = at(directory_ / "there/tree.tgz"), .archive = {}};
  fetched = load("/in/file");
  std::size_t second = add(fetched, shell("cat /in/tree/a; wc -c < /in/file"));
  document_.loads[second].external = {
      .location = at(directory_ / "there/tree.tgz"),
      .archive = model::Archive{.kind = model::Archive::Kind::none, .compression_level = {}}};
  outcome = perform();
  EXPECT_THAT(outcome.problems, IsEmpty());
  EXPECT_EQ(heard_.output(), "a\n" + std::to_string(fs::file_size(directory_ / "there/tree.tgz")) + "\n");
  ASSERT_EQ(heard_.fetched().size(), 2u);
  EXPECT_EQ(heard_.fetched()[0].name, "packed");
  EXPECT_EQ(listing(heard_.fetched()[0]), ". 755 /\na 644 a\n");
}

TEST_F(Outside, WhatIsNotThereIsAnErrorUnlessItNeedNotBe) {
  model::Action fetched = load("/in/file");
  fetched.title = "input";
  std::size_t index = add(fetched, shell("test ! -e /in/file && echo without"));
  document_.loads[index].external = {.location = at(directory_ / "nowhere"), .archive = {}};
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::error);
  EXPECT_THAT(outcome.problems, ElementsAre(testing::StartsWith("artifact input failed to load: ")));
  std::get<model::Load>(document_.task.actions[index].what).optional = true;
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_EQ(heard_.output(), "without\n");

  next_task();
  model::Action sent = save("tree", "/tmp/t");
  std::get<model::Save>(sent.what).to = at(directory_ / "no/such/directory/x");
  write(directory_ / "no", "a file");
  add(shell("mkdir /tmp/t"), sent);
  outcome = perform();
  EXPECT_EQ(outcome.state, State::error);
  EXPECT_THAT(names(outcome.artifacts), ElementsAre("tree"));
  EXPECT_THAT(outcome.problems, ElementsAre(testing::StartsWith("artifact tree is kept, but could not be sent to ")));
}

TEST_F(Outside, APartOfAnArtifactIsBrought) {
  write(directory_ / "source/sub/file", "part");
  write(directory_ / "source/other", "rest");
  model::ArtifactRecord artifact = stored(directory_ / "source");
  std::size_t first = add(load("/in/sub"), load("/in/file"), shell("find /in -type f; cat /in/file"));
  document_.loads[first].trees = {{.prefix = "", .artifact = artifact, .sub_path = "sub/"}};
  document_.loads[first + 1].trees = {{.prefix = "", .artifact = artifact, .sub_path = "/sub/file"}};
  EXPECT_EQ(perform().state, State::succeeded);
  EXPECT_EQ(heard_.output(), "/in/file\n/in/sub/file\npart");
  document_.loads[first].trees[0].sub_path = "none";
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::error);
  EXPECT_THAT(outcome.problems, ElementsAre(HasSubstr("there is no none in the artifact")));
}

TEST_F(Saving, TheLogOfTheMainContainerIsAnArtifact) {
  document_.task.log_artifact = model::LogArtifact{.name = "main-logs", .to = {}};
  add(shell("echo one; sleep 0.1; echo two >&2; exit 1"));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::failed);
  ASSERT_THAT(names(outcome.artifacts), ElementsAre("main-logs"));
  EXPECT_EQ(listing(outcome.artifacts[0]), ". 644 one\ntwo\n");
}

}  // namespace
}  // namespace kist::task::test
