// Git repositories behind HTTP and SSH, served by git's own programs and sshd.
#include <thread>

#include "base/process.hpp"
#include "location/fixture.hpp"
#include "location/served.hpp"

namespace kist::location {
namespace {

class GitTest : public LocationTest {
 protected:
  static inline std::unique_ptr<Served> server;

  static void SetUpTestSuite() {
    server = Served::start({"location-server", "run", "git", "DIRECTORY"});
    if (!server) return;
    const fs::path root = (*server)["path"];
    run(root, "git init -q -b main --bare empty.git");
    run(root,
        "git init -q -b main --bare inner.git && git clone -q inner.git inner && cd inner && echo inner > inner.txt "
        "&& git add . && git commit -qm inner && git push -q origin HEAD:main");
    run(root,
        "git init -q -b main --bare project.git && git clone -q project.git work && cd work && git checkout -qb main "
        "&& echo one > file.txt && mkdir bin && echo x > bin/tool && chmod 755 bin/tool && git add . "
        "&& git commit -qm one && git tag -a v1 -m v1 && git push -q origin main v1 "
        "&& git checkout -qb side/branch && echo side > file.txt && git commit -qam side && git push -q origin HEAD "
        "&& git checkout -q main && echo two > file.txt && git -c protocol.file.allow=always submodule -q add "
        "../inner.git inner && git commit -qam two && git push -q origin main "
        "&& git push -q origin main:refs/pull/7/head");
    run(root, "cp -a project.git inner.git private/");
  }
  static void TearDownTestSuite() { server.reset(); }

  static std::string run(const fs::path& directory, const std::string& script) {
    auto done = run_process({.arguments = {"bash", "-ec",
                                           "export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t "
                                           "GIT_COMMITTER_EMAIL=t@t GIT_CONFIG_GLOBAL=/dev/null; " +
                                               script},
                             .environment = std::nullopt,
                             .directory = directory,
                             .input = {},
                             .timeout = std::nullopt});
    EXPECT_TRUE(done) << done.error().text;
    EXPECT_EQ(done->exit_code, 0) << script << "\n" << done->error_output;
    return done->output.substr(0, done->output.find_last_not_of('\n') + 1);
  }

  void SetUp() override {
    LocationTest::SetUp();
    if (!server) GTEST_SKIP() << "no git server can be had here";
    context.idle_timeout = std::chrono::seconds(20);
    secrets["git/user"] = (*server)["user"];
    secrets["git/password"] = (*server)["password"];
    secrets["git/key"] = contents((*server)["key"]);
  }

  fs::path root() const { return (*server)["path"]; }
  model::Location at(const std::string& repository, std::vector<std::pair<std::string, std::string>> more = {}) {
    more.insert(more.begin(), {"repo", (*server)["url"] + repository});
    return place("git", more);
  }
  std::string file(std::string_view name) { return contents(target(name) / "file.txt"); }
};

TEST_F(GitTest, clones_a_repository_with_its_submodules) {
  ASSERT_OK(load(at("/project.git"), {}, target("a"), context));
  EXPECT_EQ(file("a"), "two\n");
  EXPECT_EQ(contents(target("a") / "inner/inner.txt"), "inner\n");
  EXPECT_TRUE((fs::status(target("a") / "bin/tool").permissions() & fs::perms::owner_exec) != fs::perms::none);
  EXPECT_EQ(run(target("a"), "git symbolic-ref HEAD; git remote get-url origin; git status --porcelain"),
            "refs/heads/main\n" + (*server)["url"] + "/project.git");
  ASSERT_OK(load(at("/project.git", {{"disableSubmodules", "true"}}), {}, target("b"), context));
  EXPECT_TRUE(fs::is_empty(target("b") / "inner"));
}

TEST_F(GitTest, checks_out_branches_tags_and_commits) {
  const std::string first = run(root() / "work", "git rev-parse v1^{commit}");
  struct Case {
    std::vector<std::pair<std::string, std::string>> fields;
    std::string content;
  };
  const std::vector<Case> cases{
      {{{"revision", "side/branch"}}, "side\n"},
      {{{"revision", "v1"}}, "one\n"},
      {{{"revision", "refs/tags/v1"}}, "one\n"},
      {{{"revision", first}}, "one\n"},
      {{{"revision", first.substr(0, 10)}}, "one\n"},
      {{{"branch", "side/branch"}}, "side\n"},
      {{{"branch", "side/branch"}, {"singleBranch", "true"}, {"revision", "main"}}, "two\n"},
      {{{"branch", "main"}, {"singleBranch", "true"}, {"depth", "1"}}, "two\n"},
      {{{"depth", "1"}, {"revision", first}}, "one\n"},
      {{{"fetch", "refs/pull/7/head:refs/heads/pull"}, {"revision", "refs/heads/pull"}}, "two\n"},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    auto loaded = load(at("/project.git", cases[i].fields), {}, target(fmt::to_string(i)), context);
    ASSERT_TRUE(loaded) << i << ": " << loaded.error().text;
    EXPECT_EQ(file(fmt::to_string(i)), cases[i].content) << i;
  }
  EXPECT_EQ(run(target("7"), "git rev-list --count HEAD"), "1");
  EXPECT_FAILS(load(at("/project.git", {{"revision", "nowhere"}}), {}, target("x"), context), ErrorKind::invalid,
               "'nowhere'");
  EXPECT_FAILS(load(at("/project.git", {{"singleBranch", "true"}}), {}, target("x"), context), ErrorKind::invalid,
               "branch");
  EXPECT_FAILS(load(at("/project.git", {{"revision", "--upload-pack=/bin/false"}}), {}, target("x"), context),
               ErrorKind::invalid, "can be no name");
  EXPECT_FALSE(fs::exists(target("x")));
}

TEST_F(GitTest, an_empty_repository_is_one_to_begin_with) {
  ASSERT_OK(load(at("/empty.git"), {}, target("a"), context));
  EXPECT_EQ(run(target("a"), "git remote get-url origin"), (*server)["url"] + "/empty.git");
}

TEST_F(GitTest, passwords_and_keys) {
  auto refused = load(at("/private/project.git"), {}, target("a"), context);
  EXPECT_FAILS(refused, ErrorKind::denied, "/private/project.git");
  const std::vector<std::pair<std::string, std::string>> user{{"usernameSecret", "secret:git/user"},
                                                              {"passwordSecret", "secret:git/password"}};
  ASSERT_OK(load(at("/private/project.git", user), {}, target("a"), context));
  EXPECT_EQ(file("a"), "two\n");
  // There is a mirror now, but it is not for everybody.
  EXPECT_FAILS(load(at("/private/project.git"), {}, target("b"), context), ErrorKind::denied, "private");

  const std::string ssh =
      fmt::format("ssh://{}@127.0.0.1:{}{}/project.git", (*server)["login"], (*server)["ssh_port"], root().string());
  auto by_key = [&](const std::string& any_host_key) {
    return place("git", {{"repo", ssh},
                         {"sshPrivateKeySecret", "secret:git/key"},
                         {"insecureIgnoreHostKey", any_host_key},
                         {"disableSubmodules", "true"}});
  };
  EXPECT_FAILS(load(by_key("false"), {}, target("b"), context), ErrorKind::denied, "Host key verification failed");
  ASSERT_OK(load(by_key("true"), {}, target("b"), context));
  EXPECT_EQ(file("b"), "two\n");
  secrets["git/key"] = "no key at all";
  EXPECT_FAILS(load(by_key("true"), {}, target("c"), context), ErrorKind::denied, "Permission denied");
  EXPECT_TRUE(fs::is_empty(path("scratch")));
}

TEST_F(GitTest, tasks_share_a_mirror_which_follows_the_repository) {
  std::vector<std::jthread> tasks;
  for (int i = 0; i < 4; ++i)
    tasks.emplace_back([&, i] {
      auto loaded = load(at("/project.git"), {}, target(fmt::to_string(i)), context);
      EXPECT_TRUE(loaded) << loaded.error().text;
    });
  tasks.clear();
  run(root() / "work",
      "git checkout -qb later && echo three > file.txt && git commit -qam three && git push -q origin later");
  ASSERT_OK(load(at("/project.git", {{"revision", "later"}}), {}, target("later"), context));
  EXPECT_EQ(file("later"), "three\n");
  // A damaged mirror is made anew.
  for (const auto& entry : fs::directory_iterator(path("cache/git")))
    if (entry.is_directory()) fs::remove_all(entry.path() / "objects");
  ASSERT_OK(load(at("/project.git"), {}, target("again"), context));
  EXPECT_EQ(file("again"), "two\n");
}

TEST_F(GitTest, asks_where_the_settings_say_it_is) {
  context.endpoints = {{"github.com", (*server)["url"]}};
  for (const char* repo : {"https://github.com/project.git", "git@github.com:project.git"}) {
    const std::string name = std::to_string(std::string(repo).size());
    ASSERT_OK(load(place("git", {{"repo", repo}, {"disableSubmodules", "true"}}), {}, target(name), context));
    EXPECT_EQ(file(name), "two\n");
  }
  EXPECT_FAILS(load(place("git", {{"repo", "http://127.0.0.1:1/x.git"}}), {}, target("x"), context),
               ErrorKind::unavailable, "127.0.0.1");
  EXPECT_FAILS(load(place("git", {{"repo", "ext::sh -c touch% /tmp/x"}}), {}, target("x"), context), ErrorKind::invalid,
               "no address");
}

}  // namespace
}  // namespace kist::location
