#include <algorithm>

#include <gmock/gmock.h>

#include "dialect/dstack/lowered.hpp"

namespace kist::dialect::dstack {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(DstackLower, AnArtifactDirectoryIsFreshAndSavedUnlessAborted) {
  auto lowered = dstack::lowered(request_for(workflow_with(R"(    commands:
      - echo "Hello world" > output/hello.txt
    artifacts:
      - path: ./output/
)")));
  EXPECT_THAT(lowered.notices, IsEmpty());
  EXPECT_EQ(lowered.workflow.name, "w");
  EXPECT_EQ(lowered.workflow.naming.kind, model::RunNaming::Kind::counted);
  const model::Task& task = task_of(lowered);
  ASSERT_EQ(task.fresh_directories.size(), 1u);
  EXPECT_EQ(task.fresh_directories[0].source(), "output");
  EXPECT_EQ(task.containers[0].working_directory.source(), "/home/me/project");
  auto run = actions<model::Run>(task);
  ASSERT_EQ(run.size(), 1u);
  EXPECT_EQ(run[0].command[0].source(), "bash");
  EXPECT_EQ(run[0].command[1].source(), "-c");
  EXPECT_EQ(run[0].command[2].source(), "echo \"Hello world\" > output/hello.txt");
  const model::Action& last = task.actions.back();
  const auto& save = std::get<model::Save>(last.what);
  EXPECT_EQ(save.name, "output");
  EXPECT_EQ(save.path.source(), "output");
  EXPECT_TRUE(last.when.success && last.when.failure && last.when.stopped);
  EXPECT_FALSE(last.when.aborted);
}

TEST(DstackLower, AMountedArtifactIsWatchedFromBeforeTheCommands) {
  auto lowered = dstack::lowered(
      request_for(workflow_with("    commands: [\"true\"]\n    artifacts: [{path: output, mount: true}]\n")));
  const model::Task& task = task_of(lowered);
  ASSERT_EQ(task.actions.size(), 2u);
  EXPECT_EQ(std::get<model::Watch>(task.actions[0].what).name, "output");
  EXPECT_TRUE(task.actions[0].when.aborted);
  EXPECT_TRUE(std::holds_alternative<model::Run>(task.actions[1].what));
  EXPECT_EQ(task.fresh_directories.size(), 1u);
}

TEST(DstackLower, ArtifactsAreCalledByTheirCleanedPaths) {
  auto lowered = dstack::lowered(request_for(workflow_with(R"(    commands: ["true"]
    artifacts:
      - ./dir1
      - path: dir2//x/../dir22/
      - path: /opt/envs/mine
      - path: ~/.cache/pip
      - path: dir1/
)")));
  std::vector<std::pair<std::string, std::string>> saved;
  for (const auto& save : actions<model::Save>(task_of(lowered))) saved.emplace_back(save.name, save.path.source());
  using P = std::pair<std::string, std::string>;
  EXPECT_THAT(saved, ElementsAre(P{"dir1", "dir1"}, P{"dir2/dir22", "dir2/dir22"}, P{"opt/envs/mine", "/opt/envs/mine"},
                                 P{"~/.cache/pip", "~/.cache/pip"}));
}

TEST(DstackLower, PathsThatCannotBeArtifactsAreRefusedWithTheirPlace) {
  for (const char* path : {"/", ".", "./", "..", "../../out", "a/../..", "~", "~/", "~/../x", "''"}) {
    Error error = refused(request_for(
        workflow_with("    commands: [\"true\"]\n    artifacts:\n      - path: " + std::string(path) + "\n")));
    EXPECT_EQ(error.kind, ErrorKind::invalid) << path;
    EXPECT_THAT(error.text, HasSubstr(":6:")) << path;
  }
  Error error =
      refused(request_for(workflow_with("    commands: [\"true\"]\n    artifacts: [{path: out}, {path: /out}]\n")));
  EXPECT_THAT(error.text, HasSubstr("'out' and '/out' would both be called 'out'"));
}

TEST(DstackLower, DepsInAllForms) {
  auto lowered = dstack::lowered(request_for(workflow_with(R"(    commands: ["true"]
    deps:
      - workflow: hello-txt
      - tag: awesome
        mount: true
      - :other
      - plain
)")));
  std::vector<std::string> deps;
  for (const auto& load : actions<model::Load>(task_of(lowered))) {
    const auto& run = std::get<model::RunArtifacts>(load.source);
    deps.push_back((run.by == model::RunArtifacts::By::tag ? ":" : "") + run.name);
    EXPECT_EQ(load.path.source(), ".");
  }
  EXPECT_THAT(deps, ElementsAre("hello-txt", ":awesome", ":other", "plain"));
  EXPECT_TRUE(std::holds_alternative<model::Run>(task_of(lowered).actions.back().what));
  EXPECT_THAT(lowered.notices, IsEmpty());
}

TEST(DstackLower, DepsThatCannotBeMetAreRefused) {
  auto with = [](std::string dep) {
    return refused(request_for(workflow_with("    commands: [\"true\"]\n    deps:\n      - " + dep + "\n")));
  };
  Error other = with("workflow: user/repo/hello-txt");
  EXPECT_EQ(other.kind, ErrorKind::unsupported);
  EXPECT_THAT(other.text, HasSubstr(".dstack/workflows.yaml:6:"));
  EXPECT_THAT(other.text, HasSubstr("not supported yet: artifacts of another repository: user/repo/hello-txt"));
  for (const char* dep : {"a/b", "wf:latest", "':'", "{tag: t, workflow: w}", "{mount: true}", "[a]", "{tag: [x]}"})
    EXPECT_EQ(with(dep).kind, ErrorKind::invalid) << dep;
}

TEST(DstackLower, ADockerWorkflowRunsItsCommandsWithShAndItsImageIsAHint) {
  auto lowered = dstack::lowered(
      request_for("workflows:\n- name: w\n  provider: docker\n  image: python:3.11\n  commands: [echo 1]\n"));
  EXPECT_EQ(task_of(lowered).containers[0].image.source(), "python:3.11");
  EXPECT_EQ(actions<model::Run>(task_of(lowered))[0].command[0].source(), "sh");

  auto entry = dstack::lowered(request_for(
      "workflows:\n- name: w\n  provider: docker\n  image: busybox\n  entrypoint: bash -i -c\n  env: [A=b c]\n"
      "  commands: [echo 1]\n"));
  std::vector<std::string> words;
  auto run = actions<model::Run>(task_of(entry)).at(0);
  for (const auto& word : run.command) words.push_back(word.source());
  EXPECT_THAT(words, ElementsAre("bash", "-i", "-c", "echo 1"));
  EXPECT_EQ(task_of(entry).containers[0].environment.back().value.source(), "b c");
}

TEST(DstackLower, ProvidersThatAreNotThereAreNamed) {
  auto with = [](std::string provider) {
    return refused(request_for("workflows:\n  - name: w\n" + provider + "    commands: [x]\n"));
  };
  EXPECT_EQ(with("    provider: lab\n").text,
            ".dstack/workflows.yaml:3:15: not supported yet: provider: lab (bash and docker are)");
  EXPECT_THAT(with("    provider: python\n").text, HasSubstr("write `provider: bash`"));
  EXPECT_THAT(with("").text, HasSubstr(":2:5: the workflow 'w' has no `provider`"));
  EXPECT_THAT(with("    provider: docker\n").text, HasSubstr("needs an `image`"));
  EXPECT_THAT(refused(request_for("workflows: [{name: w, provider: docker, image: x}]\n")).text,
              HasSubstr("without `commands`"));
  EXPECT_THAT(refused(request_for("workflows: [{name: w, provider: bash}]\n")).text, HasSubstr("has no `commands`"));
  // What is of the wrong kind is not missing as well.
  for (const char* commands : {"{a: b}", "[{a: b}]", "[[x]]"})
    EXPECT_THAT(
        refused(request_for(fmt::format("workflows: [{{name: w, provider: bash, commands: {}}}]\n", commands))).text,
        AllOf(HasSubstr("expected a"), Not(HasSubstr("has no `commands`"))));
  EXPECT_THAT(with("    provider: docker\n    image: [x]\n").text,
              AllOf(HasSubstr("image: expected"), Not(HasSubstr("needs an `image`"))));
}

TEST(DstackLower, WhatDoesNotMatterHereIsAWarningWithItsPlace) {
  auto lowered = dstack::lowered(request_for(workflow_with(R"(    commands: ["true"]
    python: 3.10
    ports: 3
    resources:
      gpu: {count: 1}
      memory: 16GB
      local: true
      colour: red
    cache: [~/.cache/pip]
    ssh: true
    favourite: yes
    help:
)")));
  EXPECT_THAT(texts(lowered.notices),
              ElementsAre(HasSubstr(".dstack/workflows.yaml:5:5: warning: not supported yet: python ("),
                          HasSubstr(":6:5: warning: not supported yet: ports ("),
                          HasSubstr(":8:7: warning: not supported yet: resources: gpu ("),
                          HasSubstr(":9:7: warning: not supported yet: resources: memory ("),
                          HasSubstr(":11:7: warning: unknown key 'colour' in resources"),
                          HasSubstr(":12:5: warning: not supported yet: cache ("),
                          HasSubstr(":13:5: warning: not supported yet: ssh ("),
                          HasSubstr(":14:5: warning: unknown key 'favourite' in a workflow: it is ignored")));
  EXPECT_EQ(refused(request_for(workflow_with("    commands: [x]\n    setup: [pip install x]\n"))).kind,
            ErrorKind::unsupported);
}

TEST(DstackLower, WrongTypesHaveTheirPlaceAndAllAreTold) {
  Error error = refused(request_for(workflow_with(R"(    commands: {a: b}
    artifacts: output
    env: [1x=2, [y]]
    deps: {workflow: x}
    working_dir: ../..
    image: [x]
    resources: big
)")));
  EXPECT_EQ(error.kind, ErrorKind::invalid);
  EXPECT_EQ(std::ranges::count(error.text, '\n'), 7);  // eight lines
  for (const char* place :
       {"yaml:4:", "yaml:5:", "yaml:6:11", "yaml:6:17", "yaml:7:", "yaml:8:", "yaml:9:", "yaml:10:"})
    EXPECT_THAT(error.text, HasSubstr(place));
  EXPECT_THAT(refused(request_for(workflow_with("    commands:\n      - echo a: b\n"))).text,
              HasSubstr(":5:9: commands: expected a command, not a mapping; put the line in quotes"));
}

TEST(DstackLower, FlagsReplaceTheFilesLists) {
  auto request = request_for(workflow_with(
      "    commands: [\"true\"]\n    artifacts: [one, two]\n    deps: [a]\n    working_dir: x\n    env: [A=file]\n"));
  request.options = {
      {"artifact", "./three"}, {"artifact", "four"}, {"dep", ":t"}, {"working-dir", "sub/dir"}, {"gpu", "1"}};
  request.environment = {{"A", "it's $HOME"}};
  auto lowered = dstack::lowered(request);
  const model::Task& task = task_of(lowered);
  std::vector<std::string> saved;
  for (const auto& save : actions<model::Save>(task)) saved.push_back(save.name);
  EXPECT_THAT(saved, ElementsAre("three", "four"));
  auto loads = actions<model::Load>(task);
  ASSERT_EQ(loads.size(), 1u);
  EXPECT_EQ(std::get<model::RunArtifacts>(loads[0].source).name, "t");
  EXPECT_EQ(task.containers[0].working_directory.source(), "/home/me/project/sub/dir");
  EXPECT_EQ(script_of(task), "export A=\"file\"\nexport A='it'\\''s $HOME'\ntrue");
  EXPECT_THAT(texts(lowered.notices), ElementsAre("warning: not supported yet: --gpu"));

  request.options = {{"artifact", "../out"}};
  EXPECT_THAT(refused(request).text, HasSubstr("--artifact: the artifact path '../out' leads out of"));
}

TEST(DstackLower, BuiltInVariablesKnowTheRunLate) {
  auto lowered = dstack::lowered(request_for(workflow_with("    commands: [\"true\"]\n    env: [TOKEN]\n")));
  const model::Container& container = task_of(lowered).containers[0];
  std::vector<std::string> names;
  for (const auto& variable : container.environment) names.push_back(variable.name);
  EXPECT_THAT(names, ElementsAre("RUN_NAME", "JOB_ID", "PYTHONUNBUFFERED", "HOSTNAME", "JOB_HOSTNAME"));
  EXPECT_THAT(expression::references(container.environment[1].value), ElementsAre("workflow.name"));
  EXPECT_EQ(container.environment[1].value.source(), "${{ run.name }},w,0");
  EXPECT_THAT(container.inherited, ElementsAre("TOKEN"));
}

TEST(DstackLower, GenerationAsPreparationsComeFirst) {
  auto lowered = dstack::lowered(
      request_for(workflow_with("    commands: [third]\n    before_run: [second]\n    requirements: my file.txt\n")));
  EXPECT_EQ(script_of(task_of(lowered)), "{\npip install -r 'my file.txt'\n} && {\nsecond\n} && {\nthird\n}");
}

TEST(DstackLower, TheRunsNameCannotBePartOfAPath) {
  Error error = refused(request_for(workflow_with(
      "    commands: [\"true\"]\n    artifacts: ['out/${{ run.name }}']\n    deps: ['${{ run.name }}']\n")));
  EXPECT_EQ(error.kind, ErrorKind::unsupported);
  EXPECT_THAT(error.text, HasSubstr(":5:17: not supported yet: ${{ run.name }} in artifacts"));
  EXPECT_THAT(error.text, HasSubstr(":6:12: not supported yet: ${{ run.name }} in deps"));
}

}  // namespace
}  // namespace kist::dialect::dstack
