#include <gmock/gmock.h>

#include "dialect/circleci/lowered.hpp"

namespace kist::dialect::circleci {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A config with the jobs a, b and c, and this workflow (indented by four).
std::string workflow(std::string_view lines) {
  return "version: 2.1\njobs:\n  a: &job {machine: true, steps: [{run: x}]}\n  b: *job\n  c: *job\nworkflows:\n"
         "  version: 2\n  all:\n" +
         std::string(lines);
}

std::vector<std::string> names(const model::Group& group) {
  std::vector<std::string> all;
  for (const model::Step& step : group.steps) all.push_back(step.name);
  return all;
}

TEST(CircleciWorkflow, JobsWaitForThoseTheyRequire) {
  auto lowered =
      circleci::lowered(workflow("    jobs:\n      - a\n      - b:\n          requires: [a]\n"
                                 "      - c: {requires: [a, b], context: [x]}\n"));
  EXPECT_EQ(lowered.workflow.name, "all");
  const model::Group& group = graph_of(lowered);
  EXPECT_THAT(names(group), ElementsAre("a", "b", "c"));
  EXPECT_THAT(group.targets, ElementsAre("a", "b", "c"));
  EXPECT_FALSE(group.fail_fast);
  EXPECT_EQ(group.steps[0].depends.op, model::Dependency::Operator::always);
  EXPECT_THAT(model::steps_of(group.steps[1].depends), ElementsAre("a"));
  EXPECT_THAT(model::steps_of(group.steps[2].depends), ElementsAre("a", "b"));
  EXPECT_THAT(texts(lowered.notices), ElementsAre(HasSubstr(":13:31: warning: not supported yet: context")));
  EXPECT_EQ(task_of(lowered, "c").containers[0].environment[3].value.source(), "3");  // CIRCLE_BUILD_NUM
}

TEST(CircleciWorkflow, AJobMayWaitForAFailure) {
  auto lowered =
      circleci::lowered(workflow("    jobs:\n      - a\n      - b: {requires: [{a: failed}]}\n      - c: {requires: "
                                 "[{a: [success, not_run]}]}\n"));
  const auto& group = graph_of(lowered);
  const model::Dependency& failed = group.steps[1].depends.operands.at(0);
  EXPECT_EQ(failed.op, model::Dependency::Operator::any);
  EXPECT_EQ(failed.operands.at(0).test, model::Dependency::Test::failed);
  const model::Dependency& either = group.steps[2].depends.operands.at(0);
  EXPECT_EQ(either.op, model::Dependency::Operator::any);
  EXPECT_EQ(either.operands.at(1).test, model::Dependency::Test::omitted);
  EXPECT_THAT(refused(workflow("    jobs: [a, {b: {requires: [{a: canceled}]}}]\n")).text,
              HasSubstr("not supported yet: requires: canceled"));
}

TEST(CircleciWorkflow, AJobUsedTwiceIsNumberedUnlessItHasAName) {
  auto lowered = circleci::lowered(
      workflow("    jobs:\n      - a\n      - a: {requires: [a-1]}\n      - a: {name: last, requires: [a-2]}\n"));
  EXPECT_THAT(names(graph_of(lowered)), ElementsAre("a-1", "a-2", "last"));
  EXPECT_EQ(task_of(lowered, "last").containers[0].environment[2].value.source(), "last");  // CIRCLE_JOB
  EXPECT_THAT(refused(workflow("    jobs: [{a: {name: x}}, {b: {name: x}}]\n")).text,
              HasSubstr("two jobs of the workflow are named 'x'"));
}

TEST(CircleciWorkflow, NamesThatLeadNowhereAndCycles) {
  EXPECT_EQ(refused(workflow("    jobs: [a, nope]\n")).text,
            ".circleci/config.yml:9:15: there is no job 'nope' in `jobs`; there are: a, b, c");
  EXPECT_EQ(refused(workflow("    jobs:\n      - a: {requires: [d]}\n")).text,
            ".circleci/config.yml:10:24: requires: there is no job 'd' in this workflow");
  Error cycle = refused(workflow("    jobs: [{a: {requires: [c]}}, {b: {requires: [a]}}, {c: {requires: [b]}}]\n"));
  EXPECT_EQ(cycle.text,
            ".circleci/config.yml:9:13: a cycle of jobs that wait for each other: a requires c requires b requires a");
  EXPECT_THAT(refused(workflow("    jobs: [{a: {requires: [a]}}]\n")).text, HasSubstr("cycle"));
}

TEST(CircleciWorkflow, WhatIsNotSupportedIsNamed) {
  auto reason = [](std::string lines) {
    Error error = refused(workflow(lines));
    EXPECT_EQ(error.kind, ErrorKind::unsupported) << error.text;
    return error.text;
  };
  EXPECT_EQ(reason("    jobs: [a, {hold: {type: approval, requires: [a]}}]\n"),
            ".circleci/config.yml:9:29: not supported yet: type: approval");
  EXPECT_THAT(reason("    jobs: [{a: {matrix: {parameters: {x: [1]}}}}]\n"), HasSubstr("not supported yet: matrix"));
  EXPECT_THAT(reason("    jobs: [{a: {os: linux}}]\n"), HasSubstr("not supported yet: parameters (os)"));
  EXPECT_THAT(reason("    jobs: [node/test]\n"), HasSubstr("not supported yet: orbs (the job node/test)"));
  EXPECT_THAT(reason("    jobs: [{a: {filters: {branches: {only: main}}}}]\n"),
              HasSubstr("not supported yet: filters (whether the job runs on this branch)"));
  EXPECT_THAT(reason("    when: << pipeline.parameters.x >>\n    jobs: [a]\n"), HasSubstr("not supported yet: when"));
  auto lowered = circleci::lowered(
      workflow("    triggers: [{schedule: {cron: '0 0 * * *'}}]\n    jobs: [{a: {filters: {tags: {only: /.*/}}}}]\n"));
  EXPECT_THAT(texts(lowered.notices), ElementsAre(HasSubstr("not supported yet: triggers")));
}

TEST(CircleciWorkflow, ABadWorkflowOrJobLeavesTheOthersAlone) {
  std::string text = workflow("    jobs: [a]\n") + "  broken:\n    jobs: {a: b}\n  other:\n    jobs: [zero]\n";
  text.insert(text.find("workflows:"), "  zero: {steps: 7, macos: true}\n");
  EXPECT_THAT(names(graph_of(lowered(request_for(text, "all")))), ElementsAre("a"));
  EXPECT_THAT(refused(request_for(text, "broken")).text, HasSubstr("jobs: expected a list of jobs, not a mapping"));
  EXPECT_EQ(refused(request_for(text, "other")).kind, ErrorKind::invalid);
}

TEST(CircleciWorkflow, WhichOneRuns) {
  std::string two = workflow("    jobs: [a]\n") + "  nightly:\n    triggers: [{schedule: {cron: x}}]\n    jobs: [b]\n";
  EXPECT_EQ(lowered(two).workflow.name, "all");
  EXPECT_EQ(lowered(request_for(two, "nightly")).workflow.name, "nightly");
  EXPECT_EQ(refused(request_for(two, "nope")).kind, ErrorKind::not_found);
  EXPECT_EQ(refused(request_for(two, "nope")).text,
            ".circleci/config.yml: there is no workflow 'nope'; there are: all, nightly");
  EXPECT_THAT(refused(two + "  third:\n    jobs: [c]\n").text,
              HasSubstr("there are several workflows; say which one to run: all, nightly, third"));
  EXPECT_THAT(refused("version: 2\njobs: {test: {}}\n").text, HasSubstr("or a job named `build`"));
  EXPECT_THAT(refused("version: 2\nworkflows: {version: 2, w: }\n").text, HasSubstr("expected a workflow"));
  EXPECT_THAT(refused("version: 2\nworkflows: {version: 2, w: {}}\n").text, HasSubstr("the workflow has no `jobs`"));
}

TEST(CircleciWorkflow, TheVersionMustBeOneThatIsKnown) {
  for (const char* version : {"2", "2.0", "2.1", "'2.1'", "\"2\""})
    EXPECT_EQ(
        lowered("version: " + std::string(version) + "\njobs: {build: {machine: true, steps: []}}\n").workflow.name,
        "build");
  EXPECT_THAT(refused("version: 3\njobs: {}\n").text, HasSubstr(":1:10: version: expected 2, 2.0 or 2.1, not '3'"));
  EXPECT_THAT(refused("jobs: {}\n").text, HasSubstr("expected the key `version`"));
  EXPECT_THAT(refused("").text, HasSubstr("the file is empty"));
  EXPECT_THAT(refused("- x\n").text, HasSubstr("not a list"));
  EXPECT_THAT(refused("version: 2\njobs: [\n").text, HasSubstr(".circleci/config.yml:"));
  EXPECT_THAT(refused("version: 2\njobs: [x]\n").text, HasSubstr(":2:7: jobs: expected names"));
}

TEST(CircleciWorkflow, TopLevelKeysAreNamedOrWherePeopleKeepAnchors) {
  auto lowered = circleci::lowered(
      "version: 2.1\norbs: {node: circleci/node@5}\nparameters: {}\ncommands: {}\nexecutors: {}\nreferences: {}\n_x: "
      "1\n"
      "jobs: {build: {machine: true, steps: []}}\n");
  EXPECT_THAT(texts(lowered.notices),
              ElementsAre(HasSubstr(":2:1: warning: not supported yet: orbs"), HasSubstr("parameters"),
                          HasSubstr("commands"), HasSubstr("executors")));
  EXPECT_THAT(refused("version: 2.1\nsetup: true\njobs: {build: {machine: true, steps: []}}\n").text,
              HasSubstr(":2:1: not supported yet: setup"));
}

TEST(CircleciWorkflow, AFewLinesOfAliasesCannotAskForBillionsOfSteps) {
  std::string text =
      "version: 2\nx: &x [checkout, checkout, checkout, checkout, checkout, checkout, checkout, checkout]\n"
      "jobs:\n  a:\n    machine: true\n    steps: [";
  for (int i = 0; i < 1000; ++i) text += "*x, ";
  text += "]\nworkflows:\n  w:\n    jobs: [";
  for (int i = 0; i < 9000; ++i) text += "a, ";
  EXPECT_THAT(refused(text + "]\n").text, HasSubstr("the workflow has more than 50000 steps"));
}

}  // namespace
}  // namespace kist::dialect::circleci
