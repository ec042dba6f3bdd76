#include <algorithm>

#include <gmock/gmock.h>

#include "dialect/circleci/lowered.hpp"

namespace kist::dialect::circleci {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;

// A config whose only job has these lines (indented by four) and one step.
std::string job(std::string_view lines) {
  return "version: 2\njobs:\n  build:\n" + std::string(lines) + "    steps: [{run: x}]\n";
}

std::vector<std::string> assignments(const model::Task& task) {
  std::vector<std::string> all;
  for (const auto& variable : task.containers.at(0).environment)
    all.push_back(variable.name + "=" + variable.value.source());
  return all;
}

TEST(CircleciJob, BeginsInAnEmptyDirectoryOfItsOwn) {
  struct Case {
    const char* written;
    const char* directory;
    bool fresh;
  };
  for (const Case& example :
       {Case{"", "~/project", true}, Case{"~/work", "~/work", true}, Case{"/tmp", "/tmp", false},
        Case{"/tmp/", "/tmp", false}, Case{"/tmp/x", "/tmp/x", true}, Case{"'~'", "~", false}, Case{"~/", "~", false},
        Case{"/root", "/root", false}, Case{"/usr/src/app", "/usr/src/app", true}, Case{"deep/er", "~/deep/er", true},
        Case{"~/a/../b/", "~/b", true}, Case{"/", "/", false}}) {
    std::string lines = "    machine: true\n";
    if (*example.written != 0) lines += "    working_directory: " + std::string(example.written) + "\n";
    auto lowered = circleci::lowered(job(lines));
    const model::Task& task = task_of(lowered);
    EXPECT_EQ(task.containers[0].working_directory.source(), example.directory);
    ASSERT_EQ(task.fresh_directories.size(), example.fresh ? 1u : 0u) << example.written;
    if (example.fresh) {
      EXPECT_EQ(task.fresh_directories[0].source(), example.directory);
    }
  }
  for (const char* path : {"~/../x", "../x"})
    EXPECT_THAT(refused(job("    machine: true\n    working_directory: " + std::string(path) + "\n")).text,
                HasSubstr(":5:24: working_directory: '" + std::string(path) + "' leads out of the home directory"));
}

TEST(CircleciJob, CarriesBashEnvFromStepToStep) {
  auto lowered = circleci::lowered(job("    machine: true\n"));
  const model::Task& task = task_of(lowered);
  const auto& load = std::get<model::Load>(task.actions.at(0).what);
  EXPECT_TRUE(std::holds_alternative<model::RawArtifact>(load.source));
  EXPECT_THAT(assignments(task), IsSupersetOf({"BASH_ENV=" + load.path.source()}));
}

TEST(CircleciJob, SetsWhatItKnowsOfTheBuild) {
  auto lowered = circleci::lowered(job("    machine: true\n    working_directory: ~/work\n"));
  EXPECT_THAT(
      assignments(task_of(lowered)),
      IsSupersetOf({"CI=true", "CIRCLECI=true", "CIRCLE_JOB=build", "CIRCLE_NODE_INDEX=0", "CIRCLE_NODE_TOTAL=1",
                    "CIRCLE_WORKING_DIRECTORY=~/work", "CIRCLE_PROJECT_REPONAME=my-project", "CIRCLE_BUILD_NUM=1"}));
  EXPECT_EQ(task_of(lowered).containers[0].environment[6].name, "CIRCLE_WORKFLOW_ID");
  EXPECT_THAT(expression::references(task_of(lowered).containers[0].environment[6].value),
              ElementsAre("workflow.name"));
}

TEST(CircleciJob, EnvironmentInAllItsForms) {
  for (const char* form : {"    environment: {A: 1, B: yes, C: 100000000, D: , E: '$X', F: 2018-01-01}\n",
                           "    environment: [A=1, B=yes, C=100000000, D=, \"E=$X\", F=2018-01-01]\n",
                           "    environment:\n    - A: 1\n    - B: yes\n      C: 100000000\n    - D:\n    - E: $X\n"
                           "    - F: 2018-01-01\n"}) {
    auto lowered = circleci::lowered(job("    machine: true\n" + std::string(form)));
    EXPECT_THAT(assignments(task_of(lowered)),
                IsSupersetOf({"A=1", "B=yes", "C=100000000", "D=", "E=$X", "F=2018-01-01"}))
        << form;
  }
  for (const char* nothing : {"    environment:\n", "    environment: {}\n", "    environment: []\n"})
    EXPECT_THAT(circleci::lowered(job("    machine: true\n" + std::string(nothing))).notices, IsEmpty());
  EXPECT_THAT(refused(job("    machine: true\n    environment: [A]\n")).text, HasSubstr("expected NAME=VALUE"));
  EXPECT_THAT(refused(job("    machine: true\n    environment: {A: [x]}\n")).text, HasSubstr("A: expected a text"));
  EXPECT_THAT(refused(job("    machine: true\n    environment: {'A=': x}\n")).text, HasSubstr("name of a variable"));
}

TEST(CircleciJob, TheNearerEnvironmentWins) {
  auto request = request_for(
      job("    docker: [{image: x, environment: {CI: container, A: container, B: container, C: container}}]\n"
          "    environment: {A: job, C: job}\n"));
  request.environment = {{"C", "caller"}};
  auto lowered = circleci::lowered(request);
  auto all = assignments(task_of(lowered));
  EXPECT_THAT(all, IsSupersetOf({"CI=true", "A=job", "B=container", "C=caller"}));
  EXPECT_EQ(std::ranges::count_if(all, [](const std::string& item) { return item.starts_with("C="); }), 1);
}

TEST(CircleciJob, AnImageIsAHint) {
  auto lowered = circleci::lowered(job("    docker: [{image: 'python:3.6.0-jessie', auth: {username: x}}]\n"));
  EXPECT_EQ(task_of(lowered).containers[0].image.source(), "python:3.6.0-jessie");
  EXPECT_THAT(lowered.notices, IsEmpty());
  EXPECT_EQ(
      task_of(circleci::lowered(job("    machine: {image: 'ubuntu-2204:current'}\n"))).containers[0].image.source(),
      "");
}

TEST(CircleciJob, WhatCannotRunHereIsRefused) {
  auto reason = [](std::string lines) {
    Error error = refused(job(lines));
    EXPECT_EQ(error.kind, ErrorKind::unsupported) << error.text;
    return error.text;
  };
  EXPECT_THAT(reason("    docker: [{image: x}, {image: postgres}]\n"),
              HasSubstr(":4:26: not supported yet: docker services"));
  EXPECT_THAT(reason("    macos: {xcode: 9.0}\n"), HasSubstr(":4:12: not supported yet: macos"));
  EXPECT_THAT(reason("    executor: mine\n"), HasSubstr("not supported yet: executor"));
  EXPECT_THAT(reason("    machine: {image: windows-server-2022}\n"), HasSubstr("not supported yet: windows"));
  EXPECT_THAT(reason("    machine: true\n    resource_class: windows.medium\n"),
              HasSubstr("not supported yet: windows"));
  EXPECT_THAT(reason("    machine: true\n    shell: powershell.exe -Command\n"),
              HasSubstr("not supported yet: windows"));
  EXPECT_THAT(reason("    machine: true\n    parallelism: 4\n"), HasSubstr(":5:18: not supported yet: parallelism"));
  EXPECT_EQ(refused("version: 2.1\njobs: {build: {type: approval}}\n").text,
            ".circleci/config.yml:2:22: not supported yet: type: approval");
}

TEST(CircleciJob, WrongTypesHaveTheirPlace) {
  EXPECT_THAT(refused("version: 2\njobs:\n  build:\n    machine: true\n    steps: 7\n").text,
              HasSubstr(":5:12: steps: expected a list of steps, not '7'"));
  EXPECT_THAT(refused("version: 2\njobs:\n  build:\n    machine: true\n").text, HasSubstr("has no `steps`"));
  EXPECT_THAT(refused("version: 2\njobs:\n  build: [x]\n").text, HasSubstr(":3:10: expected a job"));
  EXPECT_THAT(refused(job("")).text, HasSubstr("the job 'build' has no executor"));
  EXPECT_THAT(refused(job("    machine: false\n")).text, HasSubstr("the job 'build' has no executor"));
  EXPECT_THAT(refused(job("    machine: true\n    docker: [{image: x}]\n")).text, HasSubstr("several executors"));
  EXPECT_THAT(refused(job("    docker: python\n")).text, HasSubstr(":4:13: docker: expected a list of images"));
  EXPECT_THAT(refused(job("    docker: [python]\n")).text, HasSubstr("expected a docker container"));
  EXPECT_THAT(refused(job("    machine: true\n    parallelism: many\n")).text,
              HasSubstr("expected a number from 1 on"));
}

TEST(CircleciJob, MergeKeysAndAnchorsAreCommon) {
  auto lowered = circleci::lowered(R"(version: 2
aliases:
  - &defaults
    machine: true
    environment: {A: 1}
  - &also
    environment: {A: 2}
    shell: /bin/sh
jobs:
  build:
    <<: *defaults
    <<: *also
    steps:
      - run: x
)");
  const model::Task& task = task_of(lowered);
  EXPECT_THAT(assignments(task), IsSupersetOf({"A=1"}));
  EXPECT_EQ(actions<model::Run>(task)[0].command[0].source(), "/bin/sh");
}

}  // namespace
}  // namespace kist::dialect::circleci
