// What a container becomes on this machine: paths, images, Python, environment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "task/containers.hpp"
#include "task/paths.hpp"
#include "task/performing.hpp"

namespace kist::task::test {
namespace {

namespace fs = std::filesystem;
using expression::Text;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(Paths, AreMadeAbsoluteAndNormal) {
  EXPECT_EQ(absolute_path("output/", "/project", "/home/me"), "/project/output");
  EXPECT_EQ(absolute_path("./a//b/.", "/project", "/home/me"), "/project/a/b");
  EXPECT_EQ(absolute_path("", "/project", "/home/me"), "/project");
  EXPECT_EQ(absolute_path(".", "/project", "/home/me"), "/project");
  EXPECT_EQ(absolute_path("/tmp/x/", "/project", "/home/me"), "/tmp/x");
  EXPECT_EQ(absolute_path("~", "/project", "/home/me"), "/home/me");
  EXPECT_EQ(absolute_path("~/work", "/project", "/home/me"), "/home/me/work");
  EXPECT_EQ(absolute_path("~other", "/project", "/home/me"), "/project/~other");
  EXPECT_EQ(absolute_path("../../../etc", "/project", "/home/me"), "/etc");
  EXPECT_EQ(absolute_path("/", "/project", "/home/me"), "/");
}

TEST(Paths, LieWithinByComponents) {
  EXPECT_TRUE(is_within("/tmp/x", "/tmp"));
  EXPECT_TRUE(is_within("/tmp", "/tmp"));
  EXPECT_TRUE(is_within("/tmp", "/"));
  EXPECT_FALSE(is_within("/tmpx", "/tmp"));
  EXPECT_FALSE(is_within("/tmp", "/tmp/x"));
}

TEST(Images, AreFoundByNameAndTag) {
  TemporaryDirectory home;
  auto table = image_table(home / "project", home.path());
  ASSERT_TRUE(table);
  auto glob = [&](std::string_view image) {
    const ImageRule* rule = find_image(**table, image);
    return rule == nullptr ? std::string() : rule->image;
  };
  EXPECT_EQ(glob("python"), "python:*");
  EXPECT_EQ(glob("python:3.10"), "python:*");
  EXPECT_EQ(glob("python:alpine3.6"), "python:alpine3.6");
  EXPECT_EQ(glob("docker.io/library/python:3.10"), "python:*");
  EXPECT_EQ(glob("alpine@sha256:0123"), "alpine:*");
  EXPECT_EQ(glob("docker/whalesay:latest"), "docker/whalesay:*");
  EXPECT_EQ(glob("argoproj/argosay:v2"), "argoproj/argosay:*");
  EXPECT_EQ(glob("quay.io/argoproj/argosay:v2"), "argoproj/argosay:*");
  EXPECT_EQ(glob("public.ecr.aws/docker/library/python:3"), "python:*");
  EXPECT_EQ(glob("my-image:v1"), "");
  EXPECT_EQ(glob("localhost:5000/python-like:1"), "");
}

TEST(Images, HaveShellsOfTheirOwn) {
  for (std::string_view image : {"alpine", "docker.io/library/alpine:3.23", "python:3.12-alpine", "python:alpine3.6",
                                 "busybox@sha256:0123", "quay.io/argoproj/argosay:v2", "rockylinux:9"})
    EXPECT_TRUE(has_rich_shell(image)) << image;
  for (std::string_view image : {"", "debian:12", "ubuntu", "python:3.12", "docker/whalesay", "localhost:5000/x"})
    EXPECT_FALSE(has_rich_shell(image)) << image;
}

TEST(Images, OfTheProjectComeBeforeThoseOfTheHomeAndTheTable) {
  TemporaryDirectory directory;
  write(directory / "project/.kist/images.yaml",
        "- image: my-image*\n  path: [tools, /opt/bin]\n  environment: {MODE: fast, EMPTY: }\n  command: [serve, "
        "--all]\n");
  write(directory / "home/images.yaml", "- image: my-image:*\n- image: python:*\n  path: [/opt/python]\n");
  auto table = image_table(directory / "project", directory / "home");
  ASSERT_TRUE(table) << table.error().text;
  const ImageRule* mine = find_image(**table, "my-image:v1");
  ASSERT_NE(mine, nullptr);
  EXPECT_THAT(mine->path, ElementsAre(directory / "project/tools", "/opt/bin"));
  EXPECT_THAT(mine->environment, ElementsAre(std::pair("MODE", "fast"), std::pair("EMPTY", "")));
  EXPECT_THAT(mine->command, ElementsAre("serve", "--all"));
  EXPECT_THAT(find_image(**table, "python:3")->path, ElementsAre("/opt/python"));
}

TEST(Images, WrongRulesAreNamedWithTheirPlace) {
  for (const auto& [text, place] :
       {std::pair("image: x\n", "rules.yaml:1:1"), std::pair("- image: [x]\n", "rules.yaml:1:10"),
        std::pair("- image: x\n  paths: [a]\n", "rules.yaml:2:3"), std::pair("- path: [a]\n", "rules.yaml:1:3"),
        std::pair("- image: x\n  path: a\n", "rules.yaml:2:9")}) {
    auto rules = parse_image_rules(text, "rules.yaml", "/project");
    ASSERT_FALSE(rules) << text;
    EXPECT_THAT(rules.error().text, HasSubstr(place)) << text;
  }
  EXPECT_TRUE(parse_image_rules("", "rules.yaml", "/project")->empty());
}

class HostPython : public testing::Test {
 protected:
  HostPython() { write(directory_ / "bin/python3", "#!/bin/sh\n", 0755); }
  std::vector<std::string> programs() {
    std::vector<std::string> all;
    for (const fs::path& path : look_at_host(directory_ / "project").programs) all.push_back(path.string());
    // The last is where this program lies: kist's own.
    EXPECT_EQ(all.back(), fs::read_symlink("/proc/self/exe").parent_path());
    all.pop_back();
    return all;
  }
  TemporaryDirectory directory_;
  Variable path_{"PATH", (directory_ / "bin").c_str()};
  Variable active_{"VIRTUAL_ENV", nullptr};
  Variable pyenv_root_{"PYENV_ROOT", nullptr};
  Variable pyenv_version_{"PYENV_VERSION", nullptr};
};

TEST_F(HostPython, NeedsAnAliasOnlyWhereThereIsNoPython) {
  EXPECT_TRUE(look_at_host(directory_ / "project").needs_python_alias);
  write(directory_ / "bin/python", "#!/bin/sh\n", 0755);
  EXPECT_FALSE(look_at_host(directory_ / "project").needs_python_alias);
}

TEST_F(HostPython, OfTheProjectComesFirstAndAnActiveOneBeforeIt) {
  EXPECT_THAT(programs(), ElementsAre(directory_ / "bin"));
  write(directory_ / "project/.venv/bin/python", "#!/bin/sh\n", 0755);
  write(directory_ / "project/.venv/pyvenv.cfg", "home = " + (directory_ / "base/bin").string() + "\nversion = 3\n");
  write(directory_ / "base/bin/python3", "");
  EXPECT_THAT(programs(), ElementsAre(directory_ / "project/.venv/bin", directory_ / "bin"));
  EXPECT_THAT(look_at_host(directory_ / "project").needed, Contains(directory_ / "base"));
  write(directory_ / "active/bin/python", "#!/bin/sh\n", 0755);
  Variable active("VIRTUAL_ENV", (directory_ / "active").c_str());
  EXPECT_THAT(programs(), ElementsAre(directory_ / "active/bin", directory_ / "bin"));
}

TEST_F(HostPython, BehindPyenvsShimsIsTheVersionTheyWouldChoose) {
  for (const char* version : {"3.9.1", "3.12.0"})
    write(directory_ / "pyenv/versions" / version / "bin/python3", "#!/bin/sh\n", 0755);
  write(directory_ / "pyenv/shims/python3", "#!/bin/sh\n", 0755);
  write(directory_ / "pyenv/version", "3.9.1\n");
  Variable path("PATH", (directory_ / "pyenv/shims").c_str());
  EXPECT_EQ(programs().front(), directory_ / "pyenv/versions/3.9.1/bin");
  write(directory_ / ".python-version", "# ours\n3.12.0\n");
  EXPECT_EQ(programs().front(), directory_ / "pyenv/versions/3.12.0/bin");
  Variable chosen("PYENV_VERSION", "3.9.1");
  EXPECT_EQ(programs().front(), directory_ / "pyenv/versions/3.9.1/bin");
}

TEST(Variables, ExpandAsInKubernetes) {
  Environment variables{{"NAME", "value"}, {"OTHER", "$(NAME)"}};
  EXPECT_EQ(expand_variables("a $(NAME) b", variables), "a value b");
  EXPECT_EQ(expand_variables("$(UNKNOWN) $(NAME", variables), "$(UNKNOWN) $(NAME");
  EXPECT_EQ(expand_variables("$$(NAME) $$ $", variables), "$(NAME) $ $");
  EXPECT_EQ(expand_variables("$(OTHER)", variables), "$(NAME)");
  EXPECT_EQ(expand_variables("$HOME ${NAME} $()", variables), "$HOME ${NAME} $()");
}

TEST(Variables, LaterOnesWinAndExpandOnlyWhatWasWrittenBefore) {
  TemporaryDirectory directory;
  model::Container container;
  container.environment = {{"A", Text::literal("1")}, {"B", Text::literal("$(A)$(C)")}, {"C", Text::literal("3")}};
  ContainerHere here;
  here.container = &container;
  here.base = {{"PATH", "/bin"}, {"C", "base"}};
  model::Run run;
  run.environment = {{"A", Text::literal("$(A)+$(PATH)")}};
  Heard heard;
  MaskedServices services(heard, {});
  EXPECT_THAT(environment_of(here, run, services)->variables, Contains("A=$(A)+$(PATH)"));
  run.expand_variables = true;
  auto variables = environment_of(here, run, services)->variables;
  EXPECT_THAT(variables, Contains("A=1+$(PATH)"));
  EXPECT_THAT(variables, Contains("B=1$(C)"));
  EXPECT_THAT(variables, Contains("C=3"));
  EXPECT_THAT(variables, Contains("PATH=/bin"));
  EXPECT_THAT(variables, Contains("KIST_TASK=/.kist/task.sock"));
}

}  // namespace
}  // namespace kist::task::test
